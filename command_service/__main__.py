"""`python -m command_service`: the command API as a process."""

import gc
import sys

from command_service.main import build_app
from command_service.settings import CommandSettings
from shared.http.serving import run_process, serve
from shared.keyring.key_file import KeyFileRefused
from shared.logs import configure_logs
from shared.settings import load_settings
from shared.signing import SigningKeyRefused


def main() -> None:
    """Exit code 2, with one line, when the settings or the files they name are unusable."""
    settings = load_settings(CommandSettings)
    configure_logs(settings, "command-api")
    try:
        app = build_app(settings)
    except (KeyFileRefused, SigningKeyRefused, OSError, ValueError) as error:
        print(f"settings: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    _tune_gc()
    host, port = settings.command_host, settings.command_port
    run_process(lambda stop: serve(app, host, port, stop))


def _tune_gc() -> None:
    """Look for cycles seldom, and never among what was there at the start.

    Nearly everything here is freed by its reference count. With the usual thresholds the collector
    took a third of the time of a registration (measured), walking the cached children in vain.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


if __name__ == "__main__":
    main()
