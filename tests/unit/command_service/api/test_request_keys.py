"""What is kept of a request under an idempotency key, and what follows from the key."""

import asyncio
from typing import Any

import pytest

from command_service.api.command_route import RequestKeys
from shared.auth.access import Principal, Role
from shared.event_store.envelope import Commit, NewCommit
from shared.event_store.port import StoreUnavailable
from tests.fakes.event_store import MemoryEventStore
from tests.support.command_side import BEAR, CommandClient, CommandSide, Database
from tests.support.consents import BORN, CONSENTS
from tests.support.problem_documents import assert_problem

KEYS = RequestKeys(b"i" * 32)
OTHERS = RequestKeys(b"x" * 32)
KEY = "a-key-of-ours"
GOOD: dict[str, Any] = {"name": "Ada", "age": 7, "udid": "TEDDY-0000-0042", "consents": CONSENTS}
OTHER_BODIES: list[dict[str, Any]] = [
    {"age": 8},
    {"name": "Eve"},
    {"udid": "TEDDY-0000-0043"},
    {"device_id": "bear-43"},
    {"udid": "TEDDY-0000-0043", "device_id": "bear-43"},
]


def test_a_stored_key_is_told_from_those_of_before_and_is_nobodys_without_the_index_key():
    parent = Principal("p-1", Role.PARENT)
    stored = KEYS.stored(KEY, parent, "")
    assert stored.startswith("k-")
    different = {
        stored,
        KEYS.stored("another-key", parent, ""),
        KEYS.stored(KEY, Principal("p-2", Role.PARENT), ""),
        KEYS.stored(KEY, Principal("p-1", Role.ADMIN), ""),
        OTHERS.stored(KEY, parent, ""),
    }
    assert len(different) == 5


def test_the_key_of_a_bear_is_its_childs_whichever_bear_that_is():
    bear, other = Principal("bear-1", Role.DEVICE), Principal("bear-2", Role.DEVICE)
    assert KEYS.stored(KEY, bear, "child-1") == KEYS.stored(KEY, other, "child-1")
    assert KEYS.stored(KEY, bear, "child-1") != KEYS.stored(KEY, bear, "child-2")
    parent = Principal("p-1", Role.PARENT)
    assert KEYS.stored(KEY, parent, "child-1") == KEYS.stored(KEY, parent, "child-2")


async def _only(side: CommandSide) -> Commit:
    commits: list[Commit] = [commit async for commit in side.database.events.scan()]
    (commit,) = commits
    return commit


async def test_the_print_of_a_request_is_another_for_every_child(side: CommandSide):
    # given the same request under the same key, of two systems with the same index key
    first, second = side, CommandSide()
    commits = []
    for system in (first, second):
        async with system.client() as mother:
            await mother.send("POST", "/children", GOOD, key=KEY)
        commits.append((await _only(system)).idempotency)
    # then: the keys of the two children differ
    one, other = commits
    assert one is not None
    assert other is not None
    assert one.key == other.key
    assert one.fingerprint != other.fingerprint


@pytest.mark.parametrize("changes", OTHER_BODIES)
async def test_another_registration_under_a_key_harms_nothing_of_the_first(
    side: CommandSide, mother: CommandClient, changes: dict[str, Any]
):
    # given
    first = await mother.send("POST", "/children", {**GOOD, "device_id": "bear-42"}, key=KEY)
    claims = await _claims(side)
    # when: also of a process that does not know the child
    for process in (side, CommandSide(side.database)):
        async with process.client() as caller:
            body = {**GOOD, "device_id": "bear-42", **changes}
            refused = await caller.send("POST", "/children", body, key=KEY)
        # then
        assert_problem(refused, 422, "idempotency-key-reused", "Idempotency-Key")
    assert first.status_code == 201
    await _has_its_bear_alone(side, mother, first.json()["child_id"], changes)
    assert {key: claim for key, claim in (await _claims(side)).items() if key in claims} == claims


async def _claims(side: CommandSide) -> dict[str, Any]:
    """Reservations that are not given free, by key."""
    standing = side.database.claims._claims
    return {key: claim for key, claim in standing.items() if not claim.released}


async def _has_its_bear_alone(
    side: CommandSide, mother: CommandClient, child_id: str, changes: dict[str, Any]
) -> None:
    """The child's bear is reserved; the one that was refused may be another child's."""
    stranger = {**GOOD, "udid": "TEDDY-0000-0099", "device_id": None}
    taken = {"udid": GOOD["udid"]}, {"device_id": "bear-42"}
    for bear, code in zip(taken, ("udid-taken", "device-id-taken"), strict=True):
        assert_problem(await mother.send("POST", "/children", {**stranger, **bear}), 409, code)
    free = {field: changes[field] for field in ("udid", "device_id") if field in changes}
    response = await mother.send("POST", "/children", {**stranger, **free})
    assert response.status_code == 201, response.text
    assert response.json()["child_id"] != child_id


