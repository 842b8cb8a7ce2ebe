"""`teddy audit show|export|verify-export` as an auditor uses them."""

import orjson
import pytest

from tests.integration.audit.conftest import World
from tests.support.child_facts import ADA
from tests.support.command_side import BEAR

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("options", "operations"),
    [
        (["--child", ADA, "--limit", "2"], ["GetChildProfile"] * 2),
        (["--child", NOBODY], []),
        (["--subject", "officer-1"], ["GetChildProfile", "ReportSafetyViolation"]),
        (["--operation", "RegisterChild"], ["RegisterChild"]),
        (["--from", "2100-01-01"], []),
        (["--to", "2000-01-01"], []),
    ],
)
async def test_records_are_found_the_newest_first(
    world: World, options: list[str], operations: list[str]
):
    said = await world.teddy("audit", "show", "--format", "json", *options)
    records = [orjson.loads(line) for line in said.out.splitlines()]
    assert (said.code, [record["operation"] for record in records]) == (0, operations)


async def test_the_table_shows_who_what_and_whom(world: World):
    said = await world.teddy_process("audit", "show", "--child", ADA)
    assert said.code == 0
    for shown in ("officer-1", "ReportSafetyViolation", "accepted", ADA):
        assert shown in said.out


async def test_what_a_bear_did_is_found_by_its_device_id(world: World):
    # given
    by_another = await world.teddy("audit", "show", "--format", "json", "--device", "bear-9")
    assert (by_another.code, by_another.out) == (0, "")
    # when
    said = await world.teddy("audit", "show", "--format", "json", "--device", BEAR.subject)
    # then
    (record,) = map(orjson.loads, said.out.splitlines())
    assert record["operation"] == "GetChildProfile"
    assert BEAR.subject not in said.out
    assert record["subject"].startswith("bear-")


async def test_an_export_is_verified_offline_and_an_altered_one_is_named(world: World):
    # given
    file = world.folder / "audit.jsonl"
    span = ["--from", "2000-01-01", "--to", "2100-01-01"]
    said = await world.teddy("audit", "export", *span, str(file))
    assert (said.code, said.out) == (0, f"{file}: 9 records\n")
    # when
    keys = ["--keys", str(world.folder / "proof-keys.json")]
    good = await world.teddy_process("audit", "verify-export", str(file), *keys, offline=True)
    file.write_bytes(file.read_bytes().replace(b"officer-1", b"officer-7"))
    altered = await world.teddy("audit", "verify-export", str(file), *keys, offline=True)
    # then
    assert (good.code, good.out) == (0, "all as it was written; looked at 9 audit records\n")
    assert altered.code == 1
    assert "record 6: edited" in altered.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "--from", "yesterday"],
        ["show", "--limit", "0"],
        ["show", "--device", "bear-1", "--subject", "parent-1"],
        ["export", "--from", "2100-01-01", "--to", "2000-01-01", "out"],
        ["export", "--from", "2000-01-01", "--to", "2100-01-01", "/no/such/folder/out"],
        ["verify", "--heads", "missing"],
    ],
)
async def test_what_cannot_be_meant_is_one_line_and_exit_2(world: World, arguments: list[str]):
    said = await world.teddy("audit", *arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err.count("\n") == 1
