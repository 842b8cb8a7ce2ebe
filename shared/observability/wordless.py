"""What a caller wrote, kept out of log lines: processors that every line passes."""

import re
from traceback import walk_tb
from types import TracebackType
from typing import Any

import structlog

IDS = frozenset({"child_id", "conversation_id", "parent_id", "violation_id"})
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
NO_ID = "(no id of this system)"

FROM_REQUESTS = ("uvicorn", "shared.http")
"""Loggers of what failed while a request was answered: there, an error's text may repeat it."""


def ids_only(
    _logger: Any, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Ids that are UUIDs, as all are that this system makes. A path takes any 64 letters and digits
    for one: whoever asks for `my-street-is-5-Elm` is refused, and the refusal is logged."""
    for name in IDS & event.keys():
        if not _ID.fullmatch(str(event[name])):
            event[name] = NO_ID
    return event


def traceback_without_words(
    _logger: Any, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Of an error while a request was answered: what kinds of errors led to it, and where."""
    failure = event.get("exc_info")
    if not failure or not str(event.get("logger", "")).startswith(FROM_REQUESTS):
        return event
    error = failure[1] if isinstance(failure, tuple) else failure
    if isinstance(error, BaseException):
        del event["exc_info"]
        event["exception"] = "\n".join(_places(error))
    return event


def _places(error: BaseException | None) -> list[str]:
    """The error that came last first, each with its frames from the outermost on."""
    told: list[str] = []
    while error is not None:
        told.append(type(error).__name__)
        told += _frames(error.__traceback__)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return told


def _frames(trace: TracebackType | None) -> list[str]:
    return [
        f"  {frame.f_code.co_filename}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(trace)
    ]