@pytest.mark.parametrize("changes", OTHER_BODIES)
@pytest.mark.parametrize("seed", range(6))
async def test_of_two_registrations_at_once_under_a_key_one_is_accepted_and_keeps_its_bear(
    seed: int, changes: dict[str, Any]
):
    # given two processes, and a clock that stands still: no two reservations differ by their time
    database = Database().interleaved(seed)
    sides = [CommandSide(database), CommandSide(database)]
    bodies = [{**GOOD, "device_id": "bear-42"}, {**GOOD, "device_id": "bear-42", **changes}]
    async with sides[0].client() as here, sides[1].client() as there:
        # when
        answers = await asyncio.gather(
            *(
                (here, there)[number // 2 % 2].send(
                    "POST", "/children", bodies[number % 2], key=KEY
                )
                for number in range(20)
            )
        )
        # then
        statuses = [answer.status_code for answer in answers]
        accepted = {number % 2 for number, status in enumerate(statuses) if status == 201}
        (winner,) = accepted
        assert statuses.count(201) == 10
        assert set(statuses) == {201, 422}
        assert len({answer.text for answer in answers if answer.status_code == 201}) == 1
        bear = {name: bodies[winner][name] for name in ("udid", "device_id")}
        for field, code in (("udid", "udid-taken"), ("device_id", "device-id-taken")):
            stranger = {**GOOD, "udid": "TEDDY-0000-0099", field: bear[field]}
            assert_problem(await here.send("POST", "/children", stranger), 409, code)


class Dying(MemoryEventStore):
    """A process dies at each append, until it does not."""

    dies = True

    async def append(self, commit: NewCommit) -> Commit:
        if self.dies:
            raise StoreUnavailable("no primary")
        return await super().append(commit)


@pytest.mark.parametrize("changes", [{}, *OTHER_BODIES])
async def test_what_never_landed_is_no_first_request(changes: dict[str, Any]):
    # given
    store = Dying()
    database = Database(events=store)
    async with CommandSide(database).client() as mother:
        assert (await mother.send("POST", "/children", GOOD, key=KEY)).status_code == 503
    store.dies = False
    # when: the same again, or corrected
    async with CommandSide(database).client() as mother:
        answer = await mother.send("POST", "/children", {**GOOD, **changes}, key=KEY)
    # then
    assert (answer.status_code, answer.json()["version"]) == (201, BORN)


async def test_a_repeated_report_is_known_and_another_one_under_its_key_is_not_taken_for_it(
    side: CommandSide, mother: CommandClient, child: str
):
    path = f"{child}/safety-violations"
    first = await mother.send("POST", path, {"type": "bullying", "severity": "low"}, key=KEY)
    # when
    again = await mother.send("POST", path, {"type": "bullying", "severity": "low"}, key=KEY)
    other = await mother.send("POST", path, {"type": "bullying", "severity": "high"}, key=KEY)
    # then
    assert again.json() == first.json()
    assert_problem(other, 422, "idempotency-key-reused", "Idempotency-Key")
    assert len(await side.stored_events()) == BORN + 1


async def test_another_conversation_under_a_key_is_refused_and_leaves_the_first_open(
    side: CommandSide, child: str
):
    path = f"{child}/conversations"
    async with side.client(BEAR) as bear:
        first = await bear.send("POST", path, {"topic": "space"}, key=KEY)
        # when
        again = await bear.send("POST", path, {"topic": "space"}, key=KEY)
        other = await bear.send("POST", path, {"topic": "music"}, key=KEY)
        end = await bear.send("POST", f"{path}/{first.json()['conversation_id']}/end")
    # then
    assert again.json() == first.json()
    assert_problem(other, 422, "idempotency-key-reused", "Idempotency-Key")
    assert end.status_code == 200


async def test_a_key_of_one_child_is_refused_for_another(mother: CommandClient):
    one, other = await mother.register(), await mother.register("TEDDY-0000-0002")
    await mother.send("PATCH", f"/children/{one}/profile", {"age": 8}, key=KEY)
    refused = await mother.send("PATCH", f"/children/{other}/profile", {"age": 8}, key=KEY)
    assert_problem(refused, 422, "idempotency-key-reused", "Idempotency-Key")
