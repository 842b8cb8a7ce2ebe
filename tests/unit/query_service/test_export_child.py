"""A family takes away all that is stored about its child, and nobody else does."""

import dataclasses
from typing import Any, cast

import orjson
import pytest

from shared.clock import iso
from shared.events.child import ChildErased, ChildEvent
from shared.events.personal import Personal
from shared.read_models.documents import (
    ActivityDocument,
    AlertDocument,
    ChildDocument,
    ConversationDocument,
    SafetyDocument,
    ViolationDocument,
    ViolationEntry,
)
from shared.serialization.schema import STAFF
from tests.support.event_samples import CHILD, EVENTS
from tests.support.exported_child import write_events
from tests.support.exports import document_of
from tests.support.query_side import ADMIN, OFFICER, QuerySide, parent
from tests.support.read_model_builders import safety_document, sealed, violation

EXPORT = f"/v1/children/{CHILD}/export"
FAMILY = parent("parent-1")
LIVED = tuple(event for event in EVENTS if not isinstance(event, ChildErased))


@pytest.fixture
async def lived(side: QuerySide) -> QuerySide:
    """A child to whom everything happened that can happen but the end."""
    await side.child(CHILD, parent_id=FAMILY.subject, name="Zoë", learning_style="visual")
    cipher = await side.keyring.create(CHILD)
    await write_events(side, LIVED, child_id=CHILD)
    details = sealed(cipher, CHILD, "details", "said his address")
    note = sealed(cipher, CHILD, "note", "a line of a song")
    reason = sealed(cipher, CHILD, "reason", "heard again")
    put_safety(side, violation("v1", details=details), note=note, reason=reason)
    side.conversation(CHILD, "talk-1")
    side.activity(CHILD, "2026-11-23")
    side.alert("a1", child_id=CHILD, parent_id=FAMILY.subject)
    return side


def put_safety(side: QuerySide, *violations: ViolationEntry, **more: Any) -> None:
    """As projections from 7 on keep it: each violation is a document of its own; `more` fields of
    each."""
    kept = {"reopenings": 1, "resolved_by": "officer-1", "assignee": "officer-2", **more}
    safety: dict[str, Any] = {**safety_document(CHILD), "told_late": 0}
    safety.pop("violations", None)
    side.store.safety_documents[CHILD] = cast(SafetyDocument, safety)
    for one in violations:
        identity = f"{CHILD}/{one['id']}"
        document = {**one, **kept, "_id": identity, "child_id": CHILD}
        side.store.violations[identity] = cast(ViolationDocument, document)


async def exported_to(side: QuerySide, path: str = EXPORT) -> dict[str, Any]:
    async with side.client(FAMILY) as client:
        return await document_of(await client.get(path))


@pytest.mark.parametrize("number", range(len(LIVED)), ids=[type(one).__name__ for one in LIVED])
async def test_every_field_of_every_event_is_in_the_export(lived: QuerySide, number: int):
    export = await exported_to(lived)

    event, exported = LIVED[number], export["events"][number]
    assert (exported["type"], exported["version"]) == (type(event).__name__, number + 1)
    assert {"child_id": export["child_id"], **exported["data"]} == _in_clear(event)


async def test_what_was_made_of_the_events_is_in_the_export(lived: QuerySide):
    export = await exported_to(lived)

    assert export["profile"]["name"] == "Zoë"
    assert export["profile"]["learning_style"] == "visual"
    assert export["profile"]["udid"] == "teddy-000042"
    (one,) = export["safety"]["violations"]
    said = (one["details"], one["note"], one["reason"])
    assert said == ("said his address", "a line of a song", "heard again")
    assert [one["conversation_id"] for one in export["conversations"]] == ["talk-1"]
    assert [one["day"] for one in export["activity"]] == ["2026-11-23"]
    (alert,) = export["alerts"]
    assert alert["raised_at"] == iso(lived.store.alerts["a1"]["raised_at"])


@pytest.mark.parametrize(
    ("document", "part"),
    [
        (ChildDocument, "profile"),
        (SafetyDocument, "safety"),
        (ViolationDocument, "violations"),
        (ConversationDocument, "conversations"),
        (ActivityDocument, "activity"),
        (AlertDocument, "alerts"),
    ],
)
async def test_every_field_of_every_read_model_is_in_the_export(
    lived: QuerySide, document: type[Any], part: str
):
    export = await exported_to(lived)
    exported = {**export, "violations": export["safety"]["violations"]}[part]
    fields = exported[0] if isinstance(exported, list) else exported

    not_of_the_child = {"_id", "child_id", "name_tokens", "awaits_live", "removed"}
    not_of_the_child |= {"resolved_by", "assignee"}  # who of the staff it was
    assert fields.keys() == document.__annotations__.keys() - not_of_the_child
    assert "officer-" not in str(export)


async def test_nothing_sealed_is_in_the_export(lived: QuerySide):
    content = orjson.dumps(await exported_to(lived))

    for stored in (*lived.store.children.values(), *lived.store.safety_documents.values()):
        for value in _texts(stored):
            if value.count(".") >= 2:  # version.field.ciphertext
                assert value.encode() not in content


async def test_a_child_without_incidents_has_no_safety_part(side: QuerySide):
    await side.child("lena", parent_id=FAMILY.subject)

    export = await exported_to(side, "/v1/children/lena/export")

    assert (export["safety"], export["events"], export["alerts"]) == (None, [], [])


async def test_an_export_is_a_file_that_nobody_keeps(lived: QuerySide):
    answer = await lived.get(EXPORT, FAMILY)

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="child-{CHILD}.jsonl"'
    assert answer.headers["X-Cache"] == "miss"
    assert answer.headers["Content-Type"] == "application/jsonl"
    assert await exported_to(lived) == await document_of(answer)
    assert lived.cache.statistics().size == 0


async def test_only_the_family_and_admins_get_it(lived: QuerySide):
    answers = {}
    for principal in (parent("stranger"), OFFICER, ADMIN):
        answers[principal.subject] = (await lived.get(EXPORT, principal)).status_code

    assert list(answers.values()) == [404, 403, 200]


async def test_of_an_erased_child_there_is_none(lived: QuerySide):
    await lived.destroy_key(CHILD)

    assert (await lived.get(EXPORT, FAMILY)).status_code == 404


async def test_an_export_is_on_record(lived: QuerySide):
    await exported_to(lived)

    (entry,) = lived.audit.entries
    assert (entry.operation, entry.outcome) == ("ExportChild", "answered")
    assert entry.subject == FAMILY.subject


def _in_clear(event: ChildEvent) -> Any:
    values = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    values = {name: one for name, one in values.items() if name not in {"at", *STAFF}}
    opened = {n: v.reveal() if isinstance(v, Personal) else v for n, v in values.items()}
    return orjson.loads(orjson.dumps(opened, default=iso, option=orjson.OPT_PASSTHROUGH_DATETIME))


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []
