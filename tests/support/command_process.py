"""`python -m command_service` as a process of a test's own, and a mother who talks to it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx2
import orjson

from deploy.local.plans import free_port
from shared.auth.access import Principal
from shared.auth.tokens import TokenIssuer
from shared.clock import utc_now
from shared.signing import read_signing_key
from tests.support.command_side import MOTHER, CommandClient
from tests.support.consents import CONSENTS
from tests.support.key_files import create_key_files
from tests.support.processes import is_ready, process_of, store_settings
from tests.support.waiting import STARTED, eventually

ANSWER_SECONDS = 30.0
DATABASE = "teddy"


def command_environment(
    folder: Path, mongo_url: str, database: str = DATABASE, **more: str
) -> dict[str, str]:
    """Settings of a command process whose key files lie in `folder`."""
    return {
        **store_settings(mongo_url, database, "WRITE", "KEYS", "AUDIT"),
        **create_key_files(folder),
        "TEDDY_COMMAND_PORT": str(free_port(None)),
        # one mother sends everything, from one address
        "TEDDY_RATE_LIMIT_REGISTRATION": "1000000/minute",
        "TEDDY_ADDRESS_SHARE": "1",
        "TEDDY_SUBJECT_SHARE": "1",
        **more,
    }


@dataclass
class CommandProcess:
    process: asyncio.subprocess.Process
    address: str
    bearer: str
    issuer: TokenIssuer

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def host_and_port(self) -> tuple[str, int]:
        host, _, port = self.address.partition(":")
        return host, int(port)

    def registration(self, principal: Principal, udid: str) -> bytes:
        """A whole request, for those who speak to the socket."""
        child = {"name": "Ada", "age": 7, "udid": udid, "consents": CONSENTS}
        body = orjson.dumps(child)
        return self.head_of_a_registration(len(body), principal=principal) + body

    def head_of_a_registration(
        self, content_length: int, *more: str, principal: Principal | None = None
    ) -> bytes:
        """The request up to its body, for those who send it byte by byte."""
        bearer = self.bearer if principal is None else _bearer(self.issuer, principal)
        lines = [
            "POST /v1/children HTTP/1.1",
            f"Host: {self.address}",
            f"Authorization: {bearer}",
            "Content-Type: application/json",
            f"Content-Length: {content_length}",
            *more,
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def is_ready(self) -> bool:
        return await is_ready(self.url)

    @asynccontextmanager
    async def client(self, connections: int = 100) -> AsyncIterator[CommandClient]:
        limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
        async with httpx2.AsyncClient(
            base_url=self.url, limits=limits, timeout=ANSWER_SECONDS
        ) as http:
            yield CommandClient(http, self.bearer)


def _bearer(issuer: TokenIssuer, principal: Principal) -> str:
    return "Bearer " + issuer.issue(principal, utc_now(), timedelta(minutes=30))


@asynccontextmanager
async def command_process(
    folder: Path, environment: Mapping[str, str], principal: Principal = MOTHER
) -> AsyncIterator[CommandProcess]:
    """Ready on entry, killed at the end if it still runs. Its log is `folder`/command.log."""
    address = f"127.0.0.1:{environment['TEDDY_COMMAND_PORT']}"
    issuer = TokenIssuer(read_signing_key(folder / "signing.pem"), "teddy-local", "teddy")
    async with process_of("command_service", environment, folder / "command.log") as process:
        started = CommandProcess(process, address, _bearer(issuer, principal), issuer)
        await eventually(started.is_ready, STARTED)
        yield started
