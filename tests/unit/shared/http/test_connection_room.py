"""Which connection makes room for one more, and the share of each caller."""

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from shared.http.connection_room import ConnectionRoom, Entry
from shared.http.limits import Shares
from shared.http.request_context import networks_of
from shared.http.settings import Bounds
from tests.support.waiting import until

A, B, C, PROXY = "10.0.0.1", "10.0.0.2", "10.0.0.3", "172.16.0.9"
TOTAL, SHARE = 8, 4


@dataclass(eq=False)
class Line:
    """A connection; `gave_way` once it had to, `came_in` once it was no longer held. `arrivals`:
    those that came in, in their order."""

    gave_way: bool = False
    came_in: bool = False
    arrivals: list["Line"] = field(default_factory=list, repr=False)

    def evict(self) -> None:
        self.gave_way = True

    def admit(self) -> None:
        self.came_in = True
        self.arrivals.append(self)


@dataclass
class Room:
    """At most 8 connections, 4 of one address. `lines`: those that were let in, by address."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    room: ConnectionRoom = field(init=False)
    arrivals: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        bounds = Bounds(connections=TOTAL, address_share=SHARE / TOTAL)
        self.room = ConnectionRoom(bounds, networks_of("172.16.0.0/12"), self.registry)

    def connect(self, address: str, speaks: bool = False) -> Line | None:
        line = Line()
        if self.room.enter(line, address) is not Entry.IN:
            return None
        if speaks:
            self.room.begins_request(line)
        return line

    def connect_many(self, number: int, address: str, speaks: bool = False) -> list[Line]:
        lines = [self.connect(address, speaks) for _ in range(number)]
        return [line for line in lines if line is not None]

    def hold(self, address: str) -> Line:
        line = Line(arrivals=self.arrivals)
        assert self.room.enter(line, address) is Entry.HELD
        return line

    def counted(self, name: str, reason: str) -> float | None:
        return self.registry.get_sample_value(f"teddy_connections_{name}_total", {"reason": reason})


async def test_the_longest_silent_of_an_address_makes_room_in_its_share():
    # given
    room = Room()
    first, *others = room.connect_many(SHARE, A)
    # when
    newest = room.hold(A)
    # then
    await until(lambda: newest.came_in)
    assert first.gave_way
    assert not any(line.gave_way for line in others)
    assert room.room.open_connections == SHARE
    assert room.counted("evicted", "address") == 1


async def test_of_those_who_are_held_the_newest_comes_in_first():
    # given an address with its share of connections, all busy
    room = Room()
    busy, *_ = room.connect_many(SHARE, A, speaks=True)
    older, newer = room.hold(A), room.hold(A)
    # when
    room.room.becomes_idle(busy)
    # then
    await until(lambda: newer.came_in)
    assert room.arrivals[0] is newer
    assert room.arrivals[1:] in ([], [older])  # silent as it is, the newer gives way in its turn


async def test_who_is_held_comes_in_when_another_of_its_address_leaves():
    room = Room()
    busy, *_ = room.connect_many(SHARE, A, speaks=True)
    held = room.hold(A)
    room.room.leave(busy)
    await until(lambda: held.came_in)
    assert not held.gave_way


async def test_so_many_are_held_and_of_one_more_the_longest_held_is_refused():
    # given
    room = Room()
    room.connect_many(SHARE, A, speaks=True)
    first, *others = [room.hold(A) for _ in range(TOTAL)]
    # when
    room.hold(A)
    # then
    assert first.gave_way
    assert not any(line.gave_way for line in others)
    assert room.counted("refused", "address") == 1


async def test_nobody_else_makes_room_for_a_greedy_address():
    # given
    room = Room()
    busy, *_ = room.connect_many(SHARE, A, speaks=True)
    other = room.connect(B)
    held = room.hold(A)
    # when its turn has come
    room.room.becomes_idle(busy)
    await until(lambda: held.came_in)
    # then
    assert other is not None
    assert not other.gave_way


def test_in_the_total_the_address_that_has_most_makes_room():
    # given
    room = Room()
    [lonely] = room.connect_many(1, C)
    first, *others = room.connect_many(SHARE, A)
    room.connect_many(3, B)
    # when
    newest = room.connect(C)
    # then
    assert newest is not None
    assert first.gave_way
    assert not any(line.gave_way for line in (lonely, *others))
    assert room.room.open_connections == TOTAL


def test_when_all_are_busy_the_new_one_is_refused():
    room = Room()
    room.connect_many(SHARE, A, speaks=True)
    room.connect_many(SHARE, B, speaks=True)
    refused = room.connect(C)
    assert refused is None
    assert room.counted("refused", "total") == 1


async def test_a_connection_is_silent_again_after_its_answer_and_has_the_newest_silence():
    # given
    room = Room()
    first, second, *_ = room.connect_many(SHARE, A)
    room.room.begins_request(first)
    room.room.becomes_idle(first)
    # when
    newest = room.hold(A)
    await until(lambda: newest.came_in)
    # then
    assert second.gave_way
    assert not first.gave_way


def test_a_trusted_proxy_has_no_share_since_everybody_comes_through_it():
    room = Room()
    through = room.connect_many(TOTAL, PROXY, speaks=True)
    assert len(through) == TOTAL


async def test_a_connection_that_made_room_leaves_only_once():
    # given
    room = Room()
    first, second, *_ = room.connect_many(SHARE, A)
    newest = room.hold(A)
    await until(lambda: newest.came_in)
    # when its end is told, and it turns silent on its way out
    room.room.becomes_idle(first)
    room.room.leave(first)
    # then
    assert room.room.open_connections == SHARE
    one_more = room.hold(A)
    await until(lambda: one_more.came_in)
    assert second.gave_way


async def test_who_has_left_is_forgotten():
    # given
    room = Room()
    lines = [*room.connect_many(SHARE, A), *room.connect_many(2, B, speaks=True), room.hold(A)]
    # when
    for line in lines:
        room.room.leave(line)
    # then
    assert room.room.open_connections == 0
    assert not room.room._of
    assert not room.room._idle
    assert not room.room._held
    assert not room.room._lines


def test_a_caller_has_its_part_of_the_total_and_not_one_more():
    shares = Shares[str](total=8, share=0.25)

    assert [shares.take("weiss") for _ in range(3)] == [True, True, False]
    assert shares.take("braun")


def test_a_share_is_one_at_least_may_be_given_back_and_all_is_no_bound():
    shares = Shares[str](total=4, share=0.25)
    shares.take("weiss")
    shares.give_back("weiss")
    assert shares.take("weiss")
    assert Shares[str](total=2, share=0.125).take("weiss")
    shares = Shares[str](total=2, share=1)

    assert all(shares.take("weiss") for _ in range(3))


def test_who_has_nothing_is_not_known():
    # given
    shares = Shares[int](total=8, share=0.25)
    for who in range(100):
        shares.is_full(who)
        shares.take(who)
    # when
    for who in range(100):
        shares.give_back(who)
    # then
    assert shares.callers == 0
