"""Requests repeated across an upgrade: recognised by the keys that the former release stored."""

import asyncio
from dataclasses import dataclass, field, fields
from typing import Any

import pytest

from command_service.handlers import older_keys
from shared.event_store.envelope import Commit, NewCommit
from shared.event_store.port import OlderContent, StoreUnavailable
from tests.fakes.event_store import MemoryEventStore
from tests.support.child_facts import REGISTER
from tests.support.command_side import BEAR, MOTHER, CommandSide, Database
from tests.support.consents import CONSENTS
from tests.support.former_release import CHILD, ERASING, SENT, as_offered, put_former, repeated
from tests.support.problem_documents import assert_problem
from tests.support.waiting import SOON, eventually


@dataclass
class CountingStore(MemoryEventStore):
    """Tells in which order the store was asked what."""

    asked: list[str] = field(default_factory=list)
    away: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    async def append(self, commit: NewCommit) -> Commit:
        self.asked.append("append")
        return await super().append(commit)

    async def load(
        self, child_id: str, after_version: int = 0, limit: int | None = None
    ) -> list[Commit]:
        self.asked.append("load")
        return await super().load(child_id, after_version, limit)

    async def find_by_idempotency_key(self, key: str, older: str | None = None) -> Commit | None:
        self.asked.append("find")
        return await super().find_by_idempotency_key(key, older)

    async def has_older_keys(self) -> bool:
        if self.away:
            raise StoreUnavailable("no primary")
        return await super().has_older_keys()


async def upgraded(*, erased: bool = False, events: Any = None) -> CommandSide:
    """A process of today that starts on what the former release left."""
    database = Database(events=events or MemoryEventStore())
    await put_former(database, erased=erased)
    side = CommandSide(database)
    await side.ports.older_keys.look()
    return side


def name_of(sent: dict[str, Any]) -> str:
    return str(sent["key"])


