"""Exports as tests read them."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx2
import orjson

from shared.client.export import whole

Record = dict[str, Any]


def records_of(body: bytes) -> list[Record]:
    """All lines but the progress lines."""
    lines = [orjson.loads(line) for line in body.split(b"\n") if line]
    return [line for line in lines if line["kind"] != "progress"]


def cursors_of(body: bytes) -> list[str]:
    lines = [orjson.loads(line) for line in body.split(b"\n") if line]
    return [line["cursor"] for line in lines if line["kind"] == "progress"]


async def document_of(answer: httpx2.Response) -> Record:
    """The export as one document, as the client puts it together."""
    assert answer.status_code == 200, answer.text
    records = records_of(answer.content)
    assert records[-1]["kind"] == "end"
    return await whole(_each(records))


async def _each(records: Iterable[Record]) -> AsyncIterator[Record]:
    for record in records:
        yield record
