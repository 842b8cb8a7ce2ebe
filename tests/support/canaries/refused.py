"""Requests full of canaries that are refused, by everything that refuses: none may be repeated."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx2

from tests.support.canaries.accepted import profile, registration
from tests.support.canaries.callers import Api, Callers
from tests.support.canaries.values import canary, place

JSON = {"Content-Type": "application/json"}
PATH, QUERY, DETAILS = place(), canary("query"), canary("details", 9)


async def refused(on: Callers, child: str) -> list[bytes]:
    """Everything that was answered, each a refusal, headers too."""
    answers = [
        *await _commands(on, child),
        *await _to_whom_it_is_no_business(on, child),
        *await _questions(on, child),
        *await _by_the_edge(on.parent, child),
    ]
    others = [a for a in answers if not a.is_client_error]
    reported = [
        f"{a.request.method} {a.request.url.path}: {a.status_code} {a.text}" for a in others
    ]
    assert reported == [], reported
    return [_bytes(answer) for answer in answers]


async def _commands(on: Callers, child: str) -> Sequence[httpx2.Response]:
    parent, at, new = on.parent.commands, f"/v1/children/{child}", registration()
    key = {"Idempotency-Key": "a key that was used, and one"}
    wrong_bodies: list[dict[str, Any]] = [
        new,  # its udid is taken
        new | {"age": 70},
        new | {"name": f"{new['name']}\u202e"},
        new | {"name": "", "nickname": canary("name", 8)},
        new | {"udid": [new["udid"]]},
        new | {"preferences": canary("preference", 9)},
        new | {"interests": {canary("interest", 9): 1}},
        new | {place(8): 1},
    ]
    return [
        *[await parent.post("/v1/children", json=body) for body in wrong_bodies],
        await parent.post("/v1/children", json=new, headers=key),
        await parent.post("/v1/children", content=f'{{"name": "{QUERY}"', headers=JSON),
        await parent.patch(f"{at}/profile", json={"age": canary("name", 9)}),
        await parent.patch(f"{at}/profile", json={place(9): 1}),
        await parent.post(f"{at}/safety-violations", json={"details": DETAILS}),
        await parent.post(f"{at}/deactivation", json={"reason": [canary("reason", 9)]}),
        await parent.post(f"{at}/reactivation", json={"reason": canary("reason", 9)}),
        await on.bear.commands.post(
            f"{at}/conversations/{child}/messages",
            json={"role": "child", "word_count": 3, "text": DETAILS},
        ),
        await on.officer.commands.post(
            f"{at}/safety-violations/{PATH}/resolution", json={"outcome": DETAILS}
        ),
    ]


async def _to_whom_it_is_no_business(on: Callers, child: str) -> Sequence[httpx2.Response]:
    at = f"/v1/children/{child}"
    answers = []
    for api in (on.stranger, on.analyst, *on.forgers):
        report = {"type": "content", "severity": "low", "details": DETAILS}
        answers += [
            await api.commands.patch(f"{at}/profile", json=profile(9)),
            await api.commands.post(f"{at}/safety-violations", json=report),
            await api.commands.post(f"{at}/deactivation", json={"reason": canary("reason", 9)}),
            await api.queries.get(at),
            await api.queries.get(f"{at}/safety-report"),
        ]
    for api in (on.analyst, *on.forgers):
        answers += [
            await api.commands.post("/v1/children", json=registration(9)),
            await api.queries.get("/v1/children", params={"name": canary("name")}),
        ]
    return [*answers, await on.bear.commands.post("/v1/children", json=registration(9))]


async def _questions(on: Callers, child: str) -> Sequence[httpx2.Response]:
    queries, at = on.parent.queries, f"/v1/children/{child}"
    asked: list[tuple[str, dict[str, str]]] = [
        ("/v1/children", {"age_min": QUERY}),
        ("/v1/children", {"cursor": QUERY}),
        ("/v1/children", {"safety_status": QUERY}),
        ("/v1/children", {"name[$ne]": QUERY}),
        ("/v1/children", {place(7): "1"}),
        (f"{at}/safety-report", {"from": QUERY}),
        (f"{at}/conversations", {"cursor": QUERY}),
        (f"{at}/analytics", {"period_days": QUERY}),
    ]
    return [
        *[await queries.get(path, params=params) for path, params in asked],
        await queries.get(at, headers={"Consistency-Token": canary("header", 4)}),
    ]


async def _by_the_edge(api: Api, child: str) -> list[httpx2.Response]:
    """What is refused before anybody looks at what it says."""
    answers = []
    for client in (api.commands, api.queries):
        for path in (
            f"/v1/children/{PATH}%20{PATH}",
            f"/v1/{PATH}",
            f"/{PATH}/..%2f",
            f"/v1//{PATH}",
        ):
            answers.append(await client.get(path))
        answers += [
            await client.get("/v1/children", params={"name": QUERY * 200}),
            await client.get("/v1/children", headers={"X-Filler": canary("header", 5) * 800}),
            await client.request("PROPFIND", f"/v1/children/{PATH}"),
        ]
    huge = {"preferences": {place(7): canary("preference", 7) * 3_000}}
    deep: Any = canary("preference", 6)
    for _ in range(40):
        deep = {canary("preference", 6): deep}
    return [
        *answers,
        await api.commands.patch(f"/v1/children/{child}/profile", json=huge),
        await api.commands.patch(f"/v1/children/{child}/profile", json={"preferences": deep}),
        await api.commands.post(
            "/v1/children", content=QUERY, headers={"Content-Type": "text/plain"}
        ),
    ]


async def no_http(url: httpx2.URL) -> bytes:
    """What is answered to bytes that are no request, but a name."""
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(f"{canary('name', 5)} {PATH}\r\nname: {canary('name', 5)}\r\n\r\n".encode())
    await writer.drain()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def _bytes(answer: httpx2.Response) -> bytes:
    headers = (name + b": " + value for name, value in answer.headers.raw)
    return b"\n".join([*headers, answer.content])
