"""Structured logs: one JSON object a line (or text for people), never with personal data."""

import logging
import sys

import structlog

from shared.observability.wordless import ids_only, traceback_without_words
from shared.settings import ObservabilitySettings

OURS = ("__main__", "command_service", "projection_worker", "query_service", "shared", "deploy")
"""Whose log lines are at the operator's level."""

SERVER = "uvicorn"
"""Below INFO it may tell what was sent; at INFO, that it started and ended."""


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
