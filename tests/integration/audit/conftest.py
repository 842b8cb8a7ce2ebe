"""A small history with its audit trail on MongoDB, and the commands that look into it."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pymongo
import pytest_asyncio

from deploy import cli
from shared.audit.process import AuditProcess
from shared.audit.record import AuditRecord
from shared.audit.settings import AuditSettings
from shared.auth.bears import older_alias
from shared.clock import utc_now
from shared.event_store.mongo import MongoEventStore, ensure_indexes
from shared.keyring.key_file import read_key_file
from shared.mongo import Mongo
from tests.support.child_facts import ADA, REGISTER, REPORT, VIOLATION, update
from tests.support.command_side import BEAR, MOTHER, OFFICER, CommandSide, Database
from tests.support.commands import Said, called, started
from tests.support.key_files import create_key_files
from tests.support.processes import store_settings

THIRTY_DAYS = {"TEDDY_RETENTION_AUDIT_DAYS": "30"}


@dataclass
class World:
    folder: Path
    url: str
    database: str

    @property
    def environment(self) -> dict[str, str]:
        keys = {
            "TEDDY_KEY_FILE": str(self.folder / "keys.json"),
            "TEDDY_PROOF_KEY_FILE": str(self.folder / "proof.pem"),
            "TEDDY_PROOF_KEYS_FILE": str(self.folder / "proof-keys.json"),
        }
        stores = store_settings(self.url, self.database, "WRITE", "READ", "AUDIT")
        return {**keys, **stores, "TEDDY_AUDIT_HEADS_FILE": str(self.folder / "heads.jws")}

    @property
    def settings(self) -> AuditSettings:
        return AuditSettings(
            audit_mongo_url=self.url,
            audit_database=self.database,
            proof_key_file=self.folder / "proof.pem",
            proof_keys_file=self.folder / "proof-keys.json",
            audit_heads_file=self.folder / "heads.jws",
            audit_wait_seconds=20,
            audit_strict=True,
        )

    async def teddy(
        self, *arguments: str, offline: bool = False, settings: Mapping[str, str] | None = None
    ) -> Said:
        return await called(cli.main, *self._call(arguments, offline, settings))

    async def teddy_process(
        self, *arguments: str, offline: bool = False, settings: Mapping[str, str] | None = None
    ) -> Said:
        return await started("deploy.cli", *self._call(arguments, offline, settings))

    def _call(
        self, arguments: Sequence[str], offline: bool, settings: Mapping[str, str] | None
    ) -> tuple[list[str], dict[str, str]]:
        """Arguments and environment of `teddy`."""
        own = {} if offline else self.environment
        folder = str(self.folder / "no-stack")
        return ["--dir", folder, *arguments], {**os.environ, **own, **(settings or {})}

    async def retention(self, command: str, **more: str) -> Said:
        """Thirty days, unless `more` says otherwise."""
        return await self.teddy("retention", command, settings={**THIRTY_DAYS, **more})

    async def export_evidence(self, out: Path, violation: str = VIOLATION) -> Said:
        about = ("--child", ADA, "--violation", violation)
        return await self.teddy("evidence", "export", *about, "--out", str(out))

    async def verify_file(self, *what: str) -> Said:
        """By somebody elsewhere, who has the public keys."""
        keys = str(self.folder / "proof-keys.json")
        return await self.teddy(*what, "--keys", keys, offline=True)

    def collection(self, name: str) -> "Tampering":
        return Tampering(self.url, self.database, name)


class Tampering:
    """A collection in the hands of somebody with the database's password."""

    def __init__(self, url: str, database: str, name: str) -> None:
        self._client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(url)
        self._collection = self._client[database][name]

    def __enter__(self) -> "pymongo.collection.Collection[dict[str, Any]]":
        return self._collection

    def __exit__(self, *_: object) -> None:
        self._client.close()


@pytest_asyncio.fixture
async def world(tmp_path: Path, mongo_url: str, fresh_database: str) -> World:
    """Ada is registered, updated, has a violation; then her mother and an officer look at her."""
    create_key_files(tmp_path)
    world = World(tmp_path, mongo_url, fresh_database)
    await _live(world, utc_now())
    return world


@pytest_asyncio.fixture
async def aged(tmp_path: Path, mongo_url: str, fresh_database: str) -> World:
    """The same, forty days ago."""
    create_key_files(tmp_path)
    world = World(tmp_path, mongo_url, fresh_database)
    await _live(world, utc_now() - timedelta(days=40))
    return world


async def _live(world: World, now: datetime) -> None:
    mongo = Mongo(world.url)
    database = mongo.database(world.database)
    await ensure_indexes(database)
    store = MongoEventStore(database, timeout_seconds=30)
    side = CommandSide(Database(events=store))
    side.clock.now = now
    process = AuditProcess(world.settings, "command")
    async with process.running() as trail:
        for command, principal in (
            (REGISTER, MOTHER),
            (update(age=8), MOTHER),
            (REPORT, OFFICER),
            (update(age=9), MOTHER),
        ):
            await side.do(command, principal)
            await trail.record(side.audit.entries[-1])
        for subject in ("parent-ada", "officer-1"):
            await trail.record(look(subject, now))
        keys = read_key_file(world.folder / "keys.json")
        bear = older_alias(keys.index_key, BEAR.subject)
        for subject in ("officer-2", bear, "officer-2"):
            trail.note(look(subject, now))
    await store.close()
    await mongo.close()


def look(subject: str, at: datetime | None = None, role: str = "parent") -> AuditRecord:
    return AuditRecord(
        at=at or utc_now(),
        subject=subject,
        role=role,
        operation="GetChildProfile",
        outcome="answered",
        address="127.0.0.1",
        correlation_id="correlation-1",
        children=(ADA,),
    )


@pytest_asyncio.fixture
async def evidence(world: World) -> AsyncIterator[Path]:
    """An exported file about Ada's violation."""
    file = world.folder / "evidence.json"
    said = await world.export_evidence(file)
    assert said.code == 0, said.err
    yield file
