"""Whether children's data is protected, as administrators see it."""

import os
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from query_service.main import wire
from query_service.queries.get_system_protection import GetSystemProtection
from query_service.read_store.port import ReadStoreUnavailable
from shared.audit.chain import place_of
from shared.audit.record import AuditRecord
from shared.audit.writer import GAP, UNRECORDED
from shared.auth.access import Principal
from shared.clock import iso
from shared.event_store.port import StoreUnavailable
from shared.keyring.erased_list import ErasedChild, ErasureStep, StepDone
from shared.keyring.key_file import KeyFile
from shared.keyring.key_store import WrappedKey
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, device, parent

PATH = "/v1/system/protection"
LENA, OTTO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


async def protection_of(side: QuerySide) -> dict[str, Any]:
    return dict(await side.ask(GetSystemProtection(), ADMIN))


def codes(protection: dict[str, Any]) -> list[str]:
    return [one["code"] for one in protection["findings"]]


async def erased(side: QuerySide, child_id: str, minutes: float, *done: ErasureStep) -> None:
    """So many minutes ago."""
    at = side.now - timedelta(minutes=minutes)
    await side.erased.add(
        ErasedChild(child_id=child_id, at=at, by_role="parent", version=2, hash="h")
    )
    for step in done:
        await side.erased.record(child_id, step, StepDone(at, 1))


def record(side: QuerySide, minutes: float, operation: str = "X", outcome: str = "") -> AuditRecord:
    """So many minutes ago."""
    at = side.now - timedelta(minutes=minutes)
    return AuditRecord(at, "admin-1", "admin", operation, outcome)


async def test_a_system_that_is_well_has_no_findings(side: QuerySide):
    # given
    await side.keyring.create(LENA)
    await erased(side, OTTO, 60, *ErasureStep)
    side.trail.write(record(side, 1))
    side.sign()
    # when / then
    assert await protection_of(side) == {
        "findings": [],
        "erasures": {"erased": 1, "open": 0, "oldest_since": None, "open_erasures": []},
        "keys": [{"key_id": "kek-1", "state": "active", "data_keys": 1}],
        "audit": {
            "newest_head_at": iso(side.now),
            "unsigned_records": 0,
            "unsigned_since": None,
            "unrecorded_requests": 0,
            "altered": [],
        },
    }


@pytest.mark.parametrize(("minutes", "expected"), [(15, []), (16, ["erasures-open"])])
async def test_an_erasure_that_takes_too_long_is_found(
    side: QuerySide, minutes: float, expected: list[str]
):
    # given
    await erased(side, OTTO, minutes, ErasureStep.KEY, ErasureStep.CLAIMS, ErasureStep.SNAPSHOTS)
    await erased(side, LENA, 1)
    # when
    protection = await protection_of(side)
    # then
    assert codes(protection) == expected
    erasures = protection["erasures"]
    since = iso(side.now - timedelta(minutes=minutes))
    assert (erasures["erased"], erasures["open"], erasures["oldest_since"]) == (2, 2, since)
    assert erasures["open_erasures"][0] == {
        "child_id": OTTO,
        "since": since,
        "outstanding": ["read_models", "dead_letters"],
    }


async def test_the_children_that_it_names_are_on_record(side: QuerySide):
    # given
    children = [f"00000000-0000-4000-8000-{number:012}" for number in range(51)]
    for number, child_id in enumerate(children):
        await erased(side, child_id, 100 - number)
    # when
    answer = await side.get(PATH, ADMIN)
    # then
    assert answer.json()["erasures"]["open"] == 51
    named = [one["child_id"] for one in answer.json()["erasures"]["open_erasures"]]
    assert named == children[:50]
    assert list(side.audit.entries[-1].children) == named


async def test_data_keys_under_a_key_that_the_file_lacks_are_found(side: QuerySide):
    # given
    await side.keyring.create(LENA)
    await side.key_store.insert(WrappedKey(OTTO, "kek-of-another-file", b""))
    # when
    protection = await protection_of(side)
    # then
    assert codes(protection) == ["keys-missing"]
    assert "1 data keys are wrapped under kek-of-another-file" in protection["findings"][0]["text"]
    assert protection["keys"] == [
        {"key_id": "kek-1", "state": "active", "data_keys": 1},
        {"key_id": "kek-of-another-file", "state": "missing", "data_keys": 1},
    ]


