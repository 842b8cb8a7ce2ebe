"""MongoDB through Motor or PyMongo Async: one set of types, the few differences hidden here.

Both drivers offer the same collection methods; collections are typed as PyMongo Async's. Where the
two differ (sessions, transactions, aggregate, close) callers use the functions below.
"""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import quote_plus

from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

MOTOR_THREADS = 32
"""Of all clients of a process together; Motor's own number is five a core. An operation on a server
that hangs keeps its thread for up to 6 s (the silence, then a retry's connection), and the other
servers are to be asked meanwhile."""

os.environ.setdefault("MOTOR_MAX_WORKERS", str(MOTOR_THREADS))

from motor.motor_asyncio import AsyncIOMotorClient  # noqa: E402 - it reads the line above


def checked_url(url: str, ca_file: Path | None) -> str:
    """`url`, over TLS checked by `ca_file` (PEM) if there is one. Raises ValueError."""
    if ca_file is not None:
        joint = "&" if "?" in url else "?" if url.rpartition("//")[2].count("/") else "/?"
        url = f"{url}{joint}tls=true&tlsCAFile={quote_plus(str(ca_file))}"
    try:
        # the records of mongodb+srv are looked up by the driver, when it connects
        if not url.startswith("mongodb+srv://"):
            parse_uri(url, validate=True)
    except (PyMongoError, ValueError, TypeError, OSError) as error:
        reason = f"is no usable MongoDB URL ({type(error).__name__})"
        raise ValueError(f"{reason}; CA file: {ca_file}" if ca_file else reason) from None
    return url


def has_password(url: str) -> bool:
    credentials, at, _ = url.partition("://")[2].rpartition("@")
    return bool(at) and ":" in credentials


Document = dict[str, Any]
Collection = AsyncCollection[Document]
Database = AsyncDatabase[Document]
Session = AsyncClientSession
Driver = Literal["motor", "pymongo"]

SERVER_SELECTION_MS = 1_500
"""Long enough for an election's first attempt, short enough to answer 503 inside 2 s."""

CONNECT_MS = 5_000
"""Also how long the driver's monitor waits before it gives up on connections to a hung server."""


class Mongo:
    """A client of one MongoDB deployment. Writes are majority and journaled, dates are aware.

    `silence_ms`: how long a connection may be silent in an operation before it is given up; None:
    until the driver's monitor sees that the server is gone, up to 15 s.
    """

    def __init__(
        self,
        url: str,
        driver: Driver = "motor",
        max_pool_size: int = 50,
        silence_ms: int | None = None,
    ) -> None:
        options: dict[str, Any] = {
            "w": "majority",
            "journal": True,
            "readConcernLevel": "majority",
            "retryWrites": True,
            "tz_aware": True,
            "uuidRepresentation": "standard",
            "serverSelectionTimeoutMS": SERVER_SELECTION_MS,
            "connectTimeoutMS": CONNECT_MS,
            "socketTimeoutMS": silence_ms,
            "maxPoolSize": max_pool_size,
            "appname": "teddy",
        }
        self._motor = driver == "motor"
        self._client: Any = (
            AsyncIOMotorClient(url, **options) if self._motor else AsyncMongoClient(url, **options)
        )

    def database(self, name: str) -> Database:
        return cast(Database, self._client[name])

    async def ping(self) -> None:
        """One round trip to the primary; raises PyMongoError when there is none."""
        await self._client.admin.command("ping")

    async def close(self) -> None:
        if self._motor:
            self._client.close()
        else:
            await self._client.close()

    @asynccontextmanager
    async def session(self, *, snapshot: bool = False) -> AsyncIterator[Session]:
        """A session that ends with the block. `snapshot`: all it reads is of one moment."""
        session: Any = self._client.start_session(snapshot=snapshot)
        if self._motor:
            session = await session
        async with session:
            yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """One multi-document transaction: commits at the end, aborts when the body raises."""
        async with self.session() as session:
            starting: Any = session.start_transaction()
            async with starting if self._motor else await starting:
                yield session


async def aggregate(
    collection: Collection, pipeline: Sequence[Mapping[str, Any]], **options: Any
) -> AsyncIterator[Document]:
    """The documents that `pipeline` yields over `collection`."""
    cursor: Any = collection.aggregate(list(pipeline), **options)
    if hasattr(cursor, "__await__"):
        cursor = await cursor
    async for document in cursor:
        yield document
