"""`python -m command_service`: the command API as a process."""

import sys

import jwt

from command_service.main import build_app
from shared.http.serving import run_process, serve
from shared.keyring.key_file import KeyFileRefused
from shared.observability.logs import configure_logs
from shared.settings import CommandSettings, load_settings


def main() -> None:
    """Exit code 2, with one line, when the settings or the files they name are unusable."""
    settings = load_settings(CommandSettings)
    configure_logs(settings, "command-api")
    try:
        app = build_app(settings)
    except (KeyFileRefused, OSError, ValueError, jwt.PyJWTError) as error:
        print(f"settings: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    run_process(lambda stop: serve(app, settings.command_host, settings.command_port, stop))


if __name__ == "__main__":
    main()
