"""Limits of single values, for the API's documentation as well, and their checks. All that is wrong
with a command is collected and reported at once."""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from command_service.child.errors import FieldError, InvalidCommand
from command_service.child.visible_names import is_seen
from shared.auth.access import SUBJECT_LIMIT, is_subject, is_uuid


@dataclass(frozen=True, slots=True)
class Limit:
    """Smallest and largest allowed, both inclusive: a value, or a length in characters."""

    minimum: int
    maximum: int

    def __str__(self) -> str:
        return f"{self.minimum}..{self.maximum}"

    def allows(self, amount: int) -> bool:
        return self.minimum <= amount <= self.maximum


AGE = Limit(3, 12)
NAME = Limit(2, 100)
UDID = Limit(10, 128)
UDID_PATTERN = rf"[!-~]{{{UDID.minimum},{UDID.maximum}}}"
UDID_LIMIT = f"{UDID} visible ASCII characters"
LABEL = Limit(1, 64)
"""A learning style, an interest, a topic, a type or category of violation, a skill."""
LABELS = Limit(0, 20)
NOTICE_VERSION = Limit(1, 32)
DETAILS = Limit(1, 2_000)
NOTE = Limit(1, 2_000)
REASON = Limit(1, 500)
WORD_COUNT = Limit(0, 10_000)
ALERT_COUNT = Limit(2, 100)
ALERT_WINDOW_HOURS = Limit(1, 720)
ALERT_CHANNELS = Limit(1, 3)
PREFERENCES_DEPTH = 4
PREFERENCES_BYTES = 8 * 1_024
PREFERENCES_LIMIT = f"JSON of at most {PREFERENCES_DEPTH} levels and {PREFERENCES_BYTES} bytes"

_UDID = re.compile(UDID_PATTERN)
_LARGEST_INTEGER = 2**63 - 1

_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


class FieldChecks:
    """Each check returns the value in its normal form, or notes what is wrong and goes on."""

    def __init__(self) -> None:
        self._errors: list[FieldError] = []

    def raise_errors(self) -> None:
        if self._errors:
            raise InvalidCommand(self._errors)

    def refuse(self, field: str, message: str, limit: str) -> None:
        self._errors.append(FieldError(field, message, limit))

    def number(self, field: str, value: int, limit: Limit) -> int:
        if not limit.allows(value):
            message = f"must be between {limit.minimum} and {limit.maximum}"
            self.refuse(field, message, str(limit))
        return value

    def name(self, field: str, value: str, limit: Limit) -> str:
        """NFKC and trimmed, with nothing in it that cannot be seen. What is too long as it was sent
        is refused as it is: normalising many marks on one letter takes the square of their number.
        """
        if len(value) > limit.maximum:
            return self._sized(field, value, limit)
        if not (value.isascii() and value.isprintable()):
            value = unicodedata.normalize("NFKC", value)
            if not is_seen(value):
                message = "must not contain invisible or unassigned characters"
                self.refuse(field, message, "visible characters")
                return value
        return self._sized(field, value.strip(), limit)

    def label(self, field: str, value: str, limit: Limit = LABEL) -> str:
        """One line, trimmed."""
        if not value.isprintable() and _contains(value, _UNPRINTABLE):
            self.refuse(field, "must not contain control characters", "one line")
            return value
        return self._trimmed(field, value, limit)

    def subject(self, field: str, value: str) -> str:
        """As tokens name parents and bears. Nothing is trimmed: two forms would be one person."""
        if not is_subject(value):
            self.refuse(field, f"must have {SUBJECT_LIMIT}", SUBJECT_LIMIT)
        return value

    def udid(self, field: str, value: str) -> str:
        """As printed on a bear. Nothing is trimmed: two forms would be one bear."""
        if not _UDID.fullmatch(value):
            self.refuse(field, f"must have {UDID_LIMIT}", UDID_LIMIT)
        return value

    def labels(self, field: str, values: Sequence[str], limit: Limit) -> tuple[str, ...]:
        """`limit`: of how many there are."""
        if not limit.allows(len(values)):
            self.refuse(field, f"must have at most {limit.maximum} entries", f"{limit} entries")
            return ()
        return tuple(self.label(f"{field}.{place}", value) for place, value in enumerate(values))

    def text(self, field: str, value: str, limit: Limit) -> str:
        """Free text of any number of lines, trimmed."""
        if not value.isprintable() and _contains(value, {"Cs"}):
            self.refuse(field, "must not contain an unpaired surrogate", "valid Unicode")
            return value
        return self._trimmed(field, value, limit)

    def text_or_nothing(self, field: str, value: str, limit: Limit) -> str | None:
        """Free text; blanks alone are none."""
        value = value.strip()
        return self.text(field, value, limit) if value else None

    def uuid(self, field: str, value: str) -> str:
        value = value.lower()
        if not is_uuid(value):
            self.refuse(field, "must be a UUID", "36 characters")
        return value

    def known_id(self, _field: str, value: str) -> str:
        """Of something that there is, or nothing: looked up in the form in which ids are kept."""
        return value.lower()

    def preferences(self, field: str, value: Mapping[str, Any]) -> dict[str, Any]:
        problem = _what_is_not_plain(value, PREFERENCES_DEPTH)
        if problem is not None:
            self.refuse(field, problem, PREFERENCES_LIMIT)
            return {}
        compact = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if len(compact.encode("utf-8", "surrogatepass")) > PREFERENCES_BYTES:
            message = f"must not exceed {PREFERENCES_BYTES} bytes as JSON"
            self.refuse(field, message, PREFERENCES_LIMIT)
        return dict(value)

    def _trimmed(self, field: str, value: str, limit: Limit) -> str:
        """What is too long as it was sent is not made shorter."""
        return self._sized(field, value if len(value) > limit.maximum else value.strip(), limit)

    def _sized(self, field: str, value: str, limit: Limit) -> str:
        if not limit.allows(len(value)):
            message = f"must have {limit.minimum} to {limit.maximum} characters"
            self.refuse(field, message, f"{limit} characters")
        return value


