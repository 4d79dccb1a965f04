"""Errors that are not bugs of the harness."""


class UserError(Exception):
    """A user's mistake, in one line: what is wrong, what is allowed, and what to do."""


class DamagedError(UserError):
    """A stored file is not what was written; it was renamed, so that it can be computed again."""


class ContractError(Exception):
    """A plugin broke its contract (changed its input, read what it did not declare, ...)."""


def one_line(error: BaseException) -> str:
    """The message of an error on one line, after the class name unless it is one of ours."""
    message = " ".join(str(error).split())
    is_ours = isinstance(error, (UserError, ContractError))
    return message if is_ours else ": ".join(filter(None, (type(error).__name__, message)))
