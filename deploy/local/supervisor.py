"""Starts a local stack, keeps it alive, stops it in reverse order."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from deploy.local import operator_settings, plans
from deploy.local.apache_kafka.node import Node
from deploy.local.brokers import choose_broker
from deploy.local.process import ProcessPlan, SupervisedProcess, created_at, say
from deploy.local.readiness import mongo_url
from deploy.local.settings import LocalStackSettings
from deploy.local.state import FAILED, PREPARING, READY, STARTING, STOPPED, StackFolder, StackState
from deploy.topics import apply_topics, restore_topics
from shared.auth.tokens import LOCAL_KEY_ID
from shared.kafka import Servers
from shared.keyring.key_file import create_key_file
from shared.settings import TopicSettings
from shared.signing import PROOF_KEY_ID, create_signing_key

SAVE_AGAIN_SECONDS = 1.0


NOTICE = {
    "TEDDY_PAGES_NOTICE_VERSION": "2026-11",
    "TEDDY_PAGES_NOTICE_URL": "https://provider.example/privacy/2026-11",
    "TEDDY_PAGES_CONSENT_METHOD": "signed_form",
}
"""On which parents consent on the pages of this stack."""

LIMITS_OF_ONE = {
    "TEDDY_RATE_LIMIT_REGISTRATION": "60000/minute",
    "TEDDY_RATE_LIMIT_COMMANDS": "120000/minute",
    "TEDDY_RATE_LIMIT_QUERIES": "120000/minute",
    "TEDDY_RATE_LIMIT_SEARCH": "12000/minute",
    "TEDDY_RATE_LIMIT_STREAM": "600/minute",
    "TEDDY_RATE_LIMIT_EXPORT": "60/minute",
    "TEDDY_RATE_LIMIT_EVIDENCE": "60/minute",
    "TEDDY_ADDRESS_SHARE": "0.5",
    "TEDDY_SUBJECT_SHARE": "0.25",
}
"""Few subjects send everything here: scenarios, load, experiments."""


class Supervisor:
    """Runs one stack in `folder`; `servers_only` leaves out the four services."""

    def __init__(self, folder: StackFolder, *, servers_only: bool = False) -> None:
        self._folder = folder
        self._processes: list[SupervisedProcess] = []
        self._unsaved = False
        known = folder.load()
        self._state = StackState(
            status=PREPARING,
            supervisor_pid=os.getpid(),
            supervisor_created=created_at(os.getpid()),
            servers_only=servers_only,
            ports=known.ports if known else {},
            environment=operator_settings.kept(os.environ),
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """What its processes run with, as far as it is known."""
        return self._state.environment

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Raises when the stack does not get up, or a process of it is watched
        no longer, after stopping it again."""
        self._folder.save(self._state)  # raises: where nothing can be written, nothing is started
        saving = asyncio.create_task(self._save_what_could_not_be())
        working = asyncio.create_task(self._work())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
                await stopping
        except Exception as error:
            self._set(FAILED, str(error))
            raise
        finally:
            for task in (working, stopping, saving):
                await _cancelled(task)
            await self._stop()

    async def _work(self) -> None:
        await self._start()
        self._set(READY)
        await asyncio.gather(*(process.unwatched() for process in self._processes))

    async def _start(self) -> None:
        wanted = self._mongod_plans() + await self._broker_plans() + self._cache_plans()
        self._set(STARTING)
        await self._start_together(wanted)
        self._create_keys()
        await self._apply_topics()
        if not self._state.servers_only:
            await self._start_together(self._service_plans())

    def _mongod_plans(self) -> list[ProcessPlan]:
        """None where the environment names a server for each store."""
        found = {name: os.environ.get(name) for name in plans.MONGO_URLS}
        wanted: list[ProcessPlan] = []
        if not all(found.values()):
            port = self._port("mongod")
            wanted.append(plans.mongod_plan(self._folder, port))
            url = mongo_url(f"{plans.LOOPBACK}:{port}")
            self._state.environment.update(dict.fromkeys(plans.MONGO_URLS, url))
        self._state.environment.update({name: value for name, value in found.items() if value})
        return wanted

    async def _broker_plans(self) -> list[ProcessPlan]:
        """None where the environment names a broker."""
        environment = self._state.environment
        given = os.environ.get(plans.KAFKA_BOOTSTRAP)
        if given:
            environment[plans.KAFKA_BOOTSTRAP] = given
            return []
        broker = await choose_broker(LocalStackSettings(), self._prepare)
        ports = self._port("kafka"), self._port("kafka-controller")
        restore = partial(self._apply_topics, restore_topics)
        plan = broker.plan(self._folder, Node(1, *ports), restore)
        environment |= {plans.KAFKA_BOOTSTRAP: plan.address, **broker.settings}
        self._state.broker = broker.name
        return [plan]

    def _cache_plans(self) -> list[ProcessPlan]:
        """None unless it is asked for, or where the environment names a server."""
        if os.environ.get(plans.CACHE_STORAGE) or not LocalStackSettings().local_cache_server:
            return []
        plan = plans.cache_plan(self._folder, self._port("valkey"))
        self._state.environment[plans.CACHE_STORAGE] = f"redis://{plan.address}/0"
        return [plan]

    def _service_plans(self) -> list[ProcessPlan]:
        environment = self._state.environment
        ports = {name: self._port(name) for name in plans.SERVICES}
        for name, port in ports.items():
            environment[f"TEDDY_{name.upper()}_PORT"] = str(port)
        environment["TEDDY_API_DOCUMENTATION"] = "true"
        for name, limit in LIMITS_OF_ONE.items():
            environment[name] = os.environ.get(name, limit)
        environment["TEDDY_WORKER_INSTANCE_ID"] = "local-worker"
        environment["TEDDY_COMMAND_URL"] = f"http://{plans.LOOPBACK}:{ports['command']}"
        environment["TEDDY_PAGES_COMMAND_URL"] = environment["TEDDY_COMMAND_URL"]
        environment["TEDDY_PAGES_SIGN_IN_LINKS"] = "true"
        environment |= NOTICE
        environment["TEDDY_QUERY_URL"] = f"http://{plans.LOOPBACK}:{ports['query']}"
        environment["TEDDY_PUBLIC_QUERY_URL"] = environment["TEDDY_QUERY_URL"]
        environment["TEDDY_PAGES_PUBLIC_URL"] = environment["TEDDY_QUERY_URL"]
        return [
            plans.service_plan(name, self._folder, port, environment)
            for name, port in ports.items()
        ]

    def _create_keys(self) -> None:
        keys = self._folder.keys
        create_key_file(keys / "keys.json")
        create_signing_key(keys / "signing.pem", keys / "jwks.json", LOCAL_KEY_ID)
        create_signing_key(keys / "proof.pem", keys / "proof-keys.json", PROOF_KEY_ID)
        self._state.environment |= {
            "TEDDY_AUDIT_HEADS_FILE": str((self._folder.path / "audit-heads.jws").absolute()),
            "TEDDY_KEY_FILE": str((keys / "keys.json").absolute()),
            "TEDDY_SIGNING_KEY_FILE": str((keys / "signing.pem").absolute()),
            "TEDDY_JWKS_FILE": str((keys / "jwks.json").absolute()),
            "TEDDY_PROOF_KEY_FILE": str((keys / "proof.pem").absolute()),
            "TEDDY_PROOF_KEYS_FILE": str((keys / "proof-keys.json").absolute()),
        }

    async def _apply_topics(
        self, apply: Callable[[Servers, int], Awaitable[object]] = apply_topics
    ) -> None:
        settings = TopicSettings()
        kafka = settings.servers_at(self._state.environment[plans.KAFKA_BOOTSTRAP])
        await apply(kafka, settings.kafka_replication)

    async def _start_together(self, wanted: Sequence[ProcessPlan]) -> None:
        new = [SupervisedProcess(plan, self._save) for plan in wanted]
        self._processes += new
        self._state.processes += [process.state for process in new]
        starting = [asyncio.create_task(process.start()) for process in new]
        try:
            await asyncio.gather(*starting)
        finally:
            for task in starting:
                await _cancelled(task)

    async def _stop(self) -> None:
        """Services before servers; the write database last, when nothing writes to it any more."""
        services = [p for p in self._processes if p.plan.name in plans.SERVICES]
        servers = [p for p in reversed(self._processes) if p.plan.name not in plans.SERVICES]
        await asyncio.gather(*(process.stop() for process in services))
        for process in servers:
            await process.stop()
        self._state.processes = []
        if self._state.status != FAILED:
            self._state.status = STOPPED
        self._save()

    def _port(self, name: str) -> int:
        ports = self._state.ports
        others = [port for other, port in ports.items() if other != name]
        ports[name] = plans.free_port(ports.get(name), taken=others)
        return ports[name]

    def _prepare(self, what: str) -> None:
        """For a process that waits for the stack, in the state; for people, on its output."""
        say(what)
        self._set(PREPARING, what)

    def _set(self, status: str, detail: str = "") -> None:
        self._state.status, self._state.detail = status, detail
        self._save()

    def _save(self) -> None:
        """On a full disk the stack goes on, and the state is saved as soon as it can be."""
        try:
            self._folder.save(self._state)
        except OSError as error:
            if not self._unsaved:
                say(f"{self._folder.state_file} cannot be written, tried again: {error}")
            self._unsaved = True
        else:
            self._unsaved = False

    async def _save_what_could_not_be(self) -> None:
        while True:
            await asyncio.sleep(SAVE_AGAIN_SECONDS)
            if self._unsaved:
                self._save()


async def _cancelled(task: "asyncio.Task[Any]") -> None:
    """End `task` if it still runs; how it ended is left to its owner."""
    task.cancel()
    await asyncio.wait({task})
