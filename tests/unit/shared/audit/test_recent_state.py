"""Whether the trail is being signed, from heads and the ends of segments alone."""

from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.audit.chain import place_of
from shared.audit.heads import KIND, Head
from shared.audit.recent_state import TrailState, Unsigned, recent_state
from shared.audit.record import AuditRecord
from shared.audit.writer import GAP, UNRECORDED
from shared.clock import iso
from shared.signing import PROOF_KEY_ID, StatementSigner, StatementVerifier, public_jwks
from tests.fakes.audit_blocks import MemoryAuditBlocks

BEGAN = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW = BEGAN + timedelta(hours=3)
SINCE = NOW - timedelta(hours=1)
KEY = Ed25519PrivateKey.generate()
SIGNER = StatementSigner(KEY)
VERIFIER = StatementVerifier(public_jwks(KEY, PROOF_KEY_ID))


def record(at: datetime, operation: str = "GetAlerts", outcome: str = "answered") -> AuditRecord:
    return AuditRecord(at, "o-1", "admin", operation, outcome)


def trail_of_three_hours() -> MemoryAuditBlocks:
    """A record and a head every ten minutes."""
    trail = MemoryAuditBlocks()
    for minutes in range(0, 180, 10):
        at = BEGAN + timedelta(minutes=minutes)
        trail.write(record(at))
        trail.sign(SIGNER, at)
    return trail


async def state_of(trail: MemoryAuditBlocks) -> TrailState:
    return await recent_state(trail, VERIFIER, SINCE)


def texts(state: TrailState) -> list[str]:
    return [str(one) for one in state.findings]


async def test_what_is_signed_to_its_end_is_well_and_no_block_is_read_for_it():
    trail = trail_of_three_hours()
    state = await state_of(trail)
    newest = BEGAN + timedelta(minutes=170)
    assert state == TrailState(newest, Unsigned(0, None), 0, ())
    assert trail.read == 0
    assert trail.heads_read < 12


async def test_records_behind_the_last_head_are_unsigned_since_the_first_of_them():
    # given
    trail = trail_of_three_hours()
    first = NOW - timedelta(minutes=5)
    trail.write(record(first), record(NOW))
    trail.write(record(NOW))
    trail.write(record(NOW), segment="query-2")
    # when / then
    assert (await state_of(trail)).unsigned == Unsigned(4, first)


async def test_a_process_that_was_killed_is_signed_for_by_another_one():
    # given
    trail = trail_of_three_hours()
    trail.write(record(NOW), segment="killed-1")
    assert (await state_of(trail)).unsigned == Unsigned(1, NOW)
    # when
    trail.write(record(NOW), segment="query-2")
    head = Head(
        segment="query-2",
        number=1,
        tail=await trail.end_of("query-2"),
        at=iso(NOW),
        previous="",
        seen={"killed-1": await trail.end_of("killed-1")},
    )
    trail.statements["query-2"] = [SIGNER.sign(KIND, head.statement())]
    # then
    state = await state_of(trail)
    assert state.head_at == NOW
    assert state.unsigned.number == 0


async def test_a_segment_that_was_cut_off_behind_its_last_head_is_found():
    trail = trail_of_three_hours()
    del trail.kept[place_of("query-1", 18)]
    assert texts(await state_of(trail)) == [
        "audit segment query-1: truncated: records 18 to 18 are missing"
    ]


async def test_a_last_block_that_was_replaced_is_found():
    # given
    trail = trail_of_three_hours()
    del trail.kept[place_of("query-1", 18)]
    # when
    trail.write(record(NOW, "GetChildProfile"))
    # then
    (found,) = texts(await state_of(trail))
    assert found.startswith("audit segment query-1: rewritten")


async def test_a_head_of_the_last_hour_that_is_missing_is_a_gap():
    # given the chain of another segment's numbering, without its next to last head
    trail = trail_of_three_hours()
    trail.statements["query-1"][-2] = trail.statements["query-1"][-3]
    # when / then
    found = texts(await state_of(trail))
    assert "audit segment query-1, head 17: another head stands in its place" in found


async def test_requests_that_could_not_be_recorded_are_counted_for_an_hour():
    # given
    trail = trail_of_three_hours()
    for ago, number in ((timedelta(hours=2), 100), (timedelta(minutes=30), 40), (timedelta(0), 2)):
        trail.write(record(NOW - ago, GAP, f"{number} {UNRECORDED}"), record(NOW - ago))
    trail.sign(SIGNER, NOW)
    # when / then
    assert (await state_of(trail)).unrecorded == 42


async def test_where_nothing_was_ever_recorded_nothing_is_wrong():
    assert await state_of(MemoryAuditBlocks()) == TrailState(None, Unsigned(0, None), 0, ())
