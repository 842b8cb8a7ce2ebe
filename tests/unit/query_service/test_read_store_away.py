"""What is shown of the cache while the read store is away, and what is not."""

from collections.abc import Callable

import httpx2
import pytest

from shared.event_store.port import StoreUnavailable
from shared.keyring.key_store import KeyStoreUnavailable
from tests.fakes.keys import MemoryKeyStore
from tests.support.query_side import ANALYST, OFFICER, QuerySide, device, parent

WEISS = parent("weiss")
LENA = "/v1/children/lena"
A_WHILE = 20.0


async def _kept(side: QuerySide, client: httpx2.AsyncClient, path: str) -> None:
    """The answer is in the cache when the read store goes away."""
    assert (await client.get(path)).status_code == httpx2.codes.OK
    side.store.away_for = A_WHILE


def _code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    "path",
    [
        LENA,
        f"{LENA}/safety-report",
        f"{LENA}/conversations",
        f"{LENA}/alert-policy",
        f"{LENA}/analytics",
        f"{LENA}/series",
        "/v1/children?name=lena",
        "/v1/parents/weiss/children",
        "/v1/system/analytics",
    ],
)
async def test_what_was_kept_is_shown_and_marked_and_recorded(side: QuerySide, path: str):
    # given
    await side.child("lena", parent_id="weiss")
    async with side.client(OFFICER) as client:
        await _kept(side, client, path)
        recorded = len(side.audit.entries)
        # when
        answer = await client.get(path)
    # then
    assert answer.status_code == 200
    assert answer.headers["Cache-Status"] == "teddy-query; hit; detail=read-store-down"
    assert answer.headers["Age"] == "0"
    (entry,) = side.audit.entries[recorded:]
    assert (entry.outcome, entry.subject) == ("answered", OFFICER.on_record)


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (lambda side: setattr(side.audit, "away", True), "audit-unavailable"),
        (lambda side: side.connect(False), "read-store-unavailable"),
        (lambda side: side.keyring.refuse(["lena"]), "read-store-unavailable"),
    ],
    ids=[
        "it cannot be recorded",
        "no change is heard of",
        "the child was erased, its key restored",
    ],
)
async def test_nothing_kept_is_shown_once(
    side: QuerySide, happens: Callable[[QuerySide], None], code: str
):
    await side.child("lena", parent_id="weiss")
    async with side.client(WEISS) as client:
        await _kept(side, client, LENA)
        happens(side)
        answer = await client.get(LENA)
    assert _code(answer) == (503, code)


async def test_after_the_settings_time_nothing_kept_is_shown(side: QuerySide):
    await side.child("lena", parent_id="weiss")
    longest = side.settings.cache_seconds_without_read_store
    async with side.client(WEISS) as client:
        await _kept(side, client, LENA)
        assert side.service.outage.is_bearable()
        # when
        side.store.away_for = longest + 1
        answer = await client.get(LENA)
        # then
        assert _code(answer) == (503, "read-store-unavailable")
        assert answer.headers["Retry-After"] == "1"
        assert not side.service.outage.is_bearable()
        # when it is back
        side.store.away_for = None
        answer = await client.get(LENA)
    # then
    assert answer.headers["Cache-Status"] == "teddy-query; hit"


@pytest.mark.parametrize(
    ("path", "afterwards"),
    [
        (LENA, (404, 0)),
        ("/v1/parents/weiss/children", (200, 1)),
        ("/v1/children?status=active", (200, 1)),
    ],
)
async def test_an_erased_child_is_not_shown_though_nobody_is_notified_of_it(
    side: QuerySide, path: str, afterwards: tuple[int, int]
):
    # given two siblings in the cache
    for child_id in ("lena", "leo"):
        await side.child(child_id, parent_id="weiss")
    async with side.client(WEISS) as client:
        await _kept(side, client, path)
        # when another process destroys the key of one, and no notice of it comes
        await side.key_store.destroy("lena")
        refused = await client.get(path)
        # then, also once the read store answers again
        side.store.away_for = None
        shown = await client.get(path)
    assert _code(refused) == (503, "read-store-unavailable")
    assert (shown.status_code, shown.text.count('"child_id"')) == afterwards


async def test_without_the_key_store_no_child_is_shown_but_numbers_are(
    side: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    async def away(*_: object) -> None:
        raise KeyStoreUnavailable("MongoDB: no answer within 1.25 s")

    await side.child("lena", parent_id="weiss")
    async with side.client(WEISS) as client, side.client(ANALYST) as analyst:
        await _kept(side, client, LENA)
        await analyst.get("/v1/system/analytics")
        # when
        monkeypatch.setattr(MemoryKeyStore, "find", away)
        of_a_child = await client.get(LENA)
        numbers = await analyst.get("/v1/system/analytics")
    # then
    assert _code(of_a_child) == (503, "key-store-unavailable")
    assert of_a_child.headers["Retry-After"] == "1"
    assert numbers.headers["Cache-Status"] == "teddy-query; hit; detail=read-store-down"


async def test_a_bear_is_shown_nothing_kept_for_it_may_be_another_childs_by_now(side: QuerySide):
    await side.child("lena", parent_id="weiss", device_id="bear-7")
    async with side.client(device("bear-7")) as client:
        await _kept(side, client, LENA)
        answer = await client.get(LENA)
    assert _code(answer) == (503, "read-store-unavailable")


async def test_a_token_is_never_answered_with_something_older(
    side: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    # given
    document = await side.child("lena", parent_id="weiss")
    async with side.client(WEISS) as client:
        await _kept(side, client, LENA)
        # when
        headers = {
            "Consistency-Token": side.tokens.issue("lena", document["version"] + 1),
            "Prefer": "wait=0.01",
        }
        answer = await client.get(LENA, headers=headers)
    # then
    assert _code(answer) == (503, "read-model-late")


async def test_an_event_store_that_is_away_is_named_by_an_export(
    side: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    async def away(*_: object) -> None:
        raise StoreUnavailable("MongoDB: no answer within 1.25 s")

    monkeypatch.setattr(type(side.events), "load", away)
    await side.child("lena", parent_id="weiss")
    answer = await side.get(f"{LENA}/export", WEISS)

    assert _code(answer) == (503, "event-store-unavailable")
