"""`python -m command_service`: the command API under uvicorn."""

import signal
import sys
from types import FrameType

import uvicorn

from command_service.main import build_app
from shared.keyring.key_file import KeyFileRefused
from shared.observability.logs import configure_logs
from shared.settings import CommandSettings, load_settings

GRACEFUL_SECONDS = 10


def main() -> None:
    """Exit code 2, with one line, when the settings or the files they name are unusable."""
    settings = load_settings(CommandSettings)
    configure_logs(settings, "command-api")
    try:
        app = build_app(settings)
    except (KeyFileRefused, OSError, ValueError) as error:
        print(f"settings: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    # uvicorn raises the signal again once it has stopped: asked to end, this ends well
    signal.signal(signal.SIGTERM, _end)
    uvicorn.run(
        app,
        host=settings.command_host,
        port=settings.command_port,
        loop="auto",  # uvloop, where it is installed
        http="httptools",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
