"""A child's preferences as a form has them: one a line, `name: value`.

A value is JSON where it can be read as such, else a text.
"""

from collections.abc import Mapping
from typing import Any

import orjson

MOST_BYTES = 8 * 1_024


def preferences_of(text: str) -> dict[str, Any] | None:
    """None where there are none. Raises ValueError."""
    found: dict[str, Any] = {}
    for line in filter(str.strip, text.split("\n")):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or not name or name in found:
            raise ValueError
        found[name] = _value(value)
    try:
        size = len(orjson.dumps(found))
    except orjson.JSONEncodeError:  # nested too deeply
        raise ValueError from None
    if size > MOST_BYTES:
        raise ValueError
    return found or None


def lines_of(preferences: Mapping[str, Any] | None) -> str | None:
    """None where lines cannot say them, e.g. a name with a colon."""
    lines = "\n".join(f"{name}: {_shown(value)}" for name, value in (preferences or {}).items())
    try:
        again = preferences_of(lines)
    except ValueError:
        return None
    return lines if orjson.dumps(again or None) == orjson.dumps(preferences or None) else None


def _value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _shown(value: Any) -> str:
    """A text as it is, unless it would be read as something else."""
    if isinstance(value, str) and _value(value.strip()) == value and "\n" not in value:
        return value
    return orjson.dumps(value).decode()
