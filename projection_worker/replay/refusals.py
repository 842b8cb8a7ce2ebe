"""Why a replay command does not do what it was asked for."""


class Refused(Exception):
    """It cannot be done as asked; nothing was touched."""


class NotFound(Exception):
    """What was asked about is not there."""
