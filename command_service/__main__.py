"""`python -m command_service`: the command API as a process."""

import sys

from command_service.main import build_app
from command_service.settings import CommandSettings
from shared.garbage import tune_gc
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
    tune_gc()
    host, port = settings.command_host, settings.command_port
    run_process(lambda stop: serve(app, host, port, stop))


if __name__ == "__main__":
    main()
