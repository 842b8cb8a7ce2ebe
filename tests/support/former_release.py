"""A child called Ada, her mother and her bear, as the release before left them that kept prints of
requests under the index key: recorded from that release over HTTP."""

import base64
from pathlib import Path
from typing import Any

import orjson

from shared.clock import parse_iso
from shared.event_store.commit_documents import from_document
from shared.event_store.envelope import Commit, NewCommit, StreamPosition
from shared.event_store.port import Claim
from shared.keyring.key_store import WrappedKey
from tests.support.command_side import BEAR, MOTHER, CommandClient, CommandSide, Database

FORMER: dict[str, Any] = orjson.loads(
    (Path(__file__).parents[1] / "golden/commits/keyed_by_the_index_key.v1.json").read_bytes()
)
CHILD: str = FORMER["sent"][0]["answer"]["child_id"]
SENT: list[dict[str, Any]] = [one for one in FORMER["sent"] if one["method"] != "DELETE"]
(ERASING,) = (one for one in FORMER["sent"] if one["method"] == "DELETE")
CALLERS = {"mother": MOTHER, "bear": BEAR}


async def put_former(database: Database, *, erased: bool = False) -> None:
    """Commits, key and reservations as the former release stored them, its request to erase the
    child too if `erased`: that release died then, before anything was removed."""
    for one in FORMER["keys"]:
        wrapped = base64.b64decode(one["wrapped"])
        await database.keys.insert(WrappedKey(one["child_id"], one["kek_id"], wrapped))
    for one in FORMER["claims"]:
        await database.claims.take(Claim(**{**one, "claimed_at": parse_iso(one["claimed_at"])}))
    for document in FORMER["commits"] + (FORMER["erasing"] if erased else []):
        commit = from_document(_with_times(document))
        assert await database.events.append(as_offered(commit)) == commit


async def repeated(side: CommandSide, sent: dict[str, Any], **changes: Any) -> Any:
    """The answer of `side` to the same request once more, its body with `changes`."""
    async with side.client(CALLERS[sent["by"]]) as client:
        return await send(client, sent, **changes)


async def send(client: CommandClient, sent: dict[str, Any], **changes: Any) -> Any:
    body = {**sent["body"], **changes} if sent["body"] is not None else None
    return await client.send(sent["method"], sent["path"], body, key=sent["key"])


def _with_times(document: dict[str, Any]) -> dict[str, Any]:
    events = [{**one, "occurred_at": parse_iso(one["occurred_at"])} for one in document["events"]]
    return {**document, "events": events, "recorded_at": parse_iso(document["recorded_at"])}


def as_offered(commit: Commit) -> NewCommit:
    return NewCommit(
        child_id=commit.child_id,
        expected=StreamPosition(commit.first_version - 1, commit.previous_hash),
        events=commit.events,
        recorded_at=commit.recorded_at,
        actor=commit.actor,
        causality=commit.causality,
        idempotency=commit.idempotency,
        result=commit.result,
    )