async def test_keys_that_are_too_many_to_be_counted_are_listed_without_their_number(
    monkeypatch: pytest.MonkeyPatch,
):
    # given a file with a replaced key
    old, new = os.urandom(32), os.urandom(32)
    keys = KeyFile("kek-2", {"kek-1": old, "kek-2": new}, os.urandom(32), os.urandom(32))
    side = QuerySide(keys=keys)

    async def late(seconds: float) -> dict[str, int]:
        assert seconds == 1.0
        raise StoreUnavailable

    monkeypatch.setattr(side.key_store, "count_by_kek", late)
    # when / then
    assert (await protection_of(side))["keys"] == [
        {"key_id": "kek-1", "state": "replaced", "data_keys": None},
        {"key_id": "kek-2", "state": "active", "data_keys": None},
    ]
    await side.close()


@pytest.mark.parametrize(("minutes", "expected"), [(5, []), (6, ["trail-unsigned"])])
async def test_records_that_nobody_signs_are_found(
    side: QuerySide, minutes: float, expected: list[str]
):
    side.trail.write(record(side, minutes), record(side, 0))
    protection = await protection_of(side)
    assert codes(protection) == expected
    assert protection["audit"]["newest_head_at"] is None
    assert protection["audit"]["unsigned_records"] == 2


async def test_a_trail_that_was_cut_off_and_requests_without_a_record_are_found(side: QuerySide):
    # given
    side.trail.write(record(side, 1, GAP, f"7 {UNRECORDED}"))
    side.trail.write(record(side, 1))
    side.sign()
    del side.trail.kept[place_of("query-1", 2)]
    # when
    protection = await protection_of(side)
    # then
    assert codes(protection) == ["trail-altered", "requests-unrecorded"]
    assert protection["audit"]["unrecorded_requests"] == 7
    truncated = "audit segment query-1: truncated: records 2 to 2 are missing"
    assert protection["audit"]["altered"] == [truncated]
    assert truncated in protection["findings"][0]["text"]


PARTS = ("erasures", "keys", "audit")


@pytest.mark.parametrize("away", PARTS)
async def test_a_part_that_cannot_be_read_is_null_and_takes_nothing_else_away(
    side: QuerySide, monkeypatch: pytest.MonkeyPatch, away: str
):
    # given
    async def fails(*_: object) -> Any:
        raise StoreUnavailable

    if away == "erasures":
        monkeypatch.setattr(side.erased, "open_erasures", fails)
    elif away == "audit":
        side.trail.away = True
    else:
        side.service = wire(side.settings, without_key_file(side), side.cache, side.caller)
    # when
    protection = await protection_of(side)
    # then
    assert {part for part in PARTS if protection[part] is None} == {away}
    assert protection["findings"] == []


def without_key_file(side: QuerySide) -> Any:
    def missing() -> KeyFile:
        raise FileNotFoundError

    return replace(side.ports, protection=replace(side.protection, key_file=missing).kept())


async def test_it_is_answered_while_the_read_store_is_away(
    side: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    async def away() -> None:
        raise ReadStoreUnavailable

    monkeypatch.setattr(side.service.edge.bus, "as_of", away)
    answer = await side.get(PATH, ADMIN)
    assert answer.status_code == 200, answer.text
    assert answer.json()["erasures"] is not None


async def test_what_is_asked_for_again_at_once_is_not_read_again(side: QuerySide):
    # given
    await protection_of(side)
    await erased(side, OTTO, 60)
    # when / then
    assert (await protection_of(side))["erasures"]["erased"] == 0
    side.now += timedelta(seconds=5)
    assert (await protection_of(side))["erasures"]["erased"] == 1


@pytest.mark.parametrize("other", [parent("weiss"), device("bear-1"), OFFICER, ANALYST], ids=str)
async def test_it_is_for_admins(side: QuerySide, other: Principal):
    assert (await side.get(PATH, other)).status_code == 403
