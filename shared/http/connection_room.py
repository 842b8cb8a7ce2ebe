"""Which connections are open, which of them makes room for one more, and which wait for that."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client import Counter as Counted

from shared.http.request_context import Network, address_of, is_within, site_of
from shared.http.settings import Bounds

EVICT_SECONDS = 0.005
"""Between two connections of one address of which the second takes the place of an idle one. Who
is turned away comes back at once; without a pace its coming and going would keep the process busy.
"""


class Connection(Protocol):
    def evict(self) -> None:
        """Close, for another needs the room: nothing is under way here."""

    def admit(self) -> None:
        """Begin: there is room now for what was held."""


class Entry(Enum):
    """`HELD`: nothing is read from it until it is admitted."""

    IN, HELD, REFUSED = range(3)


class ConnectionRoom:
    """Lets connections in: so many in all, and of one address its share.

    Where there is no room, the connection that has been idle for longest makes it; only where
    none is idle the new one is refused. Idle is one on which no request is under way: it sent
    nothing yet, no whole head, or nothing since its last answer. In the total, the address that has
    most makes room. In its share, an address makes room for itself, at a pace; until its turn a new
    connection is held, the newest first in line, so that who has just come is not behind all who
    came too many. Trusted proxies have no share, since everybody comes through them: their callers
    are distinguished at requests.
    """

    def __init__(
        self,
        bounds: Bounds,
        trusted: Sequence[Network] = (),
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._most = bounds.connections
        self._most_of_one = max(1, int(bounds.connections * bounds.address_share))
        self._trusted = tuple(trusted)
        self._open: dict[Connection, str] = {}
        self._of: Counter[str] = Counter()
        self._idle: dict[str, dict[Connection, None]] = {}  # by address, longest idle first
        self._held: dict[Connection, str] = {}  # in the order in which they came
        self._lines: dict[str, dict[Connection, None]] = {}  # those held, by address
        registry = registry or CollectorRegistry()
        self._refused = _counted("refused", "refused", registry)
        self._evicted = _counted("evicted", "closed while idle to admit another", registry)
        gauge = Gauge("teddy_connections", "Open connections.", registry=registry)
        gauge.set_function(lambda: len(self._open))
        held = Gauge(
            "teddy_connections_queued", "Connections that wait for a free slot.", registry=registry
        )
        held.set_function(lambda: len(self._held))

    def enter(self, connection: Connection, peer: str) -> Entry:
        """Where a new connection from the address `peer` stands; let in, it is idle."""
        address = site_of(peer)
        if self._has_its_share(address) and not self.is_trusted(peer):
            return self._hold(connection, address)
        return Entry.IN if self._let_in(connection, address) else Entry.REFUSED

    def is_trusted(self, peer: str) -> bool:
        return is_within(address_of(peer), self._trusted)

    def begins_request(self, connection: Connection) -> None:
        """It sent the whole head of a request."""
        _remove(self._idle, self._open.get(connection), connection)

    def becomes_idle(self, connection: Connection) -> None:
        """From now on nothing is under way on it."""
        address = self._open.get(connection)
        if address is not None:
            self._idle.setdefault(address, {})[connection] = None

    def leave(self, connection: Connection) -> None:
        """Also one that was held or refused, or that gave way before."""
        _remove(self._lines, self._held.pop(connection, None), connection)
        self.begins_request(connection)
        address = self._open.pop(connection, None)
        if address is not None:
            self._of[address] -= 1
            if not self._of[address]:
                del self._of[address]

    @property
    def open_connections(self) -> int:
        return len(self._open)

    def _has_its_share(self, address: str) -> bool:
        return self._of[address] >= self._most_of_one

    def _let_in(self, connection: Connection, address: str) -> bool:
        if len(self._open) >= self._most and not self._make_room(self._largest(), "total"):
            return False
        self._open[connection] = address
        self._of[address] += 1
        self.becomes_idle(connection)
        return True

    def _hold(self, connection: Connection, address: str) -> Entry:
        if len(self._held) >= self._most:  # then who has waited for longest has waited in vain
            self._turn_away(next(iter(self._held)))
        self._held[connection] = address
        line = self._lines.setdefault(address, {})
        if not line:
            asyncio.get_running_loop().call_later(EVICT_SECONDS, self._next_turn, address)
        line[connection] = None
        return Entry.HELD

    def _next_turn(self, address: str) -> None:
        """The newest in line comes in, or as many as found free places meanwhile."""
        made = False
        while line := self._lines.get(address):
            if self._has_its_share(address):
                if made or not self._make_room(address, "address", refuses=False):
                    break
                made = True
            newest = next(reversed(line))
            self.leave(newest)
            if self._let_in(newest, address):
                newest.admit()
            else:
                newest.evict()
        if line:
            asyncio.get_running_loop().call_later(EVICT_SECONDS, self._next_turn, address)

    def _turn_away(self, held: Connection) -> None:
        self.leave(held)
        held.evict()
        self._refused.labels("address").inc()

    def _largest(self) -> str | None:
        """Of the addresses with an idle connection, the one that has most connections."""
        return max(self._idle, key=self._of.__getitem__, default=None)

    def _make_room(self, address: str | None, reason: str, *, refuses: bool = True) -> bool:
        idle = self._idle.get(address) if address is not None else None
        if not idle:
            if refuses:
                self._refused.labels(reason).inc()
            return False
        longest = next(iter(idle))
        self.leave(longest)
        longest.evict()
        self._evicted.labels(reason).inc()
        return True


def _remove(
    by_address: dict[str, dict[Connection, None]], address: str | None, connection: Connection
) -> None:
    if address is None or address not in by_address:
        return
    by_address[address].pop(connection, None)
    if not by_address[address]:
        del by_address[address]


def _counted(name: str, what: str, registry: CollectorRegistry) -> Counted:
    text = f"Connections {what}, because of the total or of their address's share."
    return Counted(f"teddy_connections_{name}", text, ("reason",), registry=registry)


def connection_room_of(app: FastAPI) -> ConnectionRoom:
    """The application's own; one of the usual bounds where none was installed."""
    room: ConnectionRoom | None = getattr(app.state, "connection_room", None)
    return ConnectionRoom(Bounds()) if room is None else room
