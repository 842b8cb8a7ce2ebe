"""Why a query has no answer."""


class ChildNotFound(Exception):
    """There is no such child, it is erased, or it is not the caller's: never said which."""


class ChildDeadLettered(Exception):
    """The child's first event could not be projected, so that there is nothing to show of it. Said
    to staff alone: whose child it is, is not known either."""


class ParentNotFound(Exception):
    """The caller may not see this parent."""


class RequestRefused(Exception):
    """A parameter breaks a rule that its type cannot express. Never carries its value."""

    def __init__(self, field: str, message: str, limit: str | None = None) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message
        self.limit = limit