@dataclass(frozen=True, slots=True)
class Checked:
    """In the annotation of a command's field: how its value is checked and brought into normal
    form.

    `check`: a method of FieldChecks, or a function of the same shape. `request_name`: what requests
    call the field, where that is another name."""

    check: Callable[..., Any]
    limit: Limit | None = None
    request_name: str | None = None

    def normal(self, checks: FieldChecks, field: str, value: Any) -> Any:
        path = self.request_name or field
        if self.limit is None:
            return self.check(checks, path, value)
        return self.check(checks, path, value, self.limit)


def _contains(text: str, categories: frozenset[str] | set[str]) -> bool:
    return any(unicodedata.category(character) in categories for character in text)


def _what_is_not_plain(value: Any, depth_left: int) -> str | None:
    """What keeps `value` from being JSON of at most `depth_left` levels of objects and lists."""
    match value:
        case None | bool():
            return None
        case str():
            return "must not contain an unpaired surrogate" if _has_surrogate(value) else None
        case int():
            return None if abs(value) <= _LARGEST_INTEGER else "must contain only 64-bit integers"
        case float():
            return None if math.isfinite(value) else "must contain finite numbers only"
        case dict() | list():
            return _what_is_not_plain_within(value, depth_left)
        case _:
            return "must be plain JSON"


def _what_is_not_plain_within(value: dict[Any, Any] | list[Any], depth_left: int) -> str | None:
    if depth_left == 0:
        return f"must not nest deeper than {PREFERENCES_DEPTH} levels"
    inner = value.values() if isinstance(value, dict) else value
    problems = (_what_is_not_plain(entry, depth_left - 1) for entry in inner)
    if isinstance(value, dict):
        keys_are_text = all(isinstance(key, str) and not _has_surrogate(key) for key in value)
        if not keys_are_text:
            return "must have plain text as keys"
    return next((problem for problem in problems if problem is not None), None)


def _has_surrogate(text: str) -> bool:
    return not text.isprintable() and _contains(text, {"Cs"})
