"""HEAD answers wherever GET does, with its status and headers, and never with a body."""

import asyncio
from collections.abc import Mapping

import httpx2
import pytest

from shared.clock import new_id
from tests.support import command_side, query_side
from tests.support.command_side import CommandSide
from tests.support.query_side import QuerySide, parent
from tests.support.refused_requests import BAD_REQUESTS, Header, asked
from tests.support.routes import routes_of

IDS = {"child_id": "lena", "parent_id": "weiss", "purpose": "account"}
IDS |= dict.fromkeys(("violation_id", "conversation_id"), "0b8f5a4e-9a57-4c3b-8d55-1f0a3c1d2e4f")
REQUEST = "2f1b0c7e-6a0d-4a57-9f3c-5b1e8d4c2a10"
OF_ONE_ANSWER = {"correlation-id", "ratelimit", "x-cache", "cache-status", "age"}
"""Headers that tell one answer from the same answer given again."""

OF_THE_MOMENT = {"/metrics", "/v1/system/requests"}
"""Paths whose answers count the requests before them."""


async def _query_side() -> QuerySide:
    side = QuerySide()
    await side.child("lena", parent_id="weiss")
    await side.list_as_erased("lena")
    side.service.edge.streams.close()  # a stream that may be opened ends at once
    return side


async def _same_but_for_the_body(client: httpx2.AsyncClient, path: str) -> None:
    get, head = await client.get(path), await client.head(path)
    assert head.status_code == get.status_code, path
    assert head.content == b"", path
    assert _lasting(head.headers, path) == _lasting(get.headers, path), path


def _lasting(headers: Mapping[str, str], path: str) -> dict[str, str]:
    changing = OF_ONE_ANSWER | ({"content-length"} if path in OF_THE_MOMENT else set())
    return {name: value for name, value in headers.items() if name not in changing}


async def test_every_path_of_the_query_api():
    side = await _query_side()
    paths = {route.path.format_map(IDS) for route in routes_of(side.app)}
    assert {"/health/ready", "/metrics", "/openapi.json", "/v1/parents/weiss/stream"} <= paths
    async with side.client(query_side.ADMIN) as client:
        for path in sorted(paths):
            await _same_but_for_the_body(client, path)


async def test_every_path_of_the_command_api():
    side = CommandSide()
    paths = {route.path.format_map(IDS) for route in routes_of(side.app)}
    assert {"/health/live", "/metrics", "/docs", "/v1/commands"} <= paths
    async with side.bare_client() as client:
        client.headers["Authorization"] = side.bearer(command_side.ADMIN)
        for path in sorted(paths):
            await _same_but_for_the_body(client, path)


@pytest.mark.parametrize("path", ["/v1/children/lena", "/v1/parents/weiss/stream", "/nowhere"])
async def test_refusals_too(path: str):
    async with (await _query_side()).bare_client() as client:
        await _same_but_for_the_body(client, path)


@pytest.mark.parametrize(("target", "headers", "status", "code"), BAD_REQUESTS)
async def test_what_can_be_read_in_two_ways_is_refused_without_a_body(
    target: str, headers: list[Header], status: int, code: str
):
    reported, sent, body = await asked(QuerySide().app, "HEAD", target, headers)

    assert (reported, body) == (status, b""), code
    assert sent["content-type"] == "application/problem+json"


async def test_what_the_caller_has_already_is_not_sent_again():
    async with (await _query_side()).client(query_side.ADMIN) as client:
        etag = (await client.head("/v1/children/lena")).headers["ETag"]

        again = await client.head("/v1/children/lena", headers={"If-None-Match": etag})

    assert (again.status_code, again.headers["ETag"]) == (304, etag)


async def test_a_live_stream_is_not_opened_by_it():
    side = QuerySide()
    await side.child("lena", parent_id="weiss")
    async with side.client(parent("weiss")) as client:
        async with asyncio.timeout(5):
            head = await client.head("/v1/parents/weiss/stream")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"].startswith("text/event-stream")
    assert side.open_streams == 0


async def test_who_asked_for_the_headers_is_on_record_as_who_asked():
    side = QuerySide()
    child_id = new_id()
    await side.child(child_id, parent_id="weiss")
    async with side.client(parent("weiss")) as client:
        await client.head(f"/v1/children/{child_id}")

    (record,) = side.audit.entries
    assert (record.subject, record.outcome) == ("weiss", "answered")
    assert (record.operation, record.children) == ("GetChildProfile", (child_id,))


async def test_a_path_that_has_no_get_says_what_it_has():
    async with CommandSide().bare_client() as client:
        registering = await client.head("/v1/children")
        listing = await client.post("/v1/commands")

    assert (registering.status_code, registering.headers["Allow"]) == (405, "POST")
    assert (listing.status_code, listing.headers["Allow"]) == (405, "GET, HEAD")


async def test_an_unforeseen_error_says_which_request_it_was(monkeypatch: pytest.MonkeyPatch):
    # given
    side = await _query_side()

    async def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(side.store, "child", broken)
    transport = httpx2.ASGITransport(app=side.app, raise_app_exceptions=False)
    headers = side.bearer(query_side.ADMIN) | {"Correlation-Id": REQUEST}
    async with httpx2.AsyncClient(transport=transport, base_url="http://query") as client:
        # when
        head = await client.head("/v1/children/lena", headers=headers)
    # then
    assert (head.status_code, head.headers["Correlation-Id"]) == (500, REQUEST)
