"""POST /v1/commands:batch."""

import asyncio
from contextlib import ExitStack
from typing import Any

import pytest

from command_service.api.batch import BATCHES_AT_A_TIME
from command_service.api.batch_run import TOGETHER
from shared.auth.access import Principal, Role
from shared.event_store.envelope import Commit, NewCommit
from shared.event_store.port import StoreUnavailable
from tests.fakes.event_store import MemoryEventStore
from tests.support.batches import PATH, a_talk, codes, item, send, statuses
from tests.support.command_side import (
    ADMIN,
    ANALYST,
    BEAR,
    MOTHER,
    OFFICER,
    CommandClient,
    CommandSide,
    Database,
)
from tests.support.consents import BORN, CONSENTS
from tests.support.problem_documents import assert_problem
from tests.support.rate_limits import limits_of

LONG = 2 * TOGETHER + 5
"""Messages: more than are offered to the store at once."""


async def _streams(side: CommandSide) -> list[tuple[str, tuple[str, ...]]]:
    """Actor and events of every commit, in order."""
    commits = [commit async for commit in side.database.events.scan()]
    return [(c.actor.role, tuple(event.type for event in c.events)) for c in commits]


async def test_a_batch_leaves_what_the_same_commands_leave_one_by_one():
    # given
    single, together = CommandSide(), CommandSide()
    answers = []
    for side in (single, together):
        async with side.client() as mother, side.client(BEAR) as bear:
            child = await mother.register()
            items = a_talk(child, LONG, "0b8f5a4e-9a57-4c3b-8d55-1f0a3c1d2e4f")
            # when
            if side is single:
                results = [(await send(bear, [each]))[0] for each in items]
            else:
                results = await send(bear, items)
        answers.append([{**each["answer"], "child_id": ""} for each in results])
    # then
    assert answers[0] == answers[1]
    assert await _streams(single) == await _streams(together)


