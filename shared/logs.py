"""Structured logs, without a word of a child."""

import logging
import sys
from traceback import walk_tb
from typing import Any

import structlog

from shared.auth.access import is_uuid
from shared.settings import ObservabilitySettings

IDS = frozenset({"child_id", "conversation_id", "parent_id", "violation_id"})
NO_ID = "(not an id of this system)"

FROM_REQUESTS = ("uvicorn", "shared.http", "command_service.api", "query_service.pages")
"""Loggers of what failed while a request was answered: there, an error's text may repeat it."""


def ids_only(
    _logger: Any, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Ids that are UUIDs, as all are that this system makes. A path takes any 64 letters and digits
    for one: whoever asks for `my-street-is-5-Elm` is refused, and the refusal is logged."""
    for name in IDS & event.keys():
        if not is_uuid(str(event[name]).lower()):
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
    places: list[str] = []
    while error is not None:
        places.append(type(error).__name__)
        places += [
            f"  {frame.f_code.co_filename}:{line} {frame.f_code.co_name}"
            for frame, line in walk_tb(error.__traceback__)
        ]
        for one in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
            places += _places(one)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return places


OURS = ("__main__", "command_service", "projection_worker", "query_service", "shared", "deploy")
"""Whose log lines are at the operator's level."""

SERVER = "uvicorn"
"""Below INFO it may log what was sent; at INFO, that it started and ended."""


def configure_logs(settings: ObservabilitySettings, process: str) -> None:
    """Send all logs, also of libraries, to standard error in one format.

    Libraries log at WARNING or above whatever the level: their debug output may carry values. Nor
    do the lines of this system carry what a caller wrote, at any level.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("message"),
            lambda _logger, _name, event: {"process": process, **event},
            ids_only,
            traceback_without_words,
            structlog.processors.format_exc_info,
            renderer,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    _set_levels(logging.getLevelNamesMapping()[settings.log_level])
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _set_levels(ours: int) -> None:
    logging.getLogger().setLevel(max(ours, logging.WARNING))
    logging.getLogger(SERVER).setLevel(max(ours, logging.INFO))
    for name in OURS:
        logging.getLogger(name).setLevel(ours)
