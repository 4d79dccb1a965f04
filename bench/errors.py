"""The ways in which something can be wrong that is not a bug of the harness."""


class UserError(Exception):
    """A user's mistake, said in one line: what was wrong, what is allowed, what to do next."""


class DamagedError(UserError):
    """A stored file is not what was written. It was set aside, so that it can be made anew."""


class ContractError(Exception):
    """A plugin broke its contract (changed its input, read what it did not declare, ...)."""


def one_line(error: BaseException) -> str:
    """What an error says, on one line; the kind of error first where it is none of these."""
    said = " ".join(str(error).split())
    known = isinstance(error, (UserError, ContractError))
    return said if known else ": ".join(filter(None, (type(error).__name__, said)))