@pytest.mark.parametrize("sent", SENT, ids=name_of)
async def test_a_request_of_before_is_answered_as_then(sent: dict[str, Any]):
    side = await upgraded()
    stored = await side.stored_events()
    again = await repeated(side, sent)
    assert (again.status_code, again.json()) == (sent["status"], sent["answer"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await side.stored_events() == stored


@pytest.mark.parametrize(
    ("sent", "changes"),
    [
        (SENT[0], {"name": "Eve"}),
        (SENT[0], {"udid": "TEDDY-0000-0002", "device_id": None}),
        (SENT[1], {"name": "Eve"}),
        (SENT[2], {"age": 8}),
        (SENT[3], {"severity": "high"}),
        (SENT[4], {"topic": "space"}),
    ],
)
async def test_another_request_under_a_key_of_before_is_refused(
    sent: dict[str, Any], changes: dict[str, Any]
):
    side = await upgraded()
    stored = await side.stored_events()
    refused = await repeated(side, sent, **changes)
    assert_problem(refused, 422, "idempotency-key-reused", "Idempotency-Key")
    assert await side.stored_events() == stored


@pytest.mark.parametrize("sent", SENT, ids=name_of)
async def test_once_the_child_is_erased_nobody_is_told_what_was_asked(sent: dict[str, Any]):
    # given
    side = await upgraded()
    async with side.client(MOTHER) as mother:
        await mother.send("DELETE", f"/children/{CHILD}/personal-data")
    # when
    answer = await repeated(side, sent)
    # then: to a bear it is not its child any more
    expected = (404, "child-not-found") if sent["by"] == "bear" else (410, "child-erased")
    assert_problem(answer, *expected)
    assert await side.database.claims.held_by([CHILD]) == set()


async def test_an_erasure_of_before_is_completed_by_its_repetition():
    # given
    side = await upgraded(erased=True)
    # when
    again = await repeated(side, ERASING)
    # then
    assert (again.status_code, again.json()) == (200, ERASING["answer"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await side.database.keys.find([CHILD]) == []
    (erased,) = await side.database.erased.find([CHILD])
    assert erased.older == {OlderContent.PRINTS, OlderContent.LABELS}


class Counted:
    """A store that notes what is asked of it."""

    def __init__(self, name: str, store: Any, asked: list[str]) -> None:
        self._name = name
        self._store = store
        self._asked = asked

    def __getattr__(self, called: str) -> Any:
        def noted(*arguments: Any, **named: Any) -> Any:
            self._asked.append(f"{self._name}.{called}")
            return getattr(self._store, called)(*arguments, **named)

        return noted


async def test_a_fresh_store_is_asked_for_nothing_more_than_before():
    # given
    asked: list[str] = []
    stores = _stores_of(Database())
    side = CommandSide(Database(**{n: Counted(n, store, asked) for n, store in stores.items()}))
    await side.ports.older_keys.look()
    body = {"name": "Ada", "age": 7, "udid": REGISTER.udid, "device_id": BEAR.subject}
    counts = []
    async with side.client(MOTHER) as mother, side.client(BEAR) as bear:
        # when
        asked.clear()
        registered = await mother.send(
            "POST", "/children", {**body, "consents": CONSENTS}, key="register-1"
        )
        counts.append(tuple(asked))
        at = f"/children/{registered.json()['child_id']}"
        report = {"type": "bullying", "severity": "low"}
        for client, method, path, content in (
            (mother, "PATCH", f"{at}/profile", {"age": 8}),
            (bear, "POST", f"{at}/conversations", {}),
            (bear, "POST", f"{at}/safety-violations", report),
        ):
            asked.clear()
            await client.send(method, path, content, key=f"a-key-{path}")
            counts.append(tuple(asked))
    # then
    registration = ("claims.take", "keys.insert", "events.append")
    assert counts == [registration, *[("events.append",)] * 3]


def _stores_of(database: Database) -> dict[str, Any]:
    return {each.name: getattr(database, each.name) for each in fields(database)}


async def test_after_an_upgrade_each_command_asks_once_for_both_forms_of_its_key():
    # given
    store = CountingStore()
    side = await upgraded(events=store)
    async with side.client(MOTHER) as mother:
        await mother.send("PATCH", f"/children/{CHILD}/profile", {"age": 8})
        store.asked.clear()
        # when
        await mother.send("PATCH", f"/children/{CHILD}/profile", {"age": 9}, key="nine-00001")
    # then
    assert store.asked == ["find", "append"]


async def test_a_key_that_a_process_of_before_stores_later_is_found(
    monkeypatch: pytest.MonkeyPatch,
):
    # given a process that started on an empty store, which goes away for a while
    monkeypatch.setattr(older_keys, "LOOK_SECONDS", 0.0)
    store = CountingStore(away=True)
    side = CommandSide(Database(events=store))
    looking = asyncio.create_task(side.ports.older_keys.keep_looking())
    await put_former(side.database)
    # when
    store.away = False

    async def found() -> bool:
        return side.ports.older_keys.exist

    await eventually(found)
    # then: there is nothing more to look for
    await asyncio.wait_for(looking, SOON)
    again = await repeated(side, SENT[1])
    assert (again.status_code, again.json()) == (200, SENT[1]["answer"])


async def test_what_a_process_of_before_appends_at_this_moment_is_found():
    # given: it carries out the same request between our look and our append
    side = await upgraded()
    fresh = Database(keys=side.database.keys, claims=side.database.claims)
    rename = await _commit_of(side, "rename-ada-1")
    offers = [one for one in await side.database.events.load(CHILD) if one is not rename]
    await fresh.events.append(as_offered(offers[0]))
    here = CommandSide(fresh)
    here.ports.older_keys.exist = True
    append = fresh.events.append

    async def overtaken(commit: NewCommit) -> Commit:
        fresh.events.append = append
        await append(as_offered(rename))
        stored: Commit = await append(commit)
        return stored

    fresh.events.append = overtaken
    # when
    again = await repeated(here, SENT[1])
    # then
    assert again.json() == SENT[1]["answer"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(await fresh.events.load(CHILD)) == 2


async def _commit_of(side: CommandSide, key: str) -> Commit:
    (sent,) = (one for one in SENT if one["key"] == key)
    version = sent["answer"]["version"]
    commits: list[Commit] = await side.database.events.load(CHILD)
    (commit,) = (one for one in commits if one.last_version == version)
    return commit
