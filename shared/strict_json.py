"""JSON that has one meaning only: no name twice, no NaN, no abyss.

RFC 8259 leaves all of these open, and parsers differ: what one reader checks, another may not see.
"""

import json
import re
from typing import Any

MOST_LEVELS = 16
OPENING, CLOSING = frozenset({b"[", b"{"}), frozenset({b"]", b"}"})

_PIECES = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
"""Texts and brackets. A text that never ends is one piece up to the end: no byte is read twice."""


class JsonRefused(ValueError):
    """What is wrong with the text, without any of it."""


def read_json(raw: bytes) -> Any:
    """The value of `raw`. Raises JsonRefused unless it is one unambiguous JSON text in UTF-8."""
    # the bound comes first: parsers recurse
    if raw.count(b"[") + raw.count(b"{") > MOST_LEVELS:
        _check_depth(raw)
    try:
        return _DECODER.decode(raw.decode())
    except JsonRefused:
        raise
    except UnicodeDecodeError:
        raise JsonRefused("must be UTF-8") from None
    except (ValueError, RecursionError):
        raise JsonRefused("must be JSON") from None


def _check_depth(raw: bytes) -> None:
    depth = 0
    for piece in _PIECES.findall(raw):
        if piece in OPENING:
            depth += 1
        elif piece in CLOSING:
            depth -= 1
        if depth > MOST_LEVELS:
            raise JsonRefused(f"must not nest deeper than {MOST_LEVELS} levels")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonRefused("must not name a field twice")
    return found


def _constant(_name: str) -> float:
    raise JsonRefused("must hold finite numbers only")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
