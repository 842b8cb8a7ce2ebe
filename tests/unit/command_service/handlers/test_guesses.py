"""Whoever has the commits, the audit trail and the key file confirms no guess about an erased
child. The same attack confirms them from commits of earlier releases, so it is able to."""

from dataclasses import asdict
from typing import Any

import orjson

from shared.audit.record import line_of
from shared.event_store.commit_documents import to_document
from tests.support.command_side import BEAR, KEYS, MOTHER, CommandSide, Database
from tests.support.consents import CONSENTS
from tests.support.former_release import CHILD, SENT, put_former
from tests.support.guesses import Loot, Sent, confirmed, values_of

UDID = "TEDDY-0000-0001"
GUESSES = {
    "name": "Ada",
    "new name": "Ada Lovelace",
    "udid": UDID,
    "device id": BEAR.subject,
    "details": "he hit me",
    "reason": "The bear was given away.",
    "preference": "space",
}
REGISTRATION = {
    "name": "Ada",
    "age": 7,
    "udid": UDID,
    "device_id": BEAR.subject,
    "interests": ["space"],
    "consents": CONSENTS,
}


async def _loot(side: CommandSide) -> Loot:
    """All that stays on the write side, and what the audit trail holds."""
    database = side.database
    commits = database.events._commits.values()
    kept = [
        *map(to_document, commits),
        *map(asdict, database.claims._claims.values()),
        *map(asdict, database.snapshots._snapshots.values()),
        *map(asdict, await database.keys.find({one.child_id for one in commits})),
        *map(asdict, await database.erased.page("", 100)),
        *(orjson.loads(line_of(entry.content(1))) for entry in side.audit.entries),
    ]
    return Loot.of(values_of(kept))


def _sent(by: Any, key: str, method: str, path: str, body: Any) -> Sent:
    return Sent(by.role.value, by.subject, key, method, f"/v1{path}", body)


async def test_nothing_about_an_erased_child_can_be_confirmed_by_guessing():
    # given a child that everything happened to, each under a key
    side = CommandSide()
    requests: list[Sent] = []
    async with side.client(MOTHER) as mother, side.client(BEAR) as bear:

        async def done(by: Any, method: str, path: str, body: Any = None) -> Any:
            key = f"a-key-of-{len(requests)}"
            answer = await (bear if by is BEAR else mother).send(method, path, body, key=key)
            assert answer.status_code < 300, answer.text
            requests.append(_sent(by, key, method, path, body))
            return answer.json()

        at = f"/children/{(await done(MOTHER, 'POST', '/children', REGISTRATION))['child_id']}"
        await done(MOTHER, "PATCH", f"{at}/profile", {"name": "Ada Lovelace"})
        await done(MOTHER, "PATCH", f"{at}/profile", {"name": "Ada Lovelace"})
        report = {"type": "bullying", "severity": "low", "details": "he hit me"}
        await done(BEAR, "POST", f"{at}/safety-violations", report)
        await done(BEAR, "POST", f"{at}/conversations", {"topic": "dinosaurs"})
        await done(MOTHER, "POST", f"{at}/deactivation", {"reason": "The bear was given away."})
        await done(MOTHER, "POST", f"{at}/reactivation")
        assert {"udid", "device id"} <= confirmed(await _loot(side), KEYS, GUESSES)
        # when
        await mother.send("DELETE", f"{at}/personal-data")
    # then
    assert confirmed(await _loot(side), KEYS, GUESSES, requests) == set()


async def test_commits_of_earlier_releases_confirm_guesses_also_after_the_erasure():
    # given
    side = CommandSide(Database())
    await put_former(side.database)
    requests = [
        _sent(BEAR if one["by"] == "bear" else MOTHER, one["key"], one["method"], one["path"], body)
        for one in SENT
        if (body := one["body"]) is not None
    ]
    # when
    async with side.client(MOTHER) as mother:
        await mother.send("DELETE", f"/children/{CHILD}/personal-data")
    # then
    paths = {f"{one.method} {one.path}" for one in requests}
    assert confirmed(await _loot(side), KEYS, GUESSES, requests) == {"device id", *paths}
