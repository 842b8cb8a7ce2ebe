"""A real mongod that asks for TLS and a password: only the right settings come in."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError, ServerSelectionTimeoutError

from deploy.local.plans import free_port, mongod
from shared.mongo import Driver, Mongo, checked_url
from tests.support.authority import LOOPBACK, Authority, create_authority
from tests.support.waiting import eventually

# PyMongo leaves the socket of a refused TLS handshake to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

USER, PASSWORD = "teddy", "a p@ss/word"
QUOTED = "a+p%40ss%2Fword"


@dataclass(frozen=True, slots=True)
class Guarded:
    port: int
    authority: Authority

    def url(self, password: str = QUOTED, ca_file: Path | None = None) -> str:
        url = f"mongodb://{USER}:{password}@{LOOPBACK}:{self.port}/?directConnection=true"
        return checked_url(url, ca_file or self.authority.ca_file)


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    folder = tmp_path_factory.mktemp("mongod")
    guarded = Guarded(free_port(None), create_authority(folder))
    (folder / "data").mkdir()
    process = await asyncio.create_subprocess_exec(
        mongod(),
        *("--dbpath", str(folder / "data"), "--port", str(guarded.port), "--bind_ip", LOOPBACK),
        *("--auth", "--tlsMode", "requireTLS", "--tlsAllowConnectionsWithoutCertificates"),
        *("--tlsCertificateKeyFile", str(guarded.authority.server_file)),
        *("--tlsCAFile", str(guarded.authority.ca_file)),
        *("--wiredTigerCacheSizeGB", "0.25", "--quiet"),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await eventually(lambda: _has_its_user(guarded), 60.0)
        yield guarded
    finally:
        process.kill()
        await process.wait()


async def _has_its_user(server: Guarded) -> bool:
    """Made from this machine, as mongod allows for the first one."""
    url = f"mongodb://{LOOPBACK}:{server.port}/?directConnection=true"
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
        checked_url(url, server.authority.ca_file), serverSelectionTimeoutMS=1_000
    )
    try:
        await client.admin.command("createUser", USER, pwd=PASSWORD, roles=["root"])
    except PyMongoError:
        return False
    finally:
        await client.close()
    return True


@pytest.fixture(autouse=True)
def sockets_collected_here() -> Iterator[None]:
    yield
    gc.collect()


async def test_the_right_settings_come_in(server: Guarded, driver: Driver) -> None:
    mongo = Mongo(server.url(), driver)

    assert await mongo.database("teddy").list_collection_names() == []
    await mongo.close()


async def test_a_wrong_password_does_not(server: Guarded, driver: Driver) -> None:
    mongo = Mongo(server.url(password="wrong"), driver)

    with pytest.raises(OperationFailure) as refused:
        await mongo.database("teddy").list_collection_names()

    assert "wrong" not in str(refused.value)
    await mongo.close()


async def test_a_server_of_another_authority_is_not_believed(
    server: Guarded, driver: Driver, tmp_path: Path
) -> None:
    other = create_authority(tmp_path, "other-ca")
    mongo = Mongo(server.url(ca_file=other.ca_file), driver)

    with pytest.raises(ServerSelectionTimeoutError, match="CERTIFICATE_VERIFY_FAILED"):
        await mongo.ping()
    await mongo.close()


async def test_nobody_comes_in_without_tls(server: Guarded, driver: Driver) -> None:
    mongo = Mongo(f"mongodb://{LOOPBACK}:{server.port}/?directConnection=true", driver)

    with pytest.raises(PyMongoError):
        await mongo.ping()
    await mongo.close()
