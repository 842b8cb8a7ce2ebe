"""What is wrong with a field, in words for people; and JSON read strictly."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

MOST_LEVELS = 16
TOO_DEEP = f"must not nest deeper than {MOST_LEVELS} levels"


class JsonRefused(ValueError):
    """What is wrong with the text, without any of it."""


def read_json(raw: bytes) -> Any:
    """The value of `raw`. Raises JsonRefused unless it is one unambiguous JSON text in UTF-8.

    RFC 8259 leaves all that is refused here open, and parsers differ: what one reader checks,
    another may not see.
    """
    try:
        value = _DECODER.decode(raw.decode())
    except JsonRefused:
        raise
    except UnicodeDecodeError:
        raise JsonRefused("must be UTF-8") from None
    except RecursionError:
        raise JsonRefused(TOO_DEEP) from None
    except ValueError:
        raise JsonRefused("must be JSON") from None
    if raw.count(b"[") + raw.count(b"{") > MOST_LEVELS:
        _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    """Level by level: whatever recurses over the value later is safe."""
    level = _containers([value])
    for _ in range(MOST_LEVELS):
        level = _containers(
            each for one in level for each in (one.values() if isinstance(one, dict) else one)
        )
    if level:
        raise JsonRefused(TOO_DEEP)


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonRefused("must not contain a field twice")
    return found


def _constant(_name: str) -> float:
    raise JsonRefused("must contain finite numbers only")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)

OF_THE_HOUSE = "of_the_house"
"""The type of errors whose message is in these words already."""

_QUOTED = re.compile(r"'([^']*)'")


@dataclass(frozen=True, slots=True)
class Wording:
    """What is wrong, to be read after the field's name; and what would have been right."""

    message: str
    limit: str | None = None


def refused(message: str, limit: str) -> PydanticCustomError:
    """For validators to raise. `message` begins with `must`, as in `must be between 3 and 12`."""
    return PydanticCustomError(OF_THE_HOUSE, "{message}", {"message": message, "limit": limit})


def wording_of(error: Mapping[str, Any]) -> Wording:
    """Of one of the `errors()` of Pydantic's ValidationError, whatever its type."""
    kind, context = error["type"], error.get("ctx") or {}
    if kind in _FIXED:
        return _FIXED[kind]
    worded = _FROM_CONTEXT.get(kind)
    return Wording("is not valid") if worded is None else worded(context)


def _counted(number: Any, what: str) -> str:
    many = f"{what.removesuffix('y')}ies" if what.endswith("y") else f"{what}s"
    return f"{number} {what if number == 1 else many}"


def _bound(words: str, name: str, what: str = "") -> Callable[[Mapping[str, Any]], Wording]:
    """`words` before the bound that the context has under `name`; `what`: what is counted."""
    verb = "have" if what else "be"

    def worded(context: Mapping[str, Any]) -> Wording:
        limit = f"{words} {_counted(context[name], what) if what else context[name]}"
        return Wording(f"must {verb} {limit}", limit)

    return worded


def _one_of(context: Mapping[str, Any]) -> Wording:
    known = ", ".join(_QUOTED.findall(context["expected"])) or str(context["expected"])
    return Wording(f"must be one of {known}", known)


_FIXED: Mapping[str, Wording] = {
    kind: wording
    for wording, kinds in {
        Wording("required"): "missing missing_argument",
        Wording("unknown field"): "extra_forbidden unexpected_keyword_argument",
        Wording(
            "must be an integer", "integer"
        ): "int_type int_parsing int_parsing_size int_from_float",
        Wording("must be a number", "number"): "float_type float_parsing decimal_type",
        Wording("must be a finite number", "finite number"): "finite_number",
        Wording("must be text", "text"): "string_type string_unicode bytes_type",
        Wording("must have text as keys", "text as keys"): "invalid_key",
        Wording("must be true or false", "true or false"): "bool_type bool_parsing",
        Wording(
            "must be an object", "object"
        ): "dict_type mapping_type model_type model_attributes_type dataclass_type",
        Wording("must be an array", "array"): "list_type tuple_type iterable_type",
        Wording("must not nest so deeply"): "recursion_loop recursion_depth_exceeded",
    }.items()
    for kind in kinds.split()
}
_FROM_CONTEXT: Mapping[str, Callable[[Mapping[str, Any]], Wording]] = {
    "greater_than_equal": _bound("at least", "ge"),
    "greater_than": _bound("above", "gt"),
    "less_than_equal": _bound("at most", "le"),
    "less_than": _bound("below", "lt"),
    "multiple_of": _bound("a multiple of", "multiple_of"),
    "string_too_short": _bound("at least", "min_length", "character"),
    "string_too_long": _bound("at most", "max_length", "character"),
    "string_pattern_mismatch": _bound("of the form", "pattern"),
    "too_short": _bound("at least", "min_length", "entry"),
    "too_long": _bound("at most", "max_length", "entry"),
    "enum": _one_of,
    "literal_error": _one_of,
    "value_error": lambda context: Wording(str(context["error"])),
    OF_THE_HOUSE: lambda context: Wording(context["message"], context["limit"]),
}
