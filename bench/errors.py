"""The ways in which something can be wrong that is not a bug of the harness."""


class UserError(Exception):
    """A user's mistake, said in one line: what was wrong, what is allowed, what to do next."""


class DamagedError(UserError):
    """A stored file is not what was written. It was set aside, so that it can be made anew."""


class ContractError(Exception):
    """A plugin broke its contract (changed its input, read what it did not declare, ...)."""
