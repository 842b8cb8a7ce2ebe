"""All databases as the release of projections 6 left them: children with conversations, violations,
alerts that somebody was and was not told of, and one who was erased. Recorded from that release."""

from datetime import UTC
from pathlib import Path
from typing import Any

import orjson
from bson import json_util

from shared.mongo import Database

RECORDED = Path(__file__).parents[1] / "golden/read_models/projections_6.json"
FORMER: dict[str, Any] = json_util.loads(
    RECORDED.read_text(encoding="utf-8"),
    json_options=json_util.CANONICAL_JSON_OPTIONS.with_options(tz_aware=True, tzinfo=UTC),
)
FORMER_PROJECTIONS = 6


async def put_former(database: Database) -> None:
    """Everything into one database, where nothing is yet."""
    for name, documents in FORMER["database"].items():
        await database[name].insert_many(documents)


def put_former_keys(key_file: Path) -> None:
    """The keys under which it is sealed; of tests alone."""
    key_file.write_bytes(orjson.dumps(FORMER["key_file"]))
    key_file.chmod(0o600)


def former(model: str) -> dict[str, Any]:
    """The documents of the live generation, by id."""
    return {one["_id"]: one for one in FORMER["database"][f"{model}__g1"]}
