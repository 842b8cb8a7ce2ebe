"""`teddy audit show|export|verify-export` as an auditor uses them."""

import orjson
import pytest

from shared.audit.process import AuditProcess
from shared.auth.bears import BearIndex, Pseudonyms
from shared.clock import utc_now
from shared.event_store.mongo_claims import MongoClaimStore
from shared.event_store.port import Claim
from shared.keyring.key_file import read_key_file
from shared.mongo import Mongo
from tests.integration.audit.conftest import World, look
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


async def test_what_a_bear_did_under_an_earlier_release_is_found_by_its_device_id(world: World):
    # given
    by_another = await world.teddy("audit", "show", "--format", "json", "--device", "bear-9")
    assert (by_another.code, by_another.out) == (0, "")
    # when
    said = await world.teddy("audit", "show", "--format", "json", "--device", BEAR.subject)
    # then
    (record,) = map(orjson.loads, said.out.splitlines())
    assert record["operation"] == "GetChildProfile"
    assert record["subject"].startswith("bear-")
    assert BEAR.subject not in said.out
    assert said.err.startswith("teddy: no child has this bear now")


@pytest.mark.parametrize("options", [[], ["--every-block"]])
async def test_what_the_bears_of_a_child_did_is_found_by_the_device_id_of_its_bear(
    world: World, options: list[str]
):
    # given: the bear is reserved for Ada, and two processes recorded it, each by a name of its own
    await _reserve(world, BEAR.subject)
    names = [Pseudonyms().given(BEAR).on_record for _ in range(2)]
    async with AuditProcess(world.settings, "query").running() as trail:
        for name in names:
            await trail.record(look(name, role="device"))
        await trail.record(look(names[0], role="parent"))
    # when
    shown = ["audit", "show", "--format", "json", "--device", BEAR.subject.upper(), *options]
    said = await world.teddy(*shown)
    limited = await world.teddy(*shown, "--limit", "1")
    elsewhere = await world.teddy(*shown, "--operation", "RegisterChild")
    # then
    records = [orjson.loads(line) for line in said.out.splitlines()]
    assert [record["subject"] for record in records] == names[::-1]
    assert said.err == f"teddy: it is the bear of child {ADA}\n"
    assert limited.out.count("\n") == 1
    assert elsewhere.out == ""


async def _reserve(world: World, device_id: str) -> None:
    mongo = Mongo(world.url)
    claims = MongoClaimStore(mongo.database(world.database))
    index = BearIndex(read_key_file(world.folder / "keys.json").index_key)
    await claims.take(Claim(index.device_key(device_id.upper()), ADA, 0, utc_now()))
    await claims.close()
    await mongo.close()


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
    altered = await world.verify_file("audit", "verify-export", str(file))
    # then
    assert (good.code, good.out) == (0, "no tampering found; checked 9 audit records\n")
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
