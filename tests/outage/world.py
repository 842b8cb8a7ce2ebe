"""All four services, and a server of its own for each dependency that may be unavailable."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx2

from deploy.local.plans import free_port, service_plan
from deploy.local.state import StackFolder
from deploy.local.supervisor import LIMITS_OF_ONE
from deploy.topics import apply_topics
from shared.auth.access import Principal, Role
from shared.auth.tokens import TokenIssuer
from shared.clock import utc_now
from shared.signing import read_signing_key
from tests.support.consents import CONSENTS
from tests.support.key_files import create_key_files
from tests.support.own_servers import OwnServer, own_kafka, own_mongod, own_valkey
from tests.support.waiting import STARTED, eventually

MOTHER = Principal("weiss", Role.PARENT)
STORES = {
    "event store": "TEDDY_WRITE_MONGO_URL",
    "read store": "TEDDY_READ_MONGO_URL",
    "key store": "TEDDY_KEYS_MONGO_URL",
    "audit store": "TEDDY_AUDIT_MONGO_URL",
}
SERVICES = ("command", "relay", "worker", "query")
ANSWER_SECONDS = 30.0
POLL_SECONDS = 0.25
"""Four services on two cores have something to do meanwhile."""

NEVER_ASKED = 400
"""Children of whom nothing is in any cache of the query API."""


@dataclass
class OutageWorld:
    """`servers`: by the name of the dependency. `kept`: a child whose profile is
    in the cache of the query API; nothing happens to it. `reported`: one that is reported of."""

    servers: dict[str, OwnServer]
    services: dict[str, OwnServer]
    http: httpx2.AsyncClient
    kept: str = ""
    reported: str = ""
    never_asked: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def url(self, service: str, path: str) -> str:
        return f"http://{self.services[service].address}{path}"

    async def register(self) -> httpx2.Response:
        number = next(self._numbers)
        body: dict[str, Any] = {"name": "Lena", "age": 7, "consents": CONSENTS}
        body["udid"] = f"TEDDY-0000-{number:04}"
        return await self.http.post(self.url("command", "/v1/children"), json=body)

    async def report(self) -> httpx2.Response:
        body = {"type": "rude_words", "severity": "low"}
        path = f"/v1/children/{self.reported}/safety-violations"
        return await self.http.post(self.url("command", path), json=body)

    async def profile(self, child_id: str) -> httpx2.Response:
        return await self.http.get(self.url("query", f"/v1/children/{child_id}"))

    async def is_well(self) -> bool:
        """Every service is ready, with everything that it may use, and does its work."""
        await asyncio.sleep(POLL_SECONDS)
        reports = [await self.report_of(service) for service in SERVICES]
        if any(one.get("status") != "ready" or "degraded" in one for one in reports):
            # requests show that a storage of rate limits is back
            await asyncio.gather(self.register(), self.profile(self.kept))
            return False
        answers = await asyncio.gather(self.register(), self.report(), self.profile(self.kept))
        return all(answer.is_success for answer in answers)

    async def report_of(self, service: str) -> dict[str, Any]:
        try:
            answer = await self.http.get(self.url(service, "/health/ready"))
        except httpx2.TransportError:
            return {}
        report: dict[str, Any] = answer.json()
        return report

    async def begin(self) -> None:
        """Children, projected, of whom one is asked for."""
        answers = [await self.register() for _ in range(NEVER_ASKED + 2)]
        ids = [answer.json()["child_id"] for answer in answers]
        self.kept, self.reported, *self.never_asked = ids
        await eventually(self.is_well, STARTED)
        newest = self.never_asked[-1]
        await eventually(lambda: self.profile(newest), STARTED, lambda answer: answer.is_success)


@asynccontextmanager
async def outage_world(folder: Path) -> AsyncIterator[OutageWorld]:
    async with AsyncExitStack() as stack:
        servers: dict[str, OwnServer] = {}
        environment = {**LIMITS_OF_ONE, **create_key_files(folder)}  # one parent asks for all
        for name, variable in STORES.items():
            mongod = await stack.enter_async_context(own_mongod(folder / name.replace(" ", "-")))
            servers[name], environment[variable] = mongod, mongod.url
        servers["Kafka"] = await stack.enter_async_context(own_kafka(folder / "kafka"))
        servers["Redis"] = await stack.enter_async_context(own_valkey(folder))
        environment["TEDDY_WORKER_STALL_SECONDS"] = "600"  # nobody would start another worker
        environment["TEDDY_KAFKA_BOOTSTRAP"] = servers["Kafka"].address
        environment["TEDDY_RATE_LIMIT_STORAGE"] = f"redis://{servers['Redis'].address}/0"
        environment["TEDDY_QUERY_CACHE_STORAGE"] = f"redis://{servers['Redis'].address}/1"
        await apply_topics(servers["Kafka"].address, 1)
        services = {name: _service(name, folder, environment) for name in SERVICES}
        for service in services.values():
            stack.push_async_callback(service.kill)
            await service.start()
        http = httpx2.AsyncClient(headers=_bearer(folder), timeout=ANSWER_SECONDS)
        world = OutageWorld(servers, services, await stack.enter_async_context(http))
        await world.begin()
        yield world


def _service(name: str, folder: Path, environment: dict[str, str]) -> OwnServer:
    port = free_port(None)
    own = {f"TEDDY_{name.upper()}_PORT": str(port)}
    stack = StackFolder(folder / "services")
    return OwnServer(service_plan(name, stack, port, {**environment, **own}))


def _bearer(folder: Path) -> dict[str, str]:
    issuer = TokenIssuer(read_signing_key(folder / "signing.pem"), "teddy-local", "teddy")
    return {"Authorization": "Bearer " + issuer.issue(MOTHER, utc_now(), timedelta(hours=1))}
