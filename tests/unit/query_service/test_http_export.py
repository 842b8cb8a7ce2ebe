"""An export over HTTP: compressed as it comes, never more than a few at a time, and no reader keeps
it for ever."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import httpx2
import pytest

from query_service.api.exports import gzipped
from shared.auth.access import Principal
from shared.clock import unix_seconds
from shared.event_store.envelope import Commit
from shared.event_store.port import StoreUnavailable
from shared.http.connection_room import connection_room_of
from tests.support.exported_child import LENA, WEISS, Life, live
from tests.support.exports import records_of
from tests.support.query_side import ADMIN, QuerySide, parent
from tests.support.running_query_api import RunningServer
from tests.support.waiting import until

EXPORT = f"/v1/children/{LENA}/export"
FAMILY = parent(WEISS)
LARGE_TOPIC = "a" * 100_000
"""Long enough that a hundred of it fit in no buffer between two sockets."""


@pytest.fixture
async def server(side: QuerySide) -> AsyncIterator[RunningServer]:
    server = RunningServer(side)
    yield server
    await server.stop()


async def put_more_than_buffers_hold(side: QuerySide, child_id: str = LENA) -> None:
    await side.child(child_id, parent_id=WEISS)
    for number in range(400):
        side.conversation(child_id, f"t-{number}", topics=[LARGE_TOPIC])


@asynccontextmanager
async def opened(url: str, side: QuerySide, reader: Principal = FAMILY, child: str = LENA):
    """An export whose reader took the head and leaves the rest for later."""
    headers = side.bearer(reader) | {"Accept-Encoding": "identity"}
    async with (
        httpx2.AsyncClient(base_url=url, headers=headers, timeout=30) as client,
        client.stream("GET", f"/v1/children/{child}/export") as response,
    ):
        yield response


def ended(side: QuerySide) -> dict[str, int]:
    """How many exports ended how."""
    name = "teddy_query_exports_ended_total"
    (family,) = (one for one in side.service.registry.collect() if f"{one.name}_total" == name)
    samples = (sample for sample in family.samples if sample.name == name)
    return {sample.labels["how"]: int(sample.value) for sample in samples}


async def test_who_takes_gzip_gets_the_same_lines_compressed(side: QuerySide):
    # given
    await live(side, Life(conversations=20, events=30))
    async with side.client(FAMILY) as client:
        # when
        plain = await client.get(EXPORT, headers={"Accept-Encoding": "br, gzip;q=0"})
        packed = await client.get(EXPORT, headers={"Accept-Encoding": "br;q=1, gzip;q=0.5"})
    # then
    assert (packed.headers["Content-Encoding"], packed.headers["Vary"]) == (
        "gzip",
        "Accept-Encoding",
    )
    assert "Content-Encoding" not in plain.headers
    assert packed.content == plain.content


async def test_a_compressed_piece_is_whole_when_it_is_sent():
    # given
    pieces = [b"one\n" * 100, b"two\n"]

    async def lines() -> AsyncGenerator[bytes, None]:
        for piece in pieces:
            yield piece

    opener = zlib.decompressobj(wbits=31)
    # when / then
    sent = gzipped(lines())
    assert [opener.decompress(await anext(sent)) for _ in pieces] == pieces
    assert opener.decompress(await anext(sent)) == b""
    assert opener.eof


async def test_lines_are_closed_with_what_compresses_them():
    # given
    closed = asyncio.Event()

    async def lines() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"one\n"
        finally:
            closed.set()

    sent = gzipped(lines())
    await anext(sent)
    # when
    await sent.aclose()
    # then
    assert closed.is_set()


async def test_head_says_what_get_would_and_keeps_no_place(side: QuerySide):
    await live(side, Life(events=3))
    async with side.client(FAMILY) as client:
        asked = [await client.head(EXPORT) for _ in range(6)]
        answer = await client.get(EXPORT)

    assert [one.status_code for one in asked] == [200] * 6
    assert asked[0].headers["Content-Type"] == "application/jsonl"
    assert asked[0].content == b""
    assert records_of(answer.content)[-1]["kind"] == "end"
    assert side.service.edge.exports.under_way == 0
    assert ended(side) == {"whole": 1}


async def test_a_caller_takes_one_export_of_a_child_at_a_time_and_two_in_all(
    side: QuerySide, server: RunningServer
):
    # given
    await put_more_than_buffers_hold(side)
    await put_more_than_buffers_hold(side, "mia")
    await side.child("leo", parent_id=WEISS)
    url = await server.url()
    async with opened(url, side) as first:
        # when
        async with opened(url, side) as second, opened(url, side, ADMIN) as of_another:
            reported = await second.aread()
        async with (
            opened(url, side, child="mia") as of_another_child,
            opened(url, side, child="leo") as third,
        ):
            pass
    # then
    assert (first.status_code, second.status_code) == (200, 429)
    assert (second.headers["Retry-After"], b"too-many-requests" in reported) == ("30", True)
    assert (of_another.status_code, of_another_child.status_code) == (200, 200)
    assert third.status_code == 429  # half of what the process writes at a time
    await until(lambda: side.service.edge.exports.under_way == 0)
    async with opened(url, side) as again:
        assert again.status_code == 200


async def test_a_process_writes_so_many_exports_at_a_time(side: QuerySide, server: RunningServer):
    # given
    await put_more_than_buffers_hold(side)
    url = await server.url()
    admins = [Principal(f"admin-{number}", ADMIN.role) for number in range(5)]
    async with (
        opened(url, side, admins[0]),
        opened(url, side, admins[1]),
        opened(url, side, admins[2]),
        opened(url, side, admins[3]) as fourth,
        opened(url, side, admins[4]) as fifth,
    ):
        # when
        reported = await fifth.aread()
        other = await side.get(f"/v1/children/{LENA}", FAMILY)
    # then
    assert (fourth.status_code, fifth.status_code, other.status_code) == (200, 503, 200)
    assert (fifth.headers["Retry-After"], b"Too many concurrent exports" in reported) == (
        "10",
        True,
    )


async def test_a_cursor_that_is_refused_keeps_no_place(side: QuerySide):
    await live(side, Life(events=3))
    refused = await side.get(EXPORT, FAMILY, params={"cursor": "made-up"})

    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "cursor")
    assert side.service.edge.exports.under_way == 0


async def test_a_reader_that_takes_nothing_is_hung_up_on_and_counted(
    side: QuerySide, server: RunningServer
):
    # given
    side.service.edge.exports.reader_seconds = 0.3
    await put_more_than_buffers_hold(side)
    address = urlsplit(await server.url())
    bearer = side.bearer(FAMILY)["Authorization"]
    request = f"GET {EXPORT} HTTP/1.1\r\nHost: query\r\nAuthorization: {bearer}\r\n\r\n"
    # when
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=1_024)
    writer.write(request.encode())
    await until(lambda: side.service.edge.exports.under_way == 1)
    # then its place and its connection are free, and what it had not taken is gone
    await until(lambda: side.service.edge.exports.under_way == 0)
    await until(lambda: connection_room_of(side.app).open_connections == 0)
    taken = b""
    with suppress(ConnectionResetError):
        taken = await reader.read()
    assert b'{"kind":"end"' not in taken
    assert ended(side) == {"reader": 1}
    writer.close()


async def test_a_reader_that_hangs_up_gives_its_place_back(side: QuerySide, server: RunningServer):
    await put_more_than_buffers_hold(side)

    async with opened(await server.url(), side):
        assert side.service.edge.exports.under_way == 1

    await until(lambda: side.service.edge.exports.under_way == 0)
    assert ended(side) == {"reader": 1}


async def test_an_erasure_ends_what_is_under_way(side: QuerySide, server: RunningServer):
    # given
    await put_more_than_buffers_hold(side)
    async with opened(await server.url(), side) as response:
        # when
        await side.destroy_key(LENA)
        rest = await response.aread()
    # then
    assert b'{"kind":"end"' not in rest
    assert (await side.get(EXPORT, FAMILY)).status_code == 404
    assert ended(side) == {"erased": 1}


async def test_a_store_that_goes_away_ends_what_is_under_way(
    side: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    # given
    await live(side, Life(conversations=150, events=5))

    async def away(_store: object, _child: str, _after: int, limit: int) -> list[Commit]:
        if limit > 1:  # the look before the export begins
            raise StoreUnavailable("MongoDB: no answer within 1.25 s")
        return []

    monkeypatch.setattr(type(side.events), "load", away)
    # when
    answer = await side.get(EXPORT, FAMILY)
    # then
    assert (answer.status_code, len(records_of(answer.content))) == (200, 1 + 2 + 150)
    assert ended(side) == {"broken": 1}


async def test_an_export_ends_with_its_token(side: QuerySide, server: RunningServer):
    # given a token that is good for a second or two yet
    await put_more_than_buffers_hold(side)
    expires = int(unix_seconds()) + 2
    headers = {"Authorization": f"Bearer {side.forger.token(sub=WEISS, exp=expires)}"}
    async with (
        httpx2.AsyncClient(base_url=await server.url(), headers=headers, timeout=30) as client,
        client.stream("GET", EXPORT, headers={"Accept-Encoding": "identity"}) as response,
    ):
        assert response.status_code == 200
        # when
        await until(lambda: unix_seconds() > expires)
        rest = await response.aread()
    # then
    assert b'{"kind":"end"' not in rest
    assert ended(side) == {"limit": 1}


async def test_a_process_that_stops_lets_its_exports_end_and_be_continued(
    side: QuerySide, server: RunningServer
):
    # given
    await put_more_than_buffers_hold(side)
    async with opened(await server.url(), side) as response:
        # when
        stopping = asyncio.create_task(server.stop())
        await until(lambda: side.service.edge.exports.closed)
        rest = await response.aread()
        await stopping
    # then
    assert b'{"kind":"end"' not in rest
