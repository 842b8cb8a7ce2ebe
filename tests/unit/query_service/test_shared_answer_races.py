"""Any order of changes, notices, reads that take long, restarts and writes to the shared tier: what
a process answers shows every change whose notice it had received when it was asked."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from tests.support.shared_cache import CHILDREN, QueryProcess, Servers

PROCESSES = 3
STEPS = {
    "ask": 6,
    "ask of all": 3,
    "end a read": 6,
    "forget own": 4,
    "receive": 3,
    "change": 2,
    "publish": 2,
    "wait": 1,
    "reconnect": 0.3,
}
"""With how often each is taken."""

LONG = 400

Step = tuple[str, str, int]


@dataclass
class Race:
    servers: Servers
    processes: list[QueryProcess]
    published: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHILDREN, 1))
    answers: int = 0
    asking: "set[asyncio.Task[None]]" = field(default_factory=set)

    async def step(self, what: str, child: str, process: QueryProcess) -> None:
        match what:
            case "change":
                self.servers.change(child)
            case "publish":
                self.servers.publish(child)
                self.published[child] = self.servers.versions[child]
            case "receive":
                process.receive(child)
            case "ask":
                self.asking.add(asyncio.create_task(self._profile(process, child)))
            case "ask of all":
                self.asking.add(asyncio.create_task(self._family(process)))
            case "end a read":
                if process.gates:
                    process.gates.pop().set()
            case "forget own":  # as if others had taken its room
                for key in process.cache._kept:
                    process.cache._kept.remove(key)
            case "reconnect":
                process.invalidation.connection_changed(False)
                process.connect()
            case "wait":
                self.servers.now += 4
        for _ in range(12):  # whatever can go on does
            await asyncio.sleep(0)

    async def _profile(self, process: QueryProcess, child: str) -> None:
        least = self._received(process, child)
        shown, _ = await process.profile(child)
        assert shown >= least
        self.answers += 1

    async def _family(self, process: QueryProcess) -> None:
        least = [self._received(process, child) for child in CHILDREN]
        shown, _ = await process.family()
        assert all(int(one) >= at for one, at in zip(shown.split("/"), least, strict=True))
        self.answers += 1

    def _received(self, process: QueryProcess, child: str) -> int:
        """The version of the last notice that it received, or that it could have when it began to
        follow the feed: from there on it reads."""
        at = CHILDREN.index(child)
        notices = self.servers.topic[at][: process.received[at]]
        return max((notice.version for notice in notices), default=1)


async def _race(steps: list[Step]) -> int:
    """How often a process was answered by what another one had read."""
    servers = Servers()
    processes = [await servers.started(boot=100.0 * number) for number in range(PROCESSES)]
    for process in processes:
        process.waits = True
    race = Race(servers, processes)
    for what, child, number in steps:
        await race.step(what, child, processes[number])
    for process in processes:
        process.waits = False
        while process.gates:
            process.gates.pop().set()
    await asyncio.gather(*race.asking)
    for process in processes:
        await process.written()
    return sum(process.second.counts["lookup", "hit"] for process in processes)


def chosen(seed: int) -> list[Step]:
    chance = random.Random(seed)
    taken = chance.choices(list(STEPS), list(STEPS.values()), k=LONG)
    return [(what, chance.choice(CHILDREN), chance.randrange(PROCESSES)) for what in taken]


@pytest.mark.parametrize("seed", range(12))
def test_no_order_of_things_makes_an_answer_older_than_what_its_process_knows(seed: int) -> None:
    assert asyncio.run(_race(chosen(seed))) > 10


def test_such_races_do_share_answers() -> None:
    ask, end, lena = "ask", "end a read", CHILDREN[0]
    steps = [(ask, lena, 0), (end, lena, 0), (ask, lena, 1), (ask, lena, 2)]
    assert asyncio.run(_race(steps)) == 2
