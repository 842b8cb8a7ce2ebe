"""`python -m query_service`: the query API as a process."""

import asyncio
import sys

from fastapi import FastAPI

from query_service.main import build_app
from query_service.settings import QuerySettings
from shared.garbage import tune_gc
from shared.http.serving import run_process, serving
from shared.keyring.key_file import KeyFileRefused
from shared.logs import configure_logs
from shared.settings import load_settings
from shared.signing import SigningKeyRefused


async def answer(app: FastAPI, settings: QuerySettings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set."""
    async with serving(app, settings.query_host, settings.query_port):
        await stop.wait()
        # the server waits for open responses, and live streams never end by themselves
        app.state.edge.streams.close()
        app.state.edge.exports.close()


def main() -> None:
    """Exit code 2, with one line, when the settings or the files they name are unusable."""
    settings = load_settings(QuerySettings)
    configure_logs(settings, "query-api")
    try:
        app = build_app(settings)
    except (KeyFileRefused, SigningKeyRefused, OSError, ValueError) as error:
        print(f"settings: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    tune_gc()
    run_process(lambda stop: answer(app, settings, stop))


if __name__ == "__main__":
    main()
