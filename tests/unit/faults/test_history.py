"""Nothing is asked that the history does not know."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.auth.access import Principal, Role
from shared.auth.tokens import TokenIssuer
from tests.faults.history import UNANSWERED, History, read_history

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ANSWER = b'HTTP/1.1 201 Created\r\nCorrelation-Id: c-1\r\nContent-Length: 13\r\n\r\n{"version":1}'


def headers() -> dict[str, str]:
    issuer = TokenIssuer(Ed25519PrivateKey.generate(), "tests", "teddy")
    token = issuer.issue(Principal("parent-mia", Role.PARENT), NOON, timedelta(hours=1))
    return {"Authorization": f"Bearer {token}", "Idempotency-Key": "key-0001", "X-Reader": "2"}


@asynccontextmanager
async def server(answer: bytes | None) -> AsyncIterator[str]:
    """Answers every request with these bytes; None: never."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is not None:
            writer.write(answer)
        else:
            await reader.read()  # until the caller gives up
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def test_an_answered_request_is_noted_with_its_answer(tmp_path: Path) -> None:
    history = History(tmp_path / "history.jsonl")
    async with server(ANSWER) as url, history.client(base_url=url, headers=headers()) as http:
        response = await http.post("/v1/children", json={"name": "Mia"})
    history.close()

    (entry,) = read_history(tmp_path / "history.jsonl")
    assert response.json() == entry.answer == {"version": 1}
    assert (entry.subject, entry.role, entry.key) == ("parent-mia", "parent", "key-0001")
    assert (entry.method, entry.path, entry.status) == ("POST", "/v1/children", 201)
    assert (entry.reader, entry.correlation_id, len(entry.digest)) == ("2", "c-1", 16)
    assert entry.accepted
    assert entry.is_command


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{"])
async def test_a_request_whose_answer_broke_off_is_noted_as_unanswered(
    tmp_path: Path, answer: bytes
) -> None:
    history = History(tmp_path / "history.jsonl")
    async with server(answer) as url, history.client(base_url=url, headers=headers()) as http:
        with pytest.raises(httpx2.TransportError):
            await http.post("/v1/children", json={"name": "Mia"})
    history.close()

    (entry,) = read_history(tmp_path / "history.jsonl")
    assert (entry.status, entry.key) == (UNANSWERED, "key-0001")
    assert not entry.accepted
    assert not entry.refused


async def test_a_request_that_is_given_up_is_noted_as_unanswered(tmp_path: Path) -> None:
    history = History(tmp_path / "history.jsonl")
    async with server(None) as url, history.client(base_url=url, headers=headers()) as http:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(http.get("/v1/children/mia"), 0.1)
    history.close()

    (entry,) = read_history(tmp_path / "history.jsonl")
    assert (entry.status, entry.method) == (UNANSWERED, "GET")
