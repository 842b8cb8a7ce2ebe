"""The OpenAPI documents of both APIs say what everything in them means."""

from collections.abc import Iterator
from typing import Any

import pytest

from query_service.queries.answers import FIELDS
from tests.support.command_side import CommandSide
from tests.support.query_side import QuerySide

DOCUMENTS: dict[str, dict[str, Any]] = {
    "command": CommandSide().app.openapi(),
    "query": QuerySide().app.openapi(),
}
EACH = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)


def _fields(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for model, schema in document["components"]["schemas"].items():
        for name, field in schema.get("properties", {}).items():
            yield model, name, field


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


@EACH
def test_every_field_of_every_model_is_described(document: dict[str, Any]) -> None:
    undescribed = [f"{model}.{name}" for model, name, f in _fields(document) if not _says(f)]
    assert undescribed == []
    assert len(list(_fields(document))) > 40


@EACH
def test_every_operation_and_every_parameter_is_described(document: dict[str, Any]) -> None:
    undescribed = [
        f"{name} {part.get('name', '')}"
        for name, operation in _operations(document)
        for part in (operation, *operation.get("parameters", ()))
        if not _says(part)
    ]
    assert undescribed == []


def test_nothing_in_the_glossary_is_said_for_nobody() -> None:
    said = {
        name for _, name, f in _fields(DOCUMENTS["query"]) if f["description"] == FIELDS.get(name)
    }
    assert said == set(FIELDS)


@pytest.mark.parametrize("model", ["Registration", "ProfileChanges", "ChildProfile"])
def test_device_id_is_the_subject_of_the_bear_s_token(model: str) -> None:
    told = [f for d in DOCUMENTS.values() for m, name, f in _fields(d) if (m, name) == (model, ID)]
    assert [field["description"].startswith(SUBJECT) for field in told] == [True]


def test_what_a_registration_needs_is_required_of_it() -> None:
    registration = DOCUMENTS["command"]["components"]["schemas"]["Registration"]
    assert set(registration["required"]) == {"name", "age", "udid", "consents"}


ID, SUBJECT = "device_id", "The subject of the bear's token"


def _says(part: dict[str, Any]) -> bool:
    return len(part.get("description", "")) >= len("Sums.")
