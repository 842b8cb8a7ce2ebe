"""A child's history and read models as tables or as one JSON document, printed as they are read."""

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click
import orjson

from projection_worker.projections.registry import ChildView, contribution
from projection_worker.replay.documents import SEARCH_TOKENS, Personals, documents_of
from shared.clock import iso
from shared.command_line import Table
from shared.event_store.envelope import Commit, RecordedEvent
from shared.read_models.documents import Model
from shared.serialization.cloud_events import to_structured
from shared.serialization.schema import SEALED, sealed_field

KNOWN_ALREADY = frozenset({"_id", "child_id", "at"})
ROWS_A_TABLE = 100
"""So that the first lines come at once, and none waits for the width of the last."""

NEWEST_BY = {
    Model.CONVERSATIONS: "started_at",
    Model.VIOLATIONS: "at",
    Model.ACTIVITY: "day",
    Model.ALERTS: "raised_at",
}
"""Of what a child has many documents."""

Page = Sequence[tuple[Commit, RecordedEvent]]


@dataclass(frozen=True, slots=True)
class Span:
    """Versions `first` to `last` of a child are shown. `point`: the version that its read models
    are shown at; `end`: the child's newest."""

    child_id: str
    first: int
    last: int
    point: int
    end: int


Shown = dict[str, list[dict[str, Any]]]
"""Of a child's documents, by model."""


@dataclass(slots=True)
class _Display:
    """What a history is written to: its pages in order, then the read models that it adds up to."""

    span: Span
    personals: Personals
    most_documents: int


@dataclass(slots=True)
class JsonDisplay(_Display):
    """One document: `{child_id, version, from_version, to_version, history: [CloudEvents with
    actor], read_models: {model: [documents]}, more: {model: number}, counts_for: {counter:
    number}}`; `history` with a line for each event."""

    between: bytes = b""

    def begin(self) -> None:
        about = {
            "child_id": self.span.child_id,
            "version": self.span.point,
            "from_version": self.span.first,
            "to_version": self.span.last,
        }
        click.echo(orjson.dumps(about)[:-1] + b',"history":[', nl=False)

    def page(self, page: Page) -> None:
        for commit, event in page:
            line = {
                **to_structured(event),
                "actor": {"subject": commit.actor.subject, "role": commit.actor.role},
                "data": _content(event, self.personals),
            }
            click.echo(self.between + b"\n" + orjson.dumps(line), nl=False)
            self.between = b","

    def end(self, view: ChildView) -> None:
        shown, more = shown_documents(view, self.personals, self.most_documents)
        rest = {"read_models": shown, "more": more, "counts_for": dict(contribution(view.child))}
        click.echo(b"],\n" + orjson.dumps(rest, option=orjson.OPT_INDENT_2)[2:])


class TableDisplay(_Display):
    def begin(self) -> None:
        """Nothing stands before the first table."""

    def page(self, page: Page) -> None:
        for first in range(0, len(page), ROWS_A_TABLE):
            self._print(page[first : first + ROWS_A_TABLE])

    def end(self, view: ChildView) -> None:
        self._print_rest()
        shown, more = shown_documents(view, self.personals, self.most_documents)
        point = self.span.point
        for model, some in shown.items():
            _print_documents(f"{model} at version {point}", some)
            if model in more:
                click.echo(f"and {more[model]:,} more {model}: see --documents")
        counted = {name: n for name, n in contribution(view.child).items() if n}
        _print_documents(f"counted in the system at version {point}", [counted])

    def _print(self, page: Page) -> None:
        first, last = page[0][1].version, page[-1][1].version
        table = Table(
            "version",
            "event\nschema",
            "happened\nrecorded",
            "by\ncorrelation",
            "what",
            title=f"child {self.span.child_id}, versions {first} to {last}",
            lines=True,
        )
        for commit, event in page:
            table.add(
                str(event.version),
                f"{event.type}\nv{event.schema_version}",
                f"{iso(event.occurred_at)}\n{iso(event.recorded_at)}",
                f"{commit.actor.role} {commit.actor.subject}\n{event.correlation_id}",
                in_words(_content(event, self.personals)),
            )
        table.print()

    def _print_rest(self) -> None:
        span = self.span
        if span.first > 1:
            click.echo(f"versions 1 to {span.first - 1:,} are not shown: see --from-version, --all")
        if span.last < span.point:
            beyond = f"versions {span.last + 1:,} to {span.point:,}"
            click.echo(f"{beyond} are not shown: see --limit, --all")


def shown_documents(
    view: ChildView, personals: Personals, most: int
) -> tuple[Shown, dict[str, int]]:
    """Of each model the newest `most`, in the order of their ids; how many more each model has."""
    by_model: dict[Model, list[dict[str, Any]]] = defaultdict(list)
    for (model, _), document in documents_of(view).items():
        by_model[model].append(document)
    shown: Shown = {}
    more: dict[str, int] = {}
    for model, documents in sorted(by_model.items()):
        newest = documents
        if len(documents) > most:
            newest = heapq.nlargest(most, documents, key=lambda one: one[NEWEST_BY[model]])
        shown[model.value] = [
            personals.shown({n: v for n, v in one.items() if n not in SEARCH_TOKENS})
            for one in sorted(newest, key=lambda one: str(one["_id"]))
        ]
        if len(documents) > len(newest):
            more[model.value] = len(documents) - len(newest)
    return shown, more


def _print_documents(title: str, documents: list[dict[str, Any]]) -> None:
    table = Table("field", "value", title=title)
    for document in documents:
        for name, value in document.items():
            table.add(name, _value(value))
        table.end_section()
    table.print()


def _content(event: RecordedEvent, personals: Personals) -> dict[str, Any]:
    """The event's own fields; sealed ones as operators may see them."""
    content = orjson.loads(event.data)
    return {
        name: personals.opened(
            f"{event.version}.{name}.{value[SEALED]}", sealed_field(event.type, name, content)
        )
        if isinstance(value, dict) and SEALED in value
        else value
        for name, value in content.items()
        if name not in KNOWN_ALREADY
    }


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
    return orjson.dumps(value, default=iso, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()
