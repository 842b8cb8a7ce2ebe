"""The processes of the Compose stack, its broker and its proxy, run on this machine."""

import asyncio
import os
import shlex
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from deploy.checks.compose.project import APIS, CADDYFILE
from deploy.local.plans import LOOPBACK, SERVICES, free_port
from tests.support.compose_stack import ComposeStack, running, secured_mongod
from tests.support.own_servers import own_kafka
from tests.support.waiting import eventually

READY_SECONDS = 60.0


@dataclass
class StartedStack:
    """A stack whose processes run. `more`: settings that take the place of compose.yaml's."""

    stack: ComposeStack
    more: Mapping[str, str]
    proxied: dict[str, int] = field(default_factory=dict)

    @asynccontextmanager
    async def process(self, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """One of the four, as compose.yaml starts it; ready by its own health check."""
        (module,) = self.stack.project.services[name]["command"]
        command = [str(self.stack.python), "-m", module]
        log = self.stack.folder / f"{name}.log"
        environment = self.stack.process_environment(name, self.more)
        async with running(command, log, environment, self.stack.app) as process:
            # the health check is a process of a second: it is asked of who listens
            await eventually(lambda: self._may_be_healthy(name, process), READY_SECONDS)
            await eventually(lambda: self.is_healthy(name, process), READY_SECONDS)
            yield process

    async def _may_be_healthy(self, name: str, process: asyncio.subprocess.Process) -> bool:
        return process.returncode is not None or await _listens(self.stack.ports[name])

    async def is_healthy(self, name: str, process: asyncio.subprocess.Process) -> bool:
        log = self.stack.folder / f"{name}.log"
        assert process.returncode is None, log.read_text()[-2_000:]
        kind, *command = self.stack.project.services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        code, _ = await self.run(name, *command)
        return code == 0

    async def run(self, service: str, *command: str) -> tuple[int, str]:
        return await self.stack.run(service, *command, more=self.more)

    async def teddy(self, *arguments: str) -> tuple[int, str]:
        """`docker compose run --rm tools ...`."""
        script = self.stack.project.root / "deploy" / "docker" / "teddy"
        return await self.run("tools", str(script), *arguments)

    def another(self, name: str) -> "StartedStack":
        """For one more container of `name`: the same settings, an address of its own."""
        taken = list(self.stack.ports.values())
        ports = {**self.stack.ports, name: free_port(None, taken=taken)}
        other = replace(self.stack)
        other.ports = ports
        return StartedStack(other, self.more)


@asynccontextmanager
async def started_stack(stack: ComposeStack) -> AsyncIterator[StartedStack]:
    """In the order of compose.yaml: secrets, servers, jobs, the four processes, the proxy."""
    stack.first_start()
    async with AsyncExitStack() as running_parts:
        await running_parts.enter_async_context(secured_mongod(stack))
        kafka = await running_parts.enter_async_context(own_kafka(stack.folder / "broker"))
        # without TLS and users: how Kafka reads the stack's own file is shown by make test-kafka
        more = {"TEDDY_KAFKA_BOOTSTRAP": kafka.address, "TEDDY_KAFKA_SECURITY": "PLAINTEXT"}
        started = StartedStack(stack, more)
        setup = str(stack.secrets / "mongo-setup")
        await _succeeds(started, "mongo-setup", setup, "--address", stack.mongo_address)
        await _succeeds(started, "topics")
        for name in SERVICES:
            await running_parts.enter_async_context(started.process(name))
        await running_parts.enter_async_context(_proxy(started))
        yield started


async def _succeeds(started: StartedStack, job: str, *instead: str) -> None:
    """`instead`: arguments that take the place of the job's own."""
    module, *arguments = started.stack.project.services[job]["command"]
    command = (str(started.stack.python), "-m", module, *(instead or arguments))
    code, output = await started.run(job, *command)
    assert code == 0, output


@asynccontextmanager
async def _proxy(started: StartedStack) -> AsyncIterator[None]:
    """Caddy with the stack's own file; where the containers are is told by its environment."""
    stack = started.stack
    environment = {**os.environ, "LISTEN_ADDRESS": LOOPBACK, "HOME": str(stack.folder)}
    for name in APIS:
        taken = [*stack.ports.values(), *started.proxied.values()]
        started.proxied[name] = free_port(None, taken=taken)
        environment |= {
            f"{name.upper()}_NAME": LOOPBACK,
            f"{name.upper()}_PORT": str(stack.ports[name]),
            f"{name.upper()}_LISTEN": str(started.proxied[name]),
        }
    _, *arguments = stack.project.services["proxy"]["command"]
    file = str(stack.project.root / CADDYFILE)
    reported = [file if one.endswith("/Caddyfile") else one for one in arguments]
    caddy = str(Path(sys.executable).parent / "caddy")

    async with running([caddy, *reported], stack.folder / "proxy.log", environment):
        health = stack.project.services["proxy"]["healthcheck"]["test"][1]
        paths = [word for word in shlex.split(health) if word.startswith("http://")]
        assert [path.rpartition(":")[2] for path in paths] == [
            "8001/health/ready",
            "8004/health/ready",
        ]
        for port in started.proxied.values():
            await eventually(partial(_listens, port), READY_SECONDS)
        yield


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
