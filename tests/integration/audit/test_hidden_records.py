"""What is stored beside the records, and no hash covers, decides nothing: whoever changes it in the
database, without any key, neither has records deleted nor hides them unseen."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.audit.block_check import check_content
from shared.audit.chain import block_hash, digest_of, read_lines, root_of
from shared.audit.process import AuditProcess
from shared.audit.store import AuditStore
from shared.clock import iso, utc_now
from shared.mongo import Mongo
from shared.signing import StatementSigner, read_signing_key
from tests.integration.audit.conftest import World, look
from tests.support.child_facts import ADA

Collection = Any
Tamper = Callable[[Collection], None]
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
GOLDEN = Path(__file__).parents[2] / "golden" / "audit" / "block.v1.json"
EVER = ("--from", "2000-01-01", "--to", "2100-01-01")


def _age(blocks: Collection) -> None:
    blocks.update_many({}, {"$set": {"since": LONG_AGO, "until": LONG_AGO}})


def _rewrite_as_old(blocks: Collection) -> None:
    """All that needs no key: lines, digests, hashes and index fit each other again."""
    previous = ""
    for block in blocks.find({}).sort("_id", 1):
        lines = [_aged(line) for line in block["lines"]]
        digests = [digest_of(line) for line in lines]
        previous = _store(blocks, block, previous, lines, digests)


def _aged(line: str) -> str:
    record = orjson.loads(line) | {"at": iso(LONG_AGO)}
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS).decode()


def _store(
    blocks: Collection, block: Any, previous: str, lines: list[str], digests: list[str]
) -> str:
    chained = block_hash(previous, block["_id"], root_of(digests))
    content = {"previous_hash": previous, "hash": chained, "lines": lines, "digests": digests}
    changes = {**content, "since": LONG_AGO, "until": LONG_AGO}
    blocks.update_one({"_id": block["_id"]}, {"$set": changes})
    return chained


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (_age, "edited beside its records: since, until not as these say"),
        (
            lambda blocks: blocks.update_many({}, {"$set": {"until": LONG_AGO}}),
            "edited beside its records: until not as these say",
        ),
        (_rewrite_as_old, "rewritten: a signed head has a different hash"),
    ],
)
async def test_the_purge_deletes_nothing_that_was_made_to_look_old(
    world: World, tamper: Tamper, named: str
) -> None:
    # given
    with world.collection("audit_blocks") as blocks:
        tamper(blocks)
        # when
        planned, applied = await world.retention("plan"), await world.retention("apply")
        # then
        assert sum(len(block["lines"]) for block in blocks.find({})) == 9
    for said in (planned, applied):
        assert (said.code, said.err.count("\n")) == (1, 1)
        assert said.err.startswith("teddy: nothing was deleted: audit segment command-")
        assert named in said.err
    verified = await world.teddy("audit", "verify")
    assert verified.code == 1
    assert named in verified.out


async def test_the_purge_deletes_nothing_that_was_made_to_seem_signed_away(world: World) -> None:
    # given a segment of which the first record was purged, and is said to be all there was
    process = AuditProcess(world.settings, "query")
    async with process.running() as trail:
        await trail.record(look("officer-1", utc_now() - timedelta(days=40)))
        await trail.record(look("officer-2"))
    assert "1 audit records deleted" in (await world.retention("apply")).out
    with world.collection("audit_blocks") as blocks:
        blocks.update_many({"segment": trail.segment}, {"$set": {"last": 1}})
        # when
        applied = await world.retention("apply")
        # then
        assert applied.code == 1
        assert blocks.count_documents({"segment": trail.segment}) == 1
    verified = await world.teddy("audit", "verify")
    assert "record 2: edited beside its records: last not as these say" in verified.out


async def test_a_head_that_was_taken_away_stops_the_purge(aged: World) -> None:
    with aged.collection("audit_heads") as heads:
        heads.delete_many({})

    applied = await aged.retention("apply")

    assert applied.code == 1
    assert "head 1: deleted from the database" in applied.err
    with aged.collection("audit_blocks") as blocks:
        assert sum(len(block["lines"]) for block in blocks.find({})) == 9


FIELDS: dict[str, Any] = {
    "segment": "elsewhere",
    "first": 77,
    "last": 78,
    "since": LONG_AGO,
    "until": LONG_AGO,
    "children": [],
    "subjects": [],
    "operations": ["NothingAtAll"],
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("change", ["$set", "$unset"])
async def test_every_field_beside_the_records_is_held_against_them(
    world: World, field: str, change: str
) -> None:
    # given
    with world.collection("audit_blocks") as blocks:
        blocks.update_one({"_id": {"$regex": "@0*5$"}}, {change: {field: FIELDS[field]}})
    # when
    verified = await world.teddy("audit", "verify")
    evidence = await world.export_evidence(world.folder / "evidence.json")
    exported = await world.teddy("audit", "export", *EVER, str(world.folder / "audit.jsonl"))
    # then
    named = f"record 5: edited beside its records: {field} not as these say"
    assert [said.code for said in (verified, evidence, exported)] == [1, 1, 1]
    assert named in verified.out
    assert named in evidence.err
    assert named in exported.err


def _hide(blocks: Collection) -> None:
    blocks.update_many({}, {"$set": {"children": [], "subjects": [], "operations": []}})


@pytest.mark.parametrize("tamper", [_hide, _age], ids=["unnamed", "aged"])
async def test_what_is_hidden_from_the_index_is_in_the_evidence_which_says_so(
    world: World, tamper: Tamper
) -> None:
    # given
    with world.collection("audit_blocks") as blocks:
        tamper(blocks)
    # when
    exported = await world.export_evidence(world.folder / "evidence.json")
    verified = await world.verify_file("evidence", "verify", str(world.folder / "evidence.json"))
    # then
    assert (exported.code, verified.code) == (1, 1)
    assert "edited beside its records" in exported.err
    for who in ("officer-1 (parent)  GetChildProfile", "officer-2", "ReportSafetyViolation"):
        assert who in verified.out
    assert "when the file was created: audit segment command-" in verified.out
    assert "not the one" not in verified.out  # nothing else is wrong with the file


async def test_what_is_hidden_from_the_index_is_shown_by_a_look_at_every_block(
    world: World,
) -> None:
    # given
    with world.collection("audit_blocks") as blocks:
        _hide(blocks)
    # when
    asked = ("audit", "show", "--child", ADA, "--format", "json", "--limit", "2")
    by_index = await world.teddy(*asked)
    by_lines = await world.teddy(*asked, "--every-block")
    verified = await world.teddy("audit", "verify")
    # then
    assert (by_index.code, by_index.out) == (0, "")
    subjects = [orjson.loads(line)["sequence"] for line in by_lines.out.splitlines()]
    assert subjects == [9, 8]
    assert (by_lines.code, verified.code) == (1, 1)
    for reported in (by_lines.err, verified.out):
        assert "edited beside its records: children, subjects, operations" in reported


async def test_a_look_that_reads_a_record_that_was_altered_says_so(world: World) -> None:
    # given
    with world.collection("audit_blocks") as blocks:
        blocks.update_one({"first": 5}, {"$set": {"lines": ['{"no": "record"}']}})
    # when
    said = await world.teddy("audit", "show", "--child", ADA)
    # then
    assert said.code == 1
    assert "record 5: deleted or edited" in said.err


@pytest.mark.parametrize("field", ["lines", "digests", "hash", "previous_hash"])
@pytest.mark.parametrize("value", [None, 7, [7], "x"])
async def test_whatever_stands_in_a_block_is_named_and_no_traceback(
    world: World, field: str, value: Any
) -> None:
    # given
    with world.collection("audit_blocks") as blocks:
        blocks.update_one({"first": 5}, {"$set": {field: value}})
    # when
    said = await world.teddy("audit", "verify")
    shown = await world.teddy("audit", "show", "--every-block")
    # then
    assert (said.code, shown.code, said.err) == (1, 1, "")
    assert "record 5" in said.out


async def test_a_span_that_was_left_out_of_an_export_is_missed(world: World) -> None:
    # given two spans, of which the second goes
    async with AuditProcess(world.settings, "query").running() as trail:
        await trail.record(look("officer-1"))
    file = await _exported(world)
    title, first, _, end = file.read_bytes().splitlines(keepends=True)
    # when
    file.write_bytes(title + first + end)
    left_out = await world.verify_file("audit", "verify-export", str(file))
    file.write_bytes(title + first)
    cut = await world.verify_file("audit", "verify-export", str(file))
    # then
    assert (left_out.code, cut.code) == (1, 1)
    assert "file: altered after it was signed" in left_out.out
    assert "file: its end is missing, with the signature" in cut.out


async def test_a_record_that_was_put_into_an_export_in_place_of_another_is_found(
    world: World,
) -> None:
    # given a line, its digest with it, and the true root beside them
    file = await _exported(world)
    title, span, end = map(orjson.loads, file.read_bytes().splitlines())
    block = span["blocks"][4]
    block["root"] = root_of(block["digests"])
    block["lines"] = [line.replace("parent-ada", "nobody-ada") for line in block["lines"]]
    block["digests"] = [hashlib.sha256(line.encode()).hexdigest() for line in block["lines"]]
    file.write_bytes(b"\n".join(map(orjson.dumps, (title, span, end))))
    # when
    said = await world.verify_file("audit", "verify-export", str(file))
    # then
    assert said.code == 1
    assert "their hash differs from the signed head" in said.out


async def test_files_of_an_earlier_release_verify_and_say_what_they_do_not_show(
    world: World,
) -> None:
    # given
    export = await _exported(world)
    title, span, _ = map(orjson.loads, export.read_bytes().splitlines())
    old_title = title | {"format": "teddy-audit-export/1", "spans": 1}
    export.write_bytes(orjson.dumps(old_title) + b"\n" + orjson.dumps(span) + b"\n")
    await world.export_evidence(world.folder / "evidence.json")
    evidence = world.folder / "evidence.json"
    bundle = orjson.loads(evidence.read_bytes())
    del bundle["trail"], bundle["signature"]
    digest = digest_of(orjson.dumps(bundle, option=orjson.OPT_SORT_KEYS).decode())
    signer = StatementSigner(read_signing_key(world.folder / "proof.pem"))
    signature = signer.sign("teddy-evidence", {"digest": digest})
    evidence.write_bytes(orjson.dumps(bundle | {"signature": signature}))
    # when
    exported = await world.verify_file("audit", "verify-export", str(export))
    proved = await world.teddy("evidence", "verify", str(evidence), offline=True)
    # then
    assert (exported.code, proved.code) == (0, 0), exported.out + proved.out
    assert "note: made by an earlier release" in exported.out
    assert "note: made by an earlier release" in proved.out


async def test_a_block_of_the_first_release_is_as_it_was_written(
    mongo_url: str, fresh_database: str
) -> None:
    # given
    block = orjson.loads(GOLDEN.read_bytes())
    block |= {name: datetime.fromisoformat(block[name]) for name in ("since", "until")}
    mongo = Mongo(mongo_url)
    database = mongo.database(fresh_database)
    await database["audit_blocks"].insert_one(block)
    # when
    store = AuditStore(database)
    found = [check_content(one, read_lines(one)) async for one in store.blocks({})]
    segments = await store.segments()
    await mongo.close()
    # then
    assert (found, segments) == ([[]], ["command-1"])


async def test_heads_are_read_from_the_newest_backwards(
    mongo_url: str, fresh_database: str
) -> None:
    # given
    mongo = Mongo(mongo_url)
    store = AuditStore(mongo.database(fresh_database))
    for segment in ("query-1", "query-10", "query-2"):
        for number in range(1, 13):
            await store.add_head(segment, number, f"{segment} {number}")
    # when
    segments = await store.segments_of_heads()
    newest = await store.newest_heads("query-1", None, 2)
    older = await store.newest_heads("query-1", 11, 20)
    none = await store.newest_heads("query-1", 1, 20)
    await mongo.close()
    # then
    assert segments == ["query-10", "query-1", "query-2"]
    assert newest == [(12, "query-1 12"), (11, "query-1 11")]
    assert older == [(number, f"query-1 {number}") for number in range(10, 0, -1)]
    assert none == []


@pytest.mark.parametrize(
    "cutoff",
    [{"activity": "2100-01-01"}, {"alerts": datetime(2100, 1, 1, tzinfo=UTC)}],
    ids=["activity", "alerts"],
)
async def test_read_models_are_not_purged_by_a_cutoff_that_somebody_moved(
    world: World, cutoff: dict[str, Any]
) -> None:
    # given an alert and a day of today, and a retention cutoff beyond them
    today = utc_now()
    with world.collection("alerts__g1") as alerts, world.collection("activity__g1") as days:
        alerts.insert_one({"_id": "a-1", "raised_at": today})
        days.insert_one({"_id": "d-1", "day": today.date().isoformat()})
        with world.collection("read_model_horizon") as cutoffs:
            cutoffs.insert_one({"_id": "horizon", **cutoff})
        # when
        planned, applied = await world.retention("plan"), await world.retention("apply")
        # then
        assert (alerts.count_documents({}), days.count_documents({})) == (1, 1)
    for said in (planned, applied):
        assert (said.code, said.err.count("\n")) == (1, 1)
        assert "read_model_horizon is later than any setting allows" in said.err


async def _exported(world: World) -> Path:
    file = world.folder / "audit.jsonl"
    said = await world.teddy("audit", "export", *EVER, str(file))
    assert said.code == 0, said.err
    return file
