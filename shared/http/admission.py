"""Too many requests at a time are refused at once, and one caller takes no more than its share."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry, Counter, Gauge
from starlette.types import Scope

from shared.auth.access import Principal
from shared.http.limits import Shares
from shared.http.problems import Problem, ProblemRaised
from shared.http.settings import Bounds

SLOW_DOWN = "slow_down"


def slow_down(scope: Scope) -> None:
    """The server reads the connection's next request a while after the answer to this one.

    The server puts a function into the state of the request; where there is none, as behind a
    trusted proxy, nothing is done."""
    slowing = scope.get("state", {}).get(SLOW_DOWN)
    if slowing is not None:
        slowing()


SOON = {"Retry-After": "1"}
OVERLOADED = Problem(
    503,
    "overloaded",
    "Overloaded",
    "The server is at capacity; retry after the seconds in Retry-After.",
    (),
    SOON,
)
ADDRESS_FULL = Problem(
    503,
    "overloaded",
    "Overloaded",
    "Too many concurrent requests from this network address; retry after the seconds in "
    "Retry-After.",
    headers=SOON,
)
SUBJECT_FULL = Problem(
    429,
    "too-many-requests",
    "Too many requests",
    "Too many concurrent requests from this caller; retry after the seconds in Retry-After.",
    headers=SOON,
)
SHUTTING_DOWN = Problem(
    503,
    "shutting-down",
    "Shutting down",
    "This process is shutting down; retry the request.",
    (),
    SOON,
)


class Requests:
    """The requests under way in this process.

    One has a place while something is done for it, and none while it waits: for its body, for a
    projection. Whether it has a place or waits, it counts for its address and its subject.
    """

    def __init__(self, bounds: Bounds, registry: CollectorRegistry) -> None:
        self.places = bounds.requests
        self.in_flight = 0
        self.waiting = 0
        self.of_address = Shares[str](bounds.requests, bounds.address_share)
        self.of_subject = Shares[Principal](bounds.requests, bounds.subject_share)
        self._refused = Counter(
            "teddy_requests_refused",
            "Requests refused before they were read, by reason: places (total capacity), "
            "address, subject or stopping.",
            ("reason",),
            registry=registry,
        )
        in_flight = Gauge(
            "teddy_requests_in_flight", "Requests being processed.", registry=registry
        )
        in_flight.set_function(lambda: self.in_flight)
        waiting = Gauge(
            "teddy_requests_waiting",
            "Requests waiting for their body or for a projection.",
            registry=registry,
        )
        waiting.set_function(lambda: self.waiting)

    @property
    def is_full(self) -> bool:
        return self.in_flight >= self.places

    def refusal(self, scope: Scope, address: str) -> Problem | None:
        """Why a request from this address is not let in; None where it may be."""
        if scope["app"].state["stopping"]:
            return self.refused("stopping", SHUTTING_DOWN)
        if self.of_address.is_full(address):
            slow_down(scope)
            return self.refused("address", ADDRESS_FULL)
        return self.refused("places", OVERLOADED) if self.is_full else None

    def refused(self, reason: str, problem: Problem) -> Problem:
        self._refused.labels(reason).inc()
        return problem


class Admitted:
    """One request that was let in, and what it takes of the others' places and of its shares."""

    __slots__ = ("_address", "_has_left", "_has_place", "_requests", "_subject")

    def __init__(self, requests: Requests, address: str) -> None:
        """Takes a place and of the address's share; whoever does it has looked that there is
        both."""
        self._requests = requests
        self._address = address
        self._subject: Principal | None = None
        self._has_left = False
        requests.of_address.take(address)
        requests.in_flight += 1
        self._has_place = True

    def count_for(self, subject: Principal) -> None:
        """Take of the subject's share. Raises ProblemRaised, 429."""
        if self._subject is not None:
            return
        requests = self._requests
        if not requests.of_subject.take(subject):
            raise ProblemRaised(requests.refused("subject", SUBJECT_FULL))
        self._subject = subject

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The place is free for others within the block. Raises ProblemRaised, 503, where there is
        none after it."""
        self._give_place_back()
        self._requests.waiting += 1
        try:
            yield
        finally:
            self._requests.waiting -= 1
        if self._requests.is_full:
            raise ProblemRaised(self._requests.refused("places", OVERLOADED))
        self._requests.in_flight += 1
        self._has_place = True

    def leave(self) -> None:
        """Give everything back; also more than once."""
        if self._has_left:
            return
        self._has_left = True
        self._give_place_back()
        self._requests.of_address.give_back(self._address)
        if self._subject is not None:
            self._requests.of_subject.give_back(self._subject)

    def _give_place_back(self) -> None:
        if self._has_place:
            self._requests.in_flight -= 1
        self._has_place = False


def admitted(request: Request) -> Admitted:
    """What the request under way holds. Outside of the prefix there is none: LookupError."""
    found: Admitted | None = request.scope.get("state", {}).get("admitted")
    if found is None:
        raise LookupError("the request passed no admission: install it for this path")
    return found


def begin_stopping(app: FastAPI) -> None:
    app.state.stopping = True


def is_stopping(app: FastAPI) -> bool:
    return bool(getattr(app.state, "stopping", False))
