"""Whoever edits, deletes, reorders or truncates commits or audit records is found, and where."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.audit.process import AuditProcess
from tests.integration.audit.conftest import World, look
from tests.support.child_facts import ADA
from tests.support.consents import BORN

Collection = Any
Tamper = Callable[[Collection], None]


SECOND, LAST = {"first_version": BORN + 1}, {"first_version": BORN + 3}


def _reorder_commits(commits: Collection) -> None:
    second, third = (commits.find_one({"first_version": BORN + number}) for number in (1, 2))
    for one, place in ((second, third), (third, second)):
        commits.update_one({"_id": place["_id"]}, {"$set": {"events": one["events"]}})


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (
            lambda commits: commits.update_one(SECOND, {"$set": {"actor.subject": "somebody"}}),
            f"version {BORN + 1}: content differs from hash",
        ),
        (lambda commits: commits.delete_one(SECOND), f"deleted: versions {BORN + 1} to {BORN + 1}"),
        (
            lambda commits: commits.delete_one(LAST),
            f"truncated: versions {BORN + 3} to {BORN + 3} are missing",
        ),
        (
            lambda commits: commits.delete_many({"child_id": ADA}),
            f"deleted: all commits up to version {BORN + 3} are missing",
        ),
        (_reorder_commits, f"version {BORN + 1}: content differs from hash"),
    ],
    ids=["edited", "deleted", "truncated", "all deleted", "reordered"],
)
async def test_tampering_with_commits_is_named(world: World, tamper: Tamper, named: str):
    with world.collection("commits") as commits:
        tamper(commits)
    said = await world.teddy("audit", "verify")
    assert said.code == 1, said.err
    assert f"child {ADA}" in said.out
    assert named in said.out


def _with_lines(first: int, change: Callable[[list[str]], list[str]]) -> Tamper:
    """Of the block whose first record has this number."""

    def tamper(blocks: Collection) -> None:
        block = blocks.find_one({"first": first})
        blocks.update_one({"_id": block["_id"]}, {"$set": {"lines": change(block["lines"])}})

    return tamper


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (
            _with_lines(5, lambda lines: [lines[0].replace("parent-ada", "nobody-ada")]),
            "record 5: edited",
        ),
        (
            lambda blocks: blocks.update_one({"first": 5}, {"$set": {"digests": ["0" * 64]}}),
            "record 5: edited: its hash does not match its digests",
        ),
        (lambda blocks: blocks.delete_one({"first": 5}), "record 5: deleted"),
        (_with_lines(7, lambda lines: [lines[0], *lines[2:]]), "record 8: deleted or edited"),
        (
            _with_lines(7, lambda lines: lines[::-1]),
            "records 7 to 9: reordered: its records stand as [9, 8, 7]",
        ),
        (lambda blocks: blocks.delete_one({"first": 7}), "truncated: records 7 to 9 are missing"),
        (lambda blocks: blocks.delete_many({}), "truncated: records 1 to 9 are missing"),
    ],
    ids=["edited", "digest", "deleted", "one deleted", "reordered", "truncated", "all deleted"],
)
async def test_tampering_with_audit_records_is_named(world: World, tamper: Tamper, named: str):
    with world.collection("audit_blocks") as blocks:
        tamper(blocks)
    said = await world.teddy("audit", "verify")
    assert said.code == 1, said.err
    assert "audit segment command-" in said.out
    assert named in said.out


async def test_a_whole_trail_that_was_deleted_with_its_heads_is_found_by_the_heads_file(
    world: World,
):
    # given
    for name in ("audit_blocks", "audit_heads", "audit_segments"):
        with world.collection(name) as collection:
            collection.delete_many({})
    # when
    said = await world.teddy("audit", "verify")
    # then
    assert said.code == 1
    assert "head 1: deleted from the database" in said.out
    assert "truncated: records 1 to 9 are missing" in said.out


async def test_a_process_that_was_killed_before_it_signed_is_vouched_for_by_the_others(
    world: World,
):
    # given: a segment that never ended, and one that ends after it
    killed = AuditProcess(world.settings, "killed")
    await killed.trail.record(look("officer-3"))
    await killed.mongo.close()
    async with AuditProcess(world.settings, "other").running() as trail:
        await trail.record(look("officer-4"))
    untouched = await world.teddy("audit", "verify")
    # when
    with world.collection("audit_blocks") as blocks:
        blocks.delete_many({"segment": killed.trail.segment})
    tampered = await world.teddy("audit", "verify")
    # then
    assert untouched.code == 0
    assert f"{killed.trail.segment}: still open, or its process was killed" in untouched.out
    assert tampered.code == 1
    gone = f"audit segment {killed.trail.segment}: truncated: records 1 to 1 are missing"
    assert gone in tampered.out


async def test_a_head_that_somebody_forged_is_refused(world: World):
    with world.collection("audit_heads") as heads:
        head = heads.find_one({})
        assert head is not None
        forged = head["statement"][:-6] + "AAAAAA"
        heads.update_one({"_id": head["_id"]}, {"$set": {"statement": forged}})
    said = await world.teddy("audit", "verify")
    assert said.code == 1
    assert "database, head 1: the signature does not match" in said.out


async def test_a_trail_that_nobody_touched_verifies(world: World):
    said = await world.teddy("audit", "verify")
    assert (said.code, said.err) == (0, "")
    assert "no tampering found; checked 1 signed heads, 9 audit records" in said.out
    assert "1 children, 4 commits" in said.out
