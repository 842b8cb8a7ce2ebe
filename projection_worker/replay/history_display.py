"""A child's history and read models as tables, or as one JSON document."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson

from projection_worker.projections.system import contribution
from projection_worker.replay.child_history import ChildHistory
from projection_worker.replay.folding import documents_of
from projection_worker.replay.personal_values import Personals
from shared.clock import iso
from shared.cloud_events import to_structured
from shared.codec import SEALED
from shared.envelope import Commit, RecordedEvent
from shared.tables import Table

KNOWN_ALREADY = frozenset({"_id", "child_id", "at"})


def as_json(history: ChildHistory, personals: Personals) -> dict[str, Any]:
    """`{child_id, version, history: [CloudEvents with actor], read_models: {model: [documents]},
    counts_for: {counter: number}}`."""
    return {
        "child_id": history.child_id,
        "version": history.events[-1].version,
        "history": [
            {
                **to_structured(event),
                "actor": {"subject": commit.actor.subject, "role": commit.actor.role},
                "data": _content(event, personals),
            }
            for commit, event in _with_commits(history)
        ],
        "read_models": _documents(history, personals),
        "counts_for": dict(contribution(history.view.child)),
    }


def print_tables(history: ChildHistory, personals: Personals) -> None:
    last = history.events[-1].version
    table = Table(
        "version",
        "event\nschema",
        "happened\nrecorded",
        "by\ncorrelation",
        "what",
        title=f"child {history.child_id}, versions 1 to {last}",
        lines=True,
    )
    for commit, event in _with_commits(history):
        table.add(
            str(event.version),
            f"{event.type}\nv{event.schema_version}",
            f"{iso(event.occurred_at)}\n{iso(event.recorded_at)}",
            f"{commit.actor.role} {commit.actor.subject}\n{event.correlation_id}",
            in_words(_content(event, personals)),
        )
    table.print()
    for model, documents in _documents(history, personals).items():
        _print_documents(f"{model} at version {last}", documents)
    counted = {name: n for name, n in contribution(history.view.child).items() if n}
    _print_documents(f"counted in the system at version {last}", [counted])


def _print_documents(title: str, documents: list[dict[str, Any]]) -> None:
    table = Table("field", "value", title=title)
    for document in documents:
        for name, value in document.items():
            table.add(name, _value(value))
        table.end_section()
    table.print()


def _with_commits(history: ChildHistory) -> Iterator[tuple[Commit, RecordedEvent]]:
    versions = {event.version for event in history.events}
    for commit in history.commits:
        for event in commit.recorded_events():
            if event.version in versions:
                yield commit, event


def _content(event: RecordedEvent, personals: Personals) -> dict[str, Any]:
    """The event's own fields; sealed ones as operators may see them."""
    return {
        name: personals.opened(f"{event.version}.{name}.{value[SEALED]}")
        if isinstance(value, dict) and SEALED in value
        else value
        for name, value in orjson.loads(event.data).items()
        if name not in KNOWN_ALREADY
    }


def _documents(history: ChildHistory, personals: Personals) -> dict[str, list[dict[str, Any]]]:
    by_model: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for (model, _), document in sorted(documents_of(history.view).items()):
        shown = {n: v for n, v in document.items() if n != "name_tokens"}
        by_model[model.value].append(personals.shown(shown))
    return dict(by_model)


def in_words(content: dict[str, Any]) -> str:
    """What an event changed, e.g. `age 9, name (sealed)`; what is empty says nothing."""
    return ", ".join(f"{name} {_value(value)}" for name, value in content.items() if value != [])


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        return "\n".join(_value(one) for one in value)
    return orjson.dumps(value, default=_time, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def _time(value: Any) -> str:
    if isinstance(value, datetime):
        return iso(value)
    raise TypeError(f"{type(value).__name__} has no text")
