"""The tables of SQL, made by their process from real read models."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from query_service.read_store.port import ReadStoreUnavailable
from query_service.sql.snapshots import snapshot_of_read_models
from query_service.sql.tables import TABLES
from shared.mongo import Database, Mongo
from shared.read_models.documents import Model
from shared.read_models.generations import Generation
from tests.support.processes import store_settings
from tests.support.read_model_builders import (
    child_document,
    conversation_document,
    violation_document,
)

AT = datetime(2026, 11, 23, 12, 34, 56, tzinfo=UTC)
CANARY = "canary-5f1d"


async def _put(database: Database, model: Model, *documents: object) -> None:
    await Generation(1).collection(database, model).insert_many([*documents])  # type: ignore[list-item]


async def _put_all(mongo_url: str, name: str) -> None:
    """Three children, one erased; a conversation and a violation of the first."""
    mongo = Mongo(mongo_url)
    database = mongo.database(name)
    personal = {"name": CANARY, "udid": CANARY, "device_id": CANARY, "interests": CANARY}
    await _put(
        database,
        Model.CHILDREN,
        child_document("child-1", parent_id=CANARY, created_at=AT, safety_score=70.0, **personal),
        child_document("child-2", parent_id=CANARY, status="deactivated"),
        child_document("child-3", status="erased"),
    )
    topic = {"topic": CANARY, "topics": [CANARY]}
    talk = conversation_document("child-1", CANARY, started_at=AT, message_count=3, **topic)
    await _put(database, Model.CONVERSATIONS, talk)
    report = violation_document("child-1", CANARY, at=AT, type=CANARY, details=CANARY)
    await _put(database, Model.VIOLATIONS, report)
    await mongo.close()


async def test_a_snapshot_has_every_document_and_nothing_of_the_erased_or_personal(
    mongo_url: str, fresh_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in store_settings(mongo_url, fresh_database, "READ").items():
        monkeypatch.setenv(name, value)
    await _put_all(mongo_url, fresh_database)

    file = tmp_path / "snapshot.duckdb"
    assert await snapshot_of_read_models(file) is None

    assert CANARY.encode() not in file.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    with duckdb.connect(str(file), read_only=True) as found:
        counts = {
            t.name: found.execute(f"SELECT count(*) FROM {t.name}").fetchone() for t in TABLES
        }
        assert counts == {
            "children": (2,),
            "conversations": (1,),
            "violations": (1,),
            "activity": (0,),
            "alerts": (0,),
        }
        joined = found.execute(
            "SELECT registered_at, started_at, conversations.messages, safety_score, severity "
            "FROM conversations JOIN children USING (child) JOIN violations USING (child)"
        ).fetchall()
        minute = datetime(2026, 11, 23, 12, 34)  # noqa: DTZ001 - DuckDB's times have no zone
        assert joined == [(minute, minute, 3, 70.0, "low")]
        one_family = found.execute("SELECT count(DISTINCT family), min(child) FROM children")
        assert one_family.fetchone()[0] == 1  # type: ignore[index]


async def test_without_a_read_store_there_is_no_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in store_settings("mongodb://127.0.0.1:1/", "nowhere", "READ").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ReadStoreUnavailable):
        await snapshot_of_read_models(tmp_path / "snapshot.duckdb")
