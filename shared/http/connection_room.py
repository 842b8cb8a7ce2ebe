"""Which connections are open, and which of them makes room for one more."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client import Counter as Counted

from shared.http.shares import Bounds
from shared.networks import Network, address_of, is_within, site_of


class Connection(Protocol):
    def give_way(self) -> None:
        """Close, for another needs the room: nothing is under way here."""


class ConnectionRoom:
    """Lets connections in: so many in all, and of one address its share.

    Where there is no room, the connection that has been silent for longest makes it; only where
    none is silent the new one is refused. Silent is one on which no request is under way: it sent
    nothing yet, no whole head, or nothing since its last answer. A new one's own address makes room
    in its share; in the total, the address that has most. Trusted proxies have no share, since
    everybody comes through them: their callers are told apart at requests.
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
        self._silent: dict[str, dict[Connection, None]] = {}  # by address, longest silent first
        registry = registry or CollectorRegistry()
        self._refused = Counted(
            "teddy_connections_refused",
            "Connections refused, because of the total or of their address's share.",
            ("reason",),
            registry=registry,
        )
        self._gave_way = Counted(
            "teddy_connections_gave_way",
            "Silent connections closed to make room, in the total or in their address's share.",
            ("reason",),
            registry=registry,
        )
        gauge = Gauge("teddy_connections", "Open connections.", registry=registry)
        gauge.set_function(lambda: len(self._open))

    def enter(self, connection: Connection, peer: str) -> bool:
        """Whether there is room for a new connection from the address `peer`. It is silent."""
        address = site_of(peer)
        if self._has_its_share(address, peer) and not self._make_room(address, "address"):
            return False
        if len(self._open) >= self._most and not self._make_room(self._largest(), "total"):
            return False
        self._open[connection] = address
        self._of[address] += 1
        self.is_silent(connection)
        return True

    def speaks(self, connection: Connection) -> None:
        """It sent the whole head of a request."""
        address = self._open.get(connection)
        silent = self._silent.get(address) if address is not None else None
        if address is not None and silent is not None:
            silent.pop(connection, None)
            if not silent:
                del self._silent[address]

    def is_silent(self, connection: Connection) -> None:
        """From now on nothing is under way on it."""
        address = self._open.get(connection)
        if address is not None:
            self._silent.setdefault(address, {})[connection] = None

    def leave(self, connection: Connection) -> None:
        """Also one that was refused, or that gave way before."""
        self.speaks(connection)
        address = self._open.pop(connection, None)
        if address is not None:
            self._of[address] -= 1
            if not self._of[address]:
                del self._of[address]

    @property
    def open_connections(self) -> int:
        return len(self._open)

    def _has_its_share(self, address: str, peer: str) -> bool:
        full = self._of[address] >= self._most_of_one
        return full and not is_within(address_of(peer), self._trusted)

    def _largest(self) -> str | None:
        """Of the addresses with a silent connection, the one that has most connections."""
        return max(self._silent, key=self._of.__getitem__, default=None)

    def _make_room(self, address: str | None, reason: str) -> bool:
        silent = self._silent.get(address) if address is not None else None
        if not silent:
            self._refused.labels(reason).inc()
            return False
        longest = next(iter(silent))
        self.leave(longest)
        longest.give_way()
        self._gave_way.labels(reason).inc()
        return True


def install_connection_room(
    app: FastAPI, bounds: Bounds, trusted: Sequence[Network], registry: CollectorRegistry
) -> None:
    app.state.connection_room = ConnectionRoom(bounds, trusted, registry)


def connection_room_of(app: FastAPI) -> ConnectionRoom:
    """The application's own; one of the usual bounds where none was installed."""
    room: ConnectionRoom | None = getattr(app.state, "connection_room", None)
    return ConnectionRoom(Bounds()) if room is None else room