async def test_each_commit_has_the_key_of_its_own_command(side: CommandSide):
    # given
    async with side.client() as mother, side.client(BEAR) as bear:
        child = await mother.register()
        items = a_talk(child, 5)
        # when
        results = await send(bear, items)
        # then: and so each may be repeated at its own route
        talk = items[1]["path"]["conversation_id"]
        path = f"/children/{child}/conversations/{talk}/messages"
        again = await bear.send("POST", path, items[3]["body"], key=items[3]["idempotency_key"])
        other = await bear.send("POST", path, items[4]["body"], key=items[3]["idempotency_key"])
    assert again.json() == results[3]["answer"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Consistency-Token"] == results[3]["consistency_token"]
    assert_problem(other, 422, "idempotency-key-reused")


async def test_what_was_sent_at_its_own_route_is_not_done_again_in_a_batch(side: CommandSide):
    # given
    async with side.client() as mother, side.client(BEAR) as bear:
        child = await mother.register()
        items = a_talk(child, 4)
        start, key = items[0]["body"], items[0]["idempotency_key"]
        await bear.send("POST", f"/children/{child}/conversations", start, key=key)
        # when
        results = await send(bear, items)
    # then
    assert codes(results) == ["replayed", *["done"] * 5]
    assert len(await side.stored_events()) == BORN + 6


@pytest.mark.parametrize("done", [1, 40, LONG])
async def test_a_repeated_batch_does_only_what_was_not_done(side: CommandSide, done: int):
    # given
    async with side.client() as mother, side.client(BEAR) as bear:
        child = await mother.register()
        items = a_talk(child, LONG)
        await send(bear, items[:done])
        # when
        results = await send(bear, items)
    # then
    assert codes(results) == ["replayed"] * done + ["done"] * (LONG + 2 - done)
    assert [each["answer"]["version"] for each in results] == [
        BORN + n + 1 for n in range(LONG + 2)
    ]


async def test_commands_of_one_child_keep_their_order_and_others_go_on_meanwhile(side: CommandSide):
    # given
    async with side.client(ADMIN) as admin, side.client(OFFICER) as officer:
        children = [await admin.register(f"TEDDY-0000-001{n}", parent_id=f"p{n}") for n in range(5)]
        report = {"type": "content", "severity": "low"}
        items = [
            item("ReportSafetyViolation", f"{child}-{n}", report, child_id=child)
            for n in range(7)
            for child in children
        ]
        # when
        results = await send(officer, items)
    # then
    for child in children:
        versions = [
            each["answer"]["version"] for each in results if each["answer"]["child_id"] == child
        ]
        assert versions == [BORN + n + 1 for n in range(7)]


async def test_a_refused_command_does_not_keep_the_next_from_being_executed(side: CommandSide):
    # given
    async with side.client() as mother, side.client(BEAR) as bear:
        child = await mother.register()
        good, unknown = a_talk(child, 3), a_talk(child, 1)[1]
        # when
        results = await send(bear, [*good[:2], unknown, *good[2:]])
    # then
    assert codes(results) == ["done", "done", "conversation-not-found", "done", "done", "done"]
    assert statuses(results) == [201, 201, 404, 201, 201, 200]
    problem = results[2]["problem"]
    assert problem["instance"].endswith("/messages")
    assert problem["correlation_id"]
    assert "retry_after" not in results[2]


async def test_what_changes_nothing_has_no_events_and_keeps_its_key(
    side: CommandSide, mother: CommandClient
):
    # given
    child = await mother.register()
    age = [item("UpdateChildProfile", f"age-{n}", {"age": 8}, child_id=child) for n in range(3)]
    # when
    first, again = await send(mother, age), await send(mother, age)
    # then
    assert [each["answer"]["events"] for each in first] == [["ChildProfileUpdated"], [], []]
    assert codes(again) == ["replayed"] * 3


async def test_every_item_that_is_no_command_says_what_is_wrong_with_it(
    side: CommandSide, bear: CommandClient, mother: CommandClient
):
    # given
    child = await mother.register()
    talk = {"child_id": child, "conversation_id": "0b8f5a4e-9a57-4c3b-8d55-1f0a3c1d2e4f"}
    body = {"role": "child", "word_count": 3}
    wrong: dict[str, dict[str, Any]] = {
        "command": item("Record", "a", body, **talk),
        "path.conversation_id": item("RecordMessage", "b", body, child_id=child),
        "path.violation_id": item("RecordMessage", "c", body, **talk, violation_id="x"),
        "child_id": item("RecordMessage", "d", body, **talk | {"child_id": "a b"}),
        "word_count": item("RecordMessage", "e", {"role": "child"}, **talk),
        "Idempotency-Key": item("RecordMessage", "f", body, **talk) | {"idempotency_key": "short"},
        "body": item("EndConversation", "g", {"why": 1}, **talk),
    }
    # when
    results = await send(bear, [*wrong.values(), *a_talk(child, 1)])
    # then
    assert [each["problem"]["errors"][0]["field"] for each in results[:7]] == list(wrong)
    assert statuses(results) == [422] * 7 + [201, 201, 200]
    assert "a b" not in str(results)


async def test_text_without_bytes_is_one_items_problem(side: CommandSide, mother: CommandClient):
    # given
    child = await mother.register()
    raw = (
        b'{"commands": [{"command": "UpdateChildProfile", "idempotency_key": "12345678",'
        b' "path": {"child_id": "%s"}, "body": {"name": "\\ud800"}}]}' % child.encode()
    )
    # when
    response = await mother.send("POST", PATH, raw=raw)
    # then
    assert_problem(response, 400, "invalid-json")


async def test_a_batch_has_a_bounded_number_of_commands_and_bytes(mother: CommandClient):
    child = await mother.register()
    age = item("UpdateChildProfile", "age", {"age": 8}, child_id=child)
    for commands, code, field in (
        ([], "invalid-request", "commands"),
        ([age] * 1_001, "invalid-request", "commands"),
        ([age | {"more": 1}], "invalid-request", "commands.0.more"),
        ([{"command": "EraseChild"}], "invalid-request", "commands.0.idempotency_key"),
    ):
        # when
        response = await mother.send("POST", PATH, {"commands": commands})
        # then
        assert_problem(response, 422, code, field)
    heavy = age | {"body": {"learning_style": "x" * 1_024 * 1_024}}
    response = await mother.send("POST", PATH, {"commands": [heavy]})
    assert_problem(response, 413, "body-too-large", "body", "1048576 bytes")


async def test_a_batch_has_no_key_of_its_own_and_no_parameters(mother: CommandClient):
    body = {"commands": [item("EraseChild", "erase", child_id="x")]}
    keyed = await mother.send("POST", PATH, body, key="of-the-batch")
    asked = await mother.send("POST", f"{PATH}?dry_run=1", body)
    assert_problem(keyed, 422, "invalid-request", "Idempotency-Key")
    assert_problem(asked, 422, "invalid-request", "dry_run")


async def test_who_may_send_no_command_may_send_no_batch(side: CommandSide):
    async with side.client(ANALYST) as analyst, side.client(None) as stranger:
        body = {"commands": [item("EraseChild", "erase", child_id="x")]}
        assert_problem(await analyst.send("POST", PATH, body), 403, "forbidden")
        assert_problem(await stranger.send("POST", PATH, body), 401, "unauthenticated")


async def test_each_command_counts_against_the_callers_rate():
    # given
    side = CommandSide(limits=limits_of(commands="10/minute", registration="2/hour"))
    async with side.client() as mother:
        child = await mother.register()
        ages = [item("UpdateChildProfile", f"a{n}", {"age": 8}, child_id=child) for n in range(8)]
        # when
        fits = await mother.send("POST", PATH, {"commands": ages})
        too_many = await mother.send("POST", PATH, {"commands": ages[:3]})
        bears = [
            item("RegisterChild", f"r{n}", {"name": "Bo", "age": 6, "udid": f"TEDDY-{n}"})
            for n in range(2)
        ]
        of_registrations = await mother.send("POST", PATH, {"commands": bears})
    # then
    assert fits.headers["RateLimit"].startswith('"commands";r=2;')
    assert_problem(too_many, 429, "too-many-requests")
    assert_problem(of_registrations, 429, "too-many-requests")


async def test_a_caller_has_one_batch_at_a_time():
    # given
    side = CommandSide(Database().interleaved(seed=1))
    async with side.client() as mother, side.client(ADMIN) as admin:
        child = await mother.register()
        ages = [item("UpdateChildProfile", "age", {"age": 8}, child_id=child)]
        # when
        *mothers, other = await asyncio.gather(
            *(mother.send("POST", PATH, {"commands": ages}) for _ in range(3)),
            admin.send("POST", PATH, {"commands": ages}),
        )
        later = await mother.send("POST", PATH, {"commands": ages})
    # then
    assert sorted(each.status_code for each in mothers) == [200, 429, 429]
    assert (other.status_code, later.status_code) == (200, 200)


async def test_registrations_in_a_batch_are_those_of_their_own_route(
    side: CommandSide, mother: CommandClient
):
    # given
    bo = {"name": "Bo", "age": 6, "udid": "TEDDY-0000-0009", "consents": CONSENTS}
    bears = [item("RegisterChild", f"r{n}", bo) for n in range(2)]
    # when
    results = await send(mother, bears)
    again = await mother.send("POST", "/children", bo, key=bears[0]["idempotency_key"])
    # then
    assert sorted(statuses(results)) == [201, 409]
    if results[0]["status"] == 201:
        assert again.json() == results[0]["answer"]


class AwayEventStore(MemoryEventStore):
    """Lets `lasting` commits in, and is away then; with `lost`, what was offered landed first."""

    def __init__(self, lost: bool) -> None:
        super().__init__()
        self.lasting: int | None = None
        self._lost = lost

    async def append(self, commit: NewCommit) -> Commit:
        if self.lasting is None:
            return await super().append(commit)
        if self.lasting == 0:
            raise StoreUnavailable("no primary")
        self.lasting -= 1
        stored = await super().append(commit)
        if self._lost and self.lasting == 0:
            raise StoreUnavailable("connection reset")
        return stored

    async def append_in_order(self, commits: Any) -> int:
        if self.lasting is None or self.lasting >= len(commits):
            self.lasting = None if self.lasting is None else self.lasting - len(commits)
            return await super().append_in_order(commits)
        landed, self.lasting = self.lasting, 0
        await super().append_in_order(commits[:landed])
        raise StoreUnavailable("no primary")


@pytest.mark.parametrize("lasting", [0, 1, 3, TOGETHER + 3])
@pytest.mark.parametrize("lost", [False, True])
async def test_nothing_overtakes_a_command_that_was_not_confirmed(lasting: int, lost: bool):
    # given
    store = AwayEventStore(lost)
    side = CommandSide(Database(events=store))
    async with side.client() as mother, side.client(BEAR) as bear:
        child = await mother.register()
        items = a_talk(child, LONG)
        # when
        store.lasting = lasting
        before = await send(bear, items)
        store.lasting = None
        after = await send(bear, items)
    # then: what was executed is the beginning, and what was not says when to come again
    executed = codes(before).count("done") + codes(before).count("replayed")
    assert codes(before)[executed:] == [
        "store-unavailable",
        *["not-attempted"] * (len(items) - executed - 1),
    ]
    assert {each["retry_after"] for each in before[executed:]} == {1}
    assert {each["status"] for each in before[executed:]} == {503}
    assert [each["answer"]["version"] for each in after] == [
        BORN + n + 1 for n in range(len(items))
    ]
    assert len(await side.stored_events()) == BORN + len(items)


@pytest.mark.parametrize("seed", range(5))
async def test_two_processes_with_one_child_lose_no_command_and_do_none_twice(seed: int):
    # given
    database = Database().interleaved(seed)
    one, another = CommandSide(database), CommandSide(database)
    async with one.client() as mother, one.client(BEAR) as bear, another.client(BEAR) as twin:
        child = await mother.register()
        items = [a_talk(child, 60), a_talk(child, 60)]
        # when
        results = await asyncio.gather(send(bear, items[0]), send(twin, items[1]))
        for client, batch, latest in zip((bear, twin), items, results, strict=True):
            result = latest
            while any("retry_after" in each for each in result):
                result = await send(client, batch)
            assert {each["status"] for each in result} == {200, 201}
    # then
    stored = await one.stored_events()
    assert stored.count("MessageRecorded") == 120
    assert len(stored) == BORN + 124


async def test_each_command_of_a_batch_is_recorded_and_counted_once(side: CommandSide):
    # given
    async with side.client() as mother, side.client(BEAR) as bear:
        child = await mother.register()
        unknown = a_talk(child, 1)[1]
        # when
        await send(bear, [*a_talk(child, 2), unknown])
    # then
    entries = side.audit.entries[1:]
    assert [(each.operation, each.outcome) for each in entries] == [
        ("StartConversation", "accepted"),
        ("RecordMessage", "accepted"),
        ("RecordMessage", "accepted"),
        ("EndConversation", "accepted"),
        ("RecordMessage", "conversation-not-found"),
    ]
    assert {each.children for each in entries} == {(child,)}
    assert {each.address for each in entries} == {"127.0.0.1"}
    accepted = {"command": "RecordMessage", "outcome": "accepted"}
    assert side.registry.get_sample_value("teddy_commands_total", accepted) == 2


async def test_a_batch_of_which_nothing_became_a_command_is_recorded_itself(side: CommandSide):
    # when
    async with side.client(MOTHER) as mother:
        await send(mother, [item("Nothing", "a")])
    # then
    assert [(e.operation, e.outcome) for e in side.audit.entries] == [("SendCommands", "answered")]


async def test_a_number_that_is_too_large_deletes_nothing(side: CommandSide, mother: CommandClient):
    # given
    child = await mother.register()
    before = len(await side.stored_events())
    for body in (b'{"device_id": 1e999}', b'{"preferences": {"a": -1e999}}'):
        raw = (
            b'{"commands": [{"command": "UpdateChildProfile", "idempotency_key": "12345678",'
            b' "path": {"child_id": "%s"}, "body": %s}]}' % (child.encode(), body)
        )
        # when
        (result,) = (await mother.send("POST", PATH, raw=raw)).json()["results"]
        # then
        assert result["problem"]["errors"][0]["message"] == "must contain finite numbers only"
    assert len(await side.stored_events()) == before


async def test_a_body_that_consists_of_errors_has_a_short_answer(mother: CommandClient):
    # when
    many = await mother.send("POST", PATH, {"commands": [{}] * 300_000})
    none = {"purpose": "account"}
    bear = {"name": "Bo", "age": 6, "udid": "TEDDY-0000-0009", "consents": [none] * 2_000}
    (of_one,) = await send(mother, [item("RegisterChild", "r", bear)])
    (too_large,) = await send(mother, [item("RegisterChild", "r", bear | {"name": "x" * 70_000})])
    # then
    assert_problem(many, 422, "invalid-request")
    assert len(many.content) < 1_000
    assert len(str(of_one)) < 1_000
    assert (of_one["status"], too_large["status"]) == (422, 413)


async def test_a_body_that_is_left_out_is_left_out_at_the_commands_own_route_too(
    bear: CommandClient, mother: CommandClient
):
    # given
    child = await mother.register()
    for key, body in (("left-out", None), ("empty-one", {})):
        # when
        await send(bear, [item("StartConversation", key, body, child_id=child)])
        raw = None if body is None else b"{}"
        path = f"/children/{child}/conversations"
        again = await bear.send("POST", path, raw=raw, key=f"{key:->8}")
        # then
        assert again.headers["Idempotency-Replayed"] == "true", again.text


async def test_no_command_is_executed_that_cannot_be_recorded(side: CommandSide):
    # given
    async with side.client() as mother, side.client(BEAR) as bear:
        child = await mother.register()
        side.audit.most = 40
        # when
        results = await send(bear, a_talk(child, LONG))
    # then
    executed = codes(results).count("done")
    assert executed == 39
    assert len(side.audit.entries) == 40
    assert codes(results)[executed:] == [
        "audit-unavailable",
        *["not-attempted"] * (LONG + 2 - executed - 1),
    ]


async def test_a_batch_ends_in_time(side: CommandSide, monkeypatch: pytest.MonkeyPatch):
    # given
    monkeypatch.setattr("command_service.api.batch_run.SECONDS", -1.0)
    async with side.client() as mother, side.client(BEAR) as bear:
        child = await mother.register()
        # when
        results = await send(bear, a_talk(child, 3))
    # then
    assert codes(results) == ["not-attempted"] * 5
    assert {each["retry_after"] for each in results} == {1}


async def test_new_commands_between_those_done_before_are_not_offered_in_vain(
    side: CommandSide, monkeypatch: pytest.MonkeyPatch
):
    # given
    async with side.client() as mother, side.client(BEAR) as bear:
        child = await mother.register()
        start, *messages, _ = a_talk(child, 200)
        await send(bear, [start, *messages[::2]])
        offered: list[int] = []
        append = side.database.events.append_in_order

        async def counting(commits: Any) -> int:
            offered.append(len(commits))
            landed: int = await append(commits)
            return landed

        monkeypatch.setattr(side.database.events, "append_in_order", counting)
        # when
        results = await send(bear, messages)
    # then
    assert codes(results) == ["replayed", "done"] * 100
    assert sum(offered) < 600


async def test_a_process_with_many_batches_says_so_to_one_more(side: CommandSide):
    # given
    places = side.app.state.batches
    others = [Principal(f"parent-{n}", Role.PARENT) for n in range(BATCHES_AT_A_TIME)]
    with ExitStack() as held:
        for other in others:
            held.enter_context(places.turn(other))
        # when
        async with side.client() as mother:
            response = await mother.send("POST", PATH, {"commands": [item("EraseChild", "a")]})
    # then
    assert_problem(response, 503, "overloaded")


async def test_a_refused_batch_costs_nothing_of_the_rate():
    # given
    side = CommandSide(limits=limits_of(commands="10/minute"))
    async with side.client() as mother:
        child = await mother.register()
        ages = [item("UpdateChildProfile", f"a{n}", {"age": 8}, child_id=child) for n in range(20)]
        # when
        refused = await mother.send("POST", PATH, {"commands": ages})
        fits = await mother.send("POST", PATH, {"commands": ages[:8]})
    # then
    assert_problem(refused, 429, "too-many-requests")
    assert fits.status_code == 200
