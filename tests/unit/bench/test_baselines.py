"""What is measured beside: each does the work that its row says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from tests.bench.baselines.constant import by_fastapi, by_hand
from tests.bench.baselines.domain_library import children
from tests.bench.baselines.empty import app as empty
from tests.bench.baselines.faust_agent import folded
from tests.bench.people import MESSAGE, child_body

ANSWER = {"headers": {"etag": '"1"', "x-cache": "hit"}, "body": {"name": "Mia"}}
JSON = {"Content-Type": "application/json"}


def _client(app: Any) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://bench")


@pytest.mark.parametrize(("path", "body"), [("/children", child_body(1)), ("/messages", MESSAGE)])
async def test_the_empty_endpoint_takes_what_our_own_takes(path: str, body: bytes) -> None:
    async with _client(empty) as http:
        assert (await http.post(path, content=body, headers=JSON)).status_code == 201


@pytest.mark.parametrize("field", ["udid", "age", "consents"])
async def test_the_empty_endpoint_checks_the_model(field: str) -> None:
    body = orjson.loads(child_body(1)) | {field: {"not": "this"}}

    async with _client(empty) as http:
        assert (await http.post("/children", json=body)).status_code == 422


@pytest.mark.parametrize("build", [by_fastapi, by_hand])
async def test_a_constant_has_the_headers_and_body_of_the_file(build: Any) -> None:
    app = build(ANSWER["headers"], ANSWER["body"])

    async with _client(app) as http:
        answer = await http.get("/v1/children/child-1")

    assert answer.json() == ANSWER["body"]
    assert (answer.headers["etag"], answer.headers["x-cache"]) == ('"1"', "hit")
    assert answer.headers["content-type"] == "application/json"


def test_the_domain_of_the_library_decides_as_ours(tmp_path: Path) -> None:
    app = children(tmp_path / "events.sqlite")
    child = app.register(1)
    app.start(child, "talk")

    app.record(child, "talk")

    assert app.repository.get(child).words == 12
    with pytest.raises(ValueError, match="not open"):
        app.record(child, "another talk")
    app.close()


def test_the_faust_agent_counts_what_happened() -> None:
    document: dict[str, Any] = {"_id": "child-1"}
    events: Sequence[tuple[str, dict[str, Any]]] = (
        ("ChildRegistered", {"parent_id": "parent-1"}),
        ("ConversationStarted", {}),
        ("MessageRecorded", {"word_count": 12}),
        ("SafetyViolationReported", {}),
    )
    for number, (kind, event) in enumerate(events, 1):
        folded(document, kind, number, event)

    assert document == {
        "_id": "child-1",
        "version": 4,
        "parent_id": "parent-1",
        "status": "active",
        "conversation_count": 1,
        "message_count": 1,
        "word_count": 12,
        "open_violations": 1,
    }
