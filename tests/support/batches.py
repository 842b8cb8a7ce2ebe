"""Batches of commands, and what came of each."""

from typing import Any
from uuid import uuid4

import httpx2

from tests.support.command_side import CommandClient

PATH = "/commands:batch"


def item(command: str, key: str, body: Any = None, **path: str) -> dict[str, Any]:
    made: dict[str, Any] = {"command": command, "idempotency_key": f"{key:->8}", "path": path}
    return made if body is None else made | {"body": body}


def a_talk(child_id: str, messages: int, talk: str | None = None) -> list[dict[str, Any]]:
    """A conversation from its start to its end, with `messages` messages."""
    ids = {"child_id": child_id, "conversation_id": talk or str(uuid4())}
    said = [
        item(
            "RecordMessage",
            f"{ids['conversation_id']}-{n}",
            {"role": "bear", "word_count": n},
            **ids,
        )
        for n in range(messages)
    ]
    chosen = {"conversation_id": ids["conversation_id"]}
    return [
        item("StartConversation", f"{chosen['conversation_id']}-start", chosen, child_id=child_id),
        *said,
        item("EndConversation", f"{chosen['conversation_id']}-end", **ids),
    ]


async def send(client: CommandClient, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The result of each."""
    response = await client.send("POST", PATH, {"commands": items})
    assert response.status_code == 200, response.text
    results: list[dict[str, Any]] = response.json()["results"]
    assert len(results) == len(items)
    return results


def statuses(results: list[dict[str, Any]]) -> list[int]:
    return [result["status"] for result in results]


def codes(results: list[dict[str, Any]]) -> list[str]:
    """`done`, `replayed`, or the problem's code."""
    return [
        result["problem"]["code"]
        if "problem" in result
        else ("replayed" if result.get("replayed") else "done")
        for result in results
    ]


def as_response(result: dict[str, Any]) -> httpx2.Response:
    """As the command's own route would have answered, but for headers."""
    return httpx2.Response(result["status"], json=result.get("answer") or result["problem"])
