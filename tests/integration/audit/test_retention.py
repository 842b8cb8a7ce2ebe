"""The trail goes back as far as the settings say; what stays is proved as before."""

from datetime import timedelta

from shared.audit.process import AuditProcess
from shared.audit.spans import KIND
from shared.clock import utc_now
from shared.signing import kind_of
from tests.integration.audit.conftest import THIRTY_DAYS, World, look
from tests.support.child_facts import ADA
from tests.support.consents import BORN


async def test_old_records_go_and_the_trail_still_verifies(aged: World) -> None:
    planned = await aged.retention("plan")
    applied = await aged.retention("apply")
    verified = await aged.teddy("audit", "verify")
    again = await aged.retention("apply")

    assert (planned.code, applied.code, again.code) == (0, 0, 0), applied.err
    assert "audit records" in planned.out
    assert "9 audit records deleted" in applied.out
    assert verified.code == 0, verified.out
    assert "9 audit records purged before" in verified.out
    assert "0 audit records deleted" in again.out


async def test_a_plan_changes_nothing(aged: World) -> None:
    with aged.collection("audit_blocks") as blocks:
        before = list(blocks.find({}))
        said = await aged.teddy_process("retention", "plan", settings=THIRTY_DAYS)
        assert list(blocks.find({})) == before
    assert said == await aged.retention("plan")


async def test_what_the_deleted_records_vouched_for_is_still_found(aged: World) -> None:
    await aged.retention("apply")

    with aged.collection("commits") as commits:
        commits.delete_one({"first_version": BORN + 3})

    verified = await aged.teddy("audit", "verify")
    assert verified.code == 1
    assert f"child {ADA}: truncated: versions {BORN + 3} to {BORN + 3} are missing" in verified.out


async def test_records_of_a_running_process_go_up_to_the_newest_old_one(world: World) -> None:
    # given a segment that began long ago and goes on today
    process = AuditProcess(world.settings, "query")
    async with process.running() as trail:
        await trail.record(look("officer-1", utc_now() - timedelta(days=40)))
        await trail.record(look("officer-2"))
        # a head of another process says how far the running ones have come
        async with AuditProcess(world.settings, "other").running() as other:
            await other.record(look("officer-4"))
        await world.retention("apply")
        await trail.record(look("officer-3"))

    verified = await world.teddy("audit", "verify")
    shown = await world.teddy("audit", "show", "--operation", "GetChildProfile")

    assert verified.code == 0, verified.out
    assert "1 audit records purged before" in verified.out
    assert "officer-3" in shown.out


async def test_old_records_that_no_head_signs_stay_and_are_reported(aged: World) -> None:
    # given a process that was killed before it, or another, signed
    killed = AuditProcess(aged.settings, "killed")
    await killed.trail.record(look("officer-1", utc_now() - timedelta(days=40)))
    await killed.mongo.close()

    planned = await aged.retention("plan")
    applied = await aged.retention("apply")

    for said in (planned, applied):
        assert (said.code, said.err.count("\n")) == (0, 1)
        assert said.err.startswith("teddy: 1 audit records are kept although expired")
    assert "9 audit records deleted" in applied.out
    with aged.collection("audit_blocks") as blocks:
        assert blocks.count_documents({"segment": killed.trail.segment}) == 1


async def test_a_statement_that_is_in_the_file_alone_is_made_good(aged: World) -> None:
    # given a purge that was killed between the file and the database
    with aged.collection("audit_blocks") as blocks, aged.collection("audit_purges") as purges:
        stored = list(blocks.find({}))
        await aged.retention("apply")
        purges.delete_many({})
        blocks.insert_many(stored)

        applied = await aged.retention("apply")

        assert (applied.code, applied.err) == (0, "")
        assert purges.count_documents({}) == 1
        assert not list(blocks.find({"_id": {"$in": [one["_id"] for one in stored]}}))
    assert (await aged.teddy("audit", "verify")).code == 0


async def test_whoever_deletes_more_than_was_signed_away_is_found(aged: World) -> None:
    async with AuditProcess(aged.settings, "query").running() as trail:
        await trail.record(look("officer-1"))
    await aged.retention("apply")

    with aged.collection("audit_blocks") as blocks:
        blocks.delete_many({"segment": {"$regex": "^query-"}})

    verified = await aged.teddy("audit", "verify")
    assert verified.code == 1
    assert "truncated: records 1 to 1 are missing" in verified.out


async def test_a_deletion_without_its_statement_is_found(aged: World) -> None:
    await aged.retention("apply")

    with aged.collection("audit_purges") as purges:
        purges.delete_many({})
    known_to_the_file = await aged.teddy("audit", "verify")
    heads_file = aged.folder / "heads.jws"
    lines = heads_file.read_text().splitlines()
    heads_file.write_text("\n".join(line for line in lines if kind_of(line) != KIND))
    unknown = await aged.teddy("audit", "verify")

    assert known_to_the_file.code == 0, known_to_the_file.out
    assert unknown.code == 1
    assert "truncated: records 1 to 9 are missing" in unknown.out


async def test_a_forged_statement_is_refused(aged: World) -> None:
    await aged.retention("apply")

    with aged.collection("audit_purges") as purges:
        purge = purges.find_one({})
        assert purge is not None
        forged = purge["statement"][:-6] + "AAAAAA"
        purges.update_one({"_id": purge["_id"]}, {"$set": {"statement": forged}})

    verified = await aged.teddy("audit", "verify")
    assert verified.code == 1
    assert "database, purge statement 1: the signature does not match" in verified.out


async def test_what_was_tampered_with_is_not_deleted(aged: World) -> None:
    with aged.collection("audit_blocks") as blocks:
        blocks.update_one({"first": 1}, {"$set": {"lines.0": "{}"}})
        before = blocks.count_documents({})
        applied = await aged.retention("apply")
        assert blocks.count_documents({}) == before

    assert applied.code == 1
    assert applied.err.startswith("teddy: nothing was deleted: audit segment command-")
    assert len(applied.err.splitlines()) == 1


async def test_killed_behind_its_statement_it_goes_on(aged: World) -> None:
    # given blocks that are back, as if they had not been deleted yet
    with aged.collection("audit_blocks") as blocks, aged.collection("audit_heads") as heads:
        stored, signed = list(blocks.find({})), list(heads.find({}))
        await aged.retention("apply")
        blocks.insert_many(stored)
        for head in signed:
            heads.replace_one({"_id": head["_id"]}, head, upsert=True)

        verified = await aged.teddy("audit", "verify")
        applied = await aged.retention("apply")

        assert verified.code == 0, verified.out
        assert applied.code == 0
        assert not list(blocks.find({"_id": {"$in": [one["_id"] for one in stored]}}))


async def test_days_that_cannot_be_meant_are_one_line_and_exit_2(world: World) -> None:
    said = await world.retention("apply", TEDDY_RETENTION_AUDIT_DAYS="29")

    assert said.code == 2
    assert said.err == "settings: TEDDY_RETENTION_AUDIT_DAYS: must be 0 or between 30 and 36500\n"


async def test_a_trail_that_is_kept_for_ever_is_not_touched(aged: World) -> None:
    said = await aged.retention("apply", TEDDY_RETENTION_AUDIT_DAYS="0")

    assert said.code == 0
    assert "audit records" not in said.out
