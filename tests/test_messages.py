"""Messages are plain lines on standard error, once each."""

from __future__ import annotations

import logging
import subprocess
import sys

from bench.messages import show_messages

log = logging.getLogger("bench.test")


def test_messages_go_to_the_standard_error_of_the_moment(capsys):
    show_messages()
    show_messages()
    log.info("50 %% of %s", "all")
    assert capsys.readouterr() == ("", "50 % of all\n")
    log.debug("details")
    assert capsys.readouterr() == ("", "")


def test_a_process_that_shows_no_messages_still_shows_warnings():
    code = "import logging; log = logging.getLogger('bench.data'); log.info('a'); log.warning('b')"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (process.stdout, process.stderr) == ("", "b\n")
