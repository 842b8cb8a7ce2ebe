"""No column of SQL holds what is personal, and each is a field of its read model."""

from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

from query_service.sql.tables import TABLES, Column, Kind, Table
from shared.events.personal import IS_FROM_OPENED, IS_SEALED
from shared.read_models.documents import (
    ActivityDocument,
    AlertDocument,
    ChildDocument,
    ConversationDocument,
    Model,
    ViolationDocument,
)

DOCUMENTS = {
    Model.CHILDREN: ChildDocument,
    Model.CONVERSATIONS: ConversationDocument,
    Model.VIOLATIONS: ViolationDocument,
    Model.ACTIVITY: ActivityDocument,
    Model.ALERTS: AlertDocument,
}
COLUMNS = [(table, column) for table in TABLES for column in table.columns]
EACH = pytest.mark.parametrize(
    ("table", "column"), COLUMNS, ids=[f"{table.name}.{column.name}" for table, column in COLUMNS]
)


def _marks(hint: Any) -> set[Any]:
    """What is said of a field's type, also inside NotRequired and Optional."""
    marks = set(getattr(hint, "__metadata__", ()))
    inside = [hint.__origin__] if get_origin(hint) is Annotated else get_args(hint)
    return marks.union(*(_marks(each) for each in inside if not isinstance(each, str)))


@EACH
def test_no_column_is_personal_or_made_of_what_is_sealed(table: Table, column: Column) -> None:
    hints = get_type_hints(DOCUMENTS[table.model], include_extras=True)
    assert not _marks(hints[column.field]) & {IS_SEALED, IS_FROM_OPENED}


@EACH
def test_an_id_is_a_pseudonym(table: Table, column: Column) -> None:
    is_id = column.field == "_id" or column.field.endswith("_id") or column.field == "id"
    assert is_id == (column.kind is Kind.PSEUDONYM)


def test_the_marks_of_personal_fields_are_seen() -> None:
    hints = get_type_hints(ChildDocument, include_extras=True)
    personal = {name for name, hint in hints.items() if _marks(hint)}
    assert {"name", "name_tokens", "age", "udid", "device_id", "violation_categories"} <= personal
