"""No error of Pydantic's reaches anybody in its own words."""

import pytest
from pydantic_core._pydantic_core import list_all_errors

from shared.field_wording import refused, wording_of

ALL = {str(error["type"]): error for error in list_all_errors()}
FOREIGN = ("Input", "String", "should", "valid dictionary", "Extra", "permitted", "Field required")


@pytest.mark.parametrize("kind", sorted(ALL))
def test_every_error_that_pydantic_knows_is_worded_here(kind: str):
    known = ALL[kind]
    error = {"type": kind, "ctx": known["example_context"], "msg": known["message_template_python"]}
    wording = wording_of(error)
    assert wording.message
    assert wording.message != error["msg"]
    assert not any(word in wording.message for word in FOREIGN)


@pytest.mark.parametrize(
    ("kind", "context", "message", "limit"),
    [
        ("missing", None, "required", None),
        ("int_from_float", None, "must be an integer", "integer"),
        ("string_too_long", {"max_length": 64}, "must have at most 64 characters", "64 characters"),
        ("too_short", {"min_length": 1}, "must have at least 1 entry", "1 entry"),
        ("too_short", {"min_length": 2}, "must have at least 2 entries", "2 entries"),
        ("literal_error", {"expected": "'a', 'b' or 'c'"}, "must be one of a, b, c", "a, b, c"),
        ("value_error", {"error": ValueError("must be even")}, "must be even", None),
        ("of_a_kind_that_is_new", {}, "is not valid", None),
    ],
)
def test_a_field_is_told_what_would_have_been_right(
    kind: str, context: object, message: str, limit: str | None
):
    wording = wording_of({"type": kind, "ctx": context, "msg": "Input should be otherwise"})

    assert wording.message == message
    assert wording.limit is None if limit is None else limit in str(wording.limit)


def test_a_validator_of_the_house_is_quoted_as_it_is():
    error = refused("must be {of} ours", "ours")

    wording = wording_of({"type": error.type, "ctx": error.context, "msg": error.message()})

    assert (wording.message, wording.limit) == ("must be {of} ours", "ours")
