"""Operations through the client: it asks once, and waits until the operation has ended."""

from collections.abc import Sequence
from typing import Any

import httpx2
import orjson
import pytest

from shared.client import Operation, OperationNotListed, TeddyClient, TeddyProblem
from shared.client import operations as client_operations

STARTED = httpx2.Response(202, json={"operation_id": "op-1", "kind": "rebuild", "state": "x"})


def standing(state: str, done: int | None = None, **more: Any) -> dict[str, Any]:
    return {"operation_id": "op-1", "state": state, "done": done, "outcome": None, **more}


class Apis:
    """The command API answers `started`; the query API each of `lists` once."""

    def __init__(self, started: httpx2.Response, *lists: Sequence[dict[str, Any]]) -> None:
        self._started = started
        self._lists = iter(lists)
        self.asked: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        if request.method == "POST":
            return self._started
        return httpx2.Response(200, json={"operations": list(next(self._lists))})

    def client(self) -> TeddyClient:
        transport = httpx2.MockTransport(self)
        return TeddyClient("http://command", "http://query", "token", transport=transport)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_operations, "POLL_SECONDS", 0.0)


async def test_a_rebuild_is_watched_from_its_beginning_to_its_end():
    # given
    other = {"operation_id": "op-0", "state": "done"}
    requested, running, done = standing("requested"), standing("running", 4), standing("done", 8)
    apis = Apis(STARTED, [], [other], [requested], [requested], [running, other], [running], [done])
    seen: list[Operation] = []
    # when
    async with apis.client() as client:
        ended = await client.rebuild_read_models(["safety"], seen.append)
    # then
    assert ended == done
    assert seen == [requested, running, done]
    sent = apis.asked[0]
    assert (sent.method, sent.url.path) == ("POST", "/v1/operations")
    assert orjson.loads(sent.content) == {"kind": "rebuild", "models": ["safety"]}
    assert sent.headers["Idempotency-Key"]


async def test_what_failed_is_returned_with_its_reason():
    apis = Apis(STARTED, [standing("failed", outcome="another rebuild is running")])
    async with apis.client() as client:
        ended = await client.redrive_dead_letters()
    assert (ended["state"], ended["outcome"]) == ("failed", "another rebuild is running")


@pytest.mark.parametrize(
    ("method", "options", "body"),
    [
        ("rebuild_read_models", {}, {"kind": "rebuild"}),
        ("redrive_dead_letters", {}, {"kind": "redrive-children"}),
        (
            "redrive_dead_letters",
            {"child_ids": ["mia"], "from_store": True},
            {"kind": "redrive-children", "child_ids": ["mia"], "from_store": True},
        ),
        ("redrive_notifications", {}, {"kind": "redrive-notifications"}),
        ("clear_all_caches", {}, {"kind": "clear-caches"}),
    ],
)
async def test_each_asks_for_its_own(method: str, options: dict[str, Any], body: dict[str, Any]):
    apis = Apis(STARTED, [standing("done")])
    async with apis.client() as client:
        await getattr(client, method)(**options)
    assert orjson.loads(apis.asked[0].content) == body


async def test_a_second_one_is_refused_and_names_the_first():
    problem = {"code": "operation-running", "operation_id": "op-0", "detail": "It runs."}
    apis = Apis(httpx2.Response(409, json=problem))
    async with apis.client() as client:
        with pytest.raises(TeddyProblem) as refused:
            await client.redrive_notifications()
    assert (refused.value.code, refused.value.body["operation_id"]) == ("operation-running", "op-0")
    assert len(apis.asked) == 1


async def test_one_that_others_pushed_off_the_list_is_not_waited_for():
    # given
    others = [{"operation_id": f"op-{number}", "state": "done"} for number in range(2, 22)]
    running = standing("running", 4)
    apis = Apis(STARTED, [], [running], others)
    seen: list[Operation] = []
    # when
    async with apis.client() as client:
        with pytest.raises(OperationNotListed, match="op-1 was running"):
            await client.rebuild_read_models(watch=seen.append)
    # then
    assert seen == [running]


async def test_one_that_ended_in_a_state_of_a_newer_release_is_followed_no_longer():
    # given
    cancelled = standing("cancelled", ended_at="2026-03-01T12:00:00Z")
    apis = Apis(STARTED, [standing("paused", ended_at=None)], [cancelled])
    # when
    async with apis.client() as client:
        ended = await client.rebuild_read_models()
    # then
    assert ended == cancelled


async def test_one_that_never_is_on_the_list_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
):
    # given: no worker runs, or it was asked for long ago
    monkeypatch.setattr(client_operations, "MOST_LOOKS_UNSEEN", 3)
    apis = Apis(STARTED, [], [], [])
    # then
    async with apis.client() as client:
        with pytest.raises(OperationNotListed, match="op-1 is not listed"):
            _ = [one async for one in client.follow_operation("op-1")]
    assert len(apis.asked) == 3
