"""What the forms of a child's account say: the commands that they stand for, or what is wrong.

The limits are those that the command API documents; it checks all of it again.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from query_service.pages.commands import Sent
from query_service.pages.preferences import preferences_of
from query_service.pages.site import Form
from shared.client.calls import path_of
from shared.events.child import AlertChannel, ConsentMethod, Severity

PRINT_BYTES = 8
_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """Of a number, or of how many characters or entries there are; both ends included."""

    least: int
    most: int

    def number(self, text: str) -> int:
        """Raises ValueError."""
        text = text.strip()
        if not (_NUMBER.fullmatch(text) and self.least <= int(text) <= self.most):
            raise ValueError
        return int(text)

    def text(self, text: str) -> str:
        """Trimmed. Raises ValueError."""
        text = text.strip()
        if not self.least <= len(text) <= self.most:
            raise ValueError
        return text


AGE = Span(3, 12)
NAME = Span(2, 100)
LABEL = Span(1, 64)
INTERESTS = Span(0, 20)
REASON = Span(1, 500)
ALERT_COUNT = Span(2, 100)
ALERT_WINDOW_HOURS = Span(1, 720)


@dataclass(frozen=True, slots=True)
class Notice:
    """The privacy notice in force, where it can be read, and how the operator makes sure who a
    parent is before it signs in."""

    version: str
    url: str
    method: ConsentMethod


@dataclass(frozen=True, slots=True)
class Change:
    """A command about one child. `kind`: of the form that it is from."""

    kind: str
    method: str
    segments: tuple[str, ...]
    body: Mapping[str, Any] | None = None

    def sent(self, child: str, version: str) -> Sent:
        """`version`: the child's, as the form was shown. The same form with the same content is one
        command; when the child has moved on it is another."""
        content = "" if self.body is None else f"-{print_of(self.body)}"
        key = f"{'-'.join((self.kind, *self.segments[1:]))}-{child}-{version}{content}"
        return Sent(self.method, path_of("children", child, *self.segments), key, self.body)


@dataclass(frozen=True, slots=True)
class Wrong:
    """Fields of a form that nothing can be done with."""

    fields: tuple[str, ...]


Read = Change | Wrong | None
"""None: the form changes nothing."""


def print_of(value: Any) -> str:
    """Of a value as a form shows it: what is sent back with the same one was not changed."""
    content = orjson.dumps(value or None, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=PRINT_BYTES).hexdigest()


def _label_or_nothing(text: str) -> str | None:
    return LABEL.text(text) if text.strip() else None


def _interests(text: str) -> list[str] | None:
    lines = [LABEL.text(line) for line in text.split("\n") if line.strip()]
    INTERESTS.number(str(len(lines)))
    return lines or None


PROFILE: Mapping[str, Callable[[str], Any]] = {
    "name": NAME.text,
    "age": AGE.number,
    "learning_style": _label_or_nothing,
    "interests": _interests,
    "preferences": preferences_of,
}


def profile(form: Form) -> Read:
    """Only what is not as it was shown; what is empty now is removed."""
    changed, wrong = _read({name: read for name, read in PROFILE.items() if name in form}, form)
    changed = {
        name: value
        for name, value in changed.items()
        if print_of(value) != form.get(f"{name}_shown")
    }
    if wrong is not None or not changed:
        return wrong
    return Change("profile", "PATCH", ("profile",), changed)


def alert_policy(form: Form) -> Read:
    channels = [one.value for one in AlertChannel if f"channel_{one.value}" in form]
    fields: Mapping[str, Callable[[str], Any]] = {
        "threshold": Severity,
        "count": ALERT_COUNT.number,
        "window_hours": ALERT_WINDOW_HOURS.number,
    }
    body, wrong = _read(fields, form)
    if not channels:
        wrong = Wrong((*(wrong.fields if wrong else ()), "channels"))
    return wrong or Change("alert-policy", "PUT", ("alert-policy",), body | {"channels": channels})


def deactivation(form: Form) -> Read:
    body, wrong = _read({"reason": REASON.text}, form)
    return wrong or Change("deactivation", "POST", ("deactivation",), body)


def reactivation(_form: Form) -> Read:
    return Change("reactivation", "POST", ("reactivation",))


def consent(purpose: str, form: Form, notice: Notice) -> Read:
    """A parent consents on the notice that the form showed, and said to have read it."""
    if form.get("notice_version") != notice.version:
        return Wrong(("notice_version",))
    if "notice_read" not in form:
        return Wrong(("notice_read",))
    body = {"notice_version": notice.version, "method": notice.method.value}
    return Change("consent", "PUT", ("consents", purpose), body)


def withdrawal(purpose: str, _form: Form) -> Read:
    return Change("withdrawal", "DELETE", ("consents", purpose))


def _read(
    fields: Mapping[str, Callable[[str], Any]], form: Form
) -> tuple[dict[str, Any], Wrong | None]:
    """The value of each field, and those that have none."""
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for name, read in fields.items():
        try:
            values[name] = read(form.get(name, ""))
        except ValueError:
            wrong.append(name)
    return values, Wrong(tuple(wrong)) if wrong else None
