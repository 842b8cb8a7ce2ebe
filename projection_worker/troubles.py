"""What keeps read models from moving on although the worker runs: for readiness and metrics."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from shared.clock import Clock, iso


@dataclass(slots=True)
class Troubles:
    """`dead_lettered`: children of the live generation that stand still until somebody redrives
    them. `retrying_since`: a batch has been tried in vain since then, `because` of the newest
    failure."""

    clock: Clock
    dead_lettered: int = 0
    retrying_since: datetime | None = field(default=None)
    because: str = ""

    def failed(self, error: Exception) -> str:
        """A batch is to be tried again. The reason, in few words and without values."""
        if self.retrying_since is None:
            self.retrying_since = self.clock()
        self.because = in_few_words(error)
        return self.because

    def got_on(self) -> None:
        self.retrying_since, self.because = None, ""

    @property
    def retrying_seconds(self) -> float:
        since = self.retrying_since
        return 0.0 if since is None else max(0.0, (self.clock() - since).total_seconds())

    def report(self) -> dict[str, Any]:
        retrying = None
        if self.retrying_since is not None:
            retrying = {"since": iso(self.retrying_since), "because": self.because}
        return {
            "dead_lettered_children": self.dead_lettered,
            "retrying": retrying,
        }


def in_few_words(error: BaseException) -> str:
    """The type of a failure, and the code that a server gave it or what it came of."""
    if error.__cause__ is not None and not isinstance(error, PyMongoError):
        return f"{type(error).__name__} of {in_few_words(error.__cause__)}"
    code = error.code if isinstance(error, OperationFailure) else None
    if isinstance(error, BulkWriteError):
        code = next((one["code"] for one in error.details["writeErrors"]), code)
    return type(error).__name__ if code is None else f"{type(error).__name__} {code}"
