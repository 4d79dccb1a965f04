"""The page in a real browser: no error, no request, nothing cut off or overlapping, sorting."""

from __future__ import annotations

import io
import json
import shutil

import pytest
from PIL import Image

from bench.reports.comparison.several import side_by_side
from bench.reports.page.run import run_html
from bench.reports.page.several import several_html
from tests.helpers.tiny_run import as_if

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
try:
    from selenium import webdriver
except ModuleNotFoundError:
    webdriver = None
MISSING = [
    name
    for name, there in (("selenium", webdriver), ("chromium", BROWSER), ("chromedriver", DRIVER))
    if not there
]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"no {' and no '.join(MISSING)} here")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync --hide-scrollbars"
)
OVERLAPS = """
const overlaps = [];
for (const svg of document.querySelectorAll("figure svg")) {
  if (!svg.getClientRects().length) continue;
  const texts = [...svg.querySelectorAll("text")];
  const boxes = texts.map((text) => text.getBoundingClientRect());
  for (let i = 0; i < boxes.length; i++) for (let j = 0; j < i; j++) {
    const [a, b] = [boxes[i], boxes[j]];
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 2 && high > 0.35 * Math.min(a.height, b.height))
      overlaps.push(texts[i].textContent + " / " + texts[j].textContent);
  }
}
return overlaps;
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('browser')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def pages(tiny_run, tmp_path_factory):
    """The page of a run with a failed method, and that of two runs, as files."""
    folder = tmp_path_factory.mktemp("pages")
    rows = tiny_run.record["rows"]
    config = tiny_run.record["config"] | {"seed": 1}
    rows = rows | {"<b>mine</b>": _failed(rows["ssd"])}
    other = as_if(tiny_run, folder / "run", config=config, rows=rows)
    run = type(tiny_run).load(other)
    texts = {"one": run_html(run), "several": several_html(side_by_side([tiny_run, run]))}
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text)
    return {name: folder / f"{name}.html" for name in texts}


def _failed(record):
    failure = {
        "member": 0,
        "stage": "unlearn",
        "reason": "ValueError: no",
        "file": "/x/" + 90 * "y",
    }
    return record | {"done": 0, "failures": [failure]}


def look(browser, file, width, theme="light"):
    """Open a page at a width, in a theme; returns the addresses that it asked for."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get_log("performance")
    browser.get(file.as_uri())
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    messages = [json.loads(line["message"])["message"] for line in browser.get_log("performance")]
    sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [one["request"]["url"] for one in sent]


@pytest.mark.parametrize("name", ["one", "several"])
@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_asked_for_nothing_fails_nothing_is_cut(browser, pages, name, width, theme):
    asked = look(browser, pages[name], width, theme)
    assert [url for url in asked if not url.startswith("data:")] == [pages[name].as_uri()]
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script(OVERLAPS) == []
    colors = browser.execute_script(
        "const of = (e, p) => getComputedStyle(e)[p];"
        "return [of(document.body, 'backgroundColor'), of(document.body, 'color'),"
        " of(document.querySelector('figure svg text'), 'fill')]"
    )
    ground, *inks = [sum(map(int, c[c.index("(") + 1 : -1].split(", ")[:3])) for c in colors]
    assert all(abs(ink - ground) > 450 for ink in inks)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_edge_behind_which_there_is_more_is_shaded(browser, pages, theme):
    look(browser, pages["one"], 390, theme)
    find = "const box = document.querySelector('.figure.wide:not(.twofold)');"

    def shaded(scrolled):
        left, top, right, ground = browser.execute_script(
            f"{find} box.scrollLeft = {scrolled};"
            "box.scrollIntoView({behavior: 'instant'});"
            "const {left, top, right} = box.getBoundingClientRect();"
            "return [left, top, right, getComputedStyle(document.body).backgroundColor]"
        )
        image = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
        colors = [image.getpixel((int(x), int(top) + 3)) for x in (left + 2, right - 3)]
        return ["rgb({}, {}, {})".format(*color) != ground for color in colors]

    assert shaded(0) == [False, True]
    assert shaded(100) == [True, True]
    assert shaded(9999) == [True, False]


def test_letters_in_figures_are_large_enough_on_a_phone(browser, pages):
    look(browser, pages["one"], 390)
    smallest = browser.execute_script(
        "return Math.min(...[...document.querySelectorAll('figure svg text')]"
        ".filter((t) => t.getClientRects().length && t.textContent.trim().length > 1)"
        ".map((t) => t.getBoundingClientRect().height))"
    )
    assert smallest >= 7


def test_a_click_or_a_key_sorts_a_table_and_says_so(browser, pages):
    look(browser, pages["one"], 1400)
    script = """
    const head = [...document.querySelectorAll('#comparison thead th')].slice(0, 20)
      .find((th) => th.textContent.startsWith('error on test set'));
    const button = head.querySelector('button');
    button.focus();
    const column = [...head.parentNode.children].indexOf(head);
    const values = () => [...head.closest('table').tBodies[0].rows]
      .map((row) => row.children[column].dataset.value);
    const seen = [];
    for (const turn of [1, 2]) { button.click(); seen.push([head.ariaSort, values()]); }
    return seen;
    """
    for direction, values in browser.execute_script(script):
        known = [float(value) for value in values if value]
        assert known == sorted(known, reverse=direction == "descending")
        assert values[len(known) :] == [""] * (len(values) - len(known))  # failed rows come last
    focused = "return document.activeElement.closest('th').ariaSort"
    browser.switch_to.active_element.send_keys("\ue007")  # enter
    assert browser.execute_script(focused) == "ascending"


def test_one_kind_of_panel_can_be_shown_for_all_methods(browser, pages):
    look(browser, pages["one"], 1400)
    shown = browser.execute_script(
        "document.querySelector('input[name=only][value=roc]').click();"
        "return [...document.querySelectorAll('#methods figure')]"
        ".filter((f) => f.getClientRects().length).map((f) => f.dataset.kind)"
    )
    assert set(shown) == {"roc"}
    assert len(shown) == 7


def test_a_name_that_looks_like_markup_is_text(browser, pages):
    look(browser, pages["one"], 1400)
    text = browser.execute_script("return document.getElementById('comparison').innerText")
    assert "<b>mine</b>" in text
    assert "1 of 3 models failed: unlearn, model 0: ValueError: no" in text
