"""Many callers who want to change one child: what they hear over HTTP."""

import asyncio

from command_service.application import Tuning
from command_service.bus.child_queues import QueueLimits
from shared.event_store.envelope import Commit, NewCommit
from shared.event_store.port import VersionConflict
from tests.fakes.event_store import MemoryEventStore
from tests.support.command_side import CommandClient, CommandSide, Database
from tests.support.consents import BORN, CONSENTS
from tests.support.problem_documents import assert_problem


class OvertakenEventStore(MemoryEventStore):
    """Once it is `busy` another process is faster each time."""

    busy = False

    async def append(self, commit: NewCommit) -> Commit:
        if self.busy:
            raise VersionConflict(commit.child_id, commit.expected.version)
        return await super().append(commit)


async def test_who_is_overtaken_each_time_gets_when_to_come_again():
    # given
    store = OvertakenEventStore()
    side = CommandSide(Database(events=store))
    async with side.client() as mother:
        profile = f"/children/{await mother.register()}/profile"
        store.busy = True
        # when
        overtaken = await mother.send("PATCH", profile, {"age": 8}, key="eight-it-is")
        store.busy = False
        again = await mother.send("PATCH", profile, {"age": 8}, key="eight-it-is")
    # then
    assert_problem(overtaken, 409, "concurrent-update")
    assert overtaken.headers["Retry-After"] == "1"
    assert (again.status_code, "Idempotency-Replayed" in again.headers) == (200, False)


async def test_conflicts_that_stay_do_not_ask_to_come_again(mother: CommandClient):
    # given
    child = f"/children/{await mother.register()}"
    await mother.send("POST", f"{child}/deactivation", {"reason": "moved on"})
    refused = {
        "already-deactivated": ("POST", f"{child}/deactivation", {"reason": "moved on"}),
        "child-deactivated": ("PATCH", f"{child}/profile", {"age": 8}),
        "consent-required": (
            "POST",
            "/children",
            {"name": "Bo", "age": 6, "udid": "TEDDY-0000-0002", "consents": []},
        ),
    }
    for code, (method, path, body) in refused.items():
        # when
        response = await mother.send(method, path, body)
        # then
        assert_problem(response, 409, code)
        assert "Retry-After" not in response.headers


async def test_who_finds_no_place_gets_when_to_come_again_and_was_not_heard():
    # given
    tuning = Tuning(timeout_seconds=60, queues=QueueLimits(per_child=4, in_all=4, seconds=60))
    side = CommandSide(Database().interleaved(seed=1), tuning=tuning)
    async with side.client() as mother:
        profile = f"/children/{await mother.register()}/profile"
        # when
        ages = [4 + number % 8 for number in range(20)]
        answers = await asyncio.gather(
            *(mother.send("PATCH", profile, {"age": age}) for age in ages)
        )
    # then
    done = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer not in done]
    assert (len(done), len(refused)) == (4, 16)  # one under way, and a caller's share waits
    for answer in refused:
        assert_problem(answer, 503, "child-busy")
        assert answer.headers["Retry-After"] == "1"
    changed = [answer for answer in done if answer.json()["events"]]
    assert len(await side.stored_events()) == BORN + len(changed)


async def test_a_busy_child_takes_no_place_from_others():
    # given
    side = CommandSide(Database().interleaved(seed=1))
    async with side.client() as mother:
        busy = f"/children/{await mother.register()}/profile"
        # when
        body = {"name": "Bo", "age": 6, "udid": "TEDDY-0000-0002", "consents": CONSENTS}
        *changes, other = await asyncio.gather(
            *(mother.send("PATCH", busy, {"age": 4 + number % 8}) for number in range(50)),
            mother.send("POST", "/children", body),
        )
    # then
    assert {answer.status_code for answer in changes} == {200}
    assert other.status_code == 201
