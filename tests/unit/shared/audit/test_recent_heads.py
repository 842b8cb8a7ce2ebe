"""Signed heads since a time: no others are read, and what is wrong with them is found as it is
among all heads."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.audit import heads as signed_heads
from shared.audit import recent_heads
from shared.audit.block_check import Report
from shared.audit.head_check import Signatures
from shared.audit.heads import read_head
from shared.audit.periods import blocks_between
from shared.audit.recent_heads import TooManyHeads, read_recent
from shared.audit.record import AuditRecord
from shared.signing import PROOF_KEY_ID, StatementSigner, StatementVerifier, public_jwks
from tests.fakes.audit_blocks import MemoryAuditBlocks
from tests.support.child_facts import ADA

BEGAN = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTES, OF_THEM = 40, 30
SINCE = BEGAN + timedelta(minutes=OF_THEM)
RECENT = MINUTES - OF_THEM
KEY = Ed25519PrivateKey.generate()
SIGNER = StatementSigner(KEY)
VERIFIER = StatementVerifier(public_jwks(KEY, PROOF_KEY_ID))
ONE, OTHER = "query-1", "query-2"


def trail_of(*segments: str) -> MemoryAuditBlocks:
    """A record and a head a minute."""
    trail = MemoryAuditBlocks()
    for minute in range(MINUTES):
        at = BEGAN + timedelta(minutes=minute)
        for segment in segments:
            trail.write(
                AuditRecord(at, "o-1", "admin", "GetChildProfile", "answered", "", "c", (ADA,)),
                segment=segment,
            )
        trail.sign(SIGNER, at)
    return trail


async def read(
    trail: MemoryAuditBlocks, file: Iterable[str] = (), most: int = 1_000
) -> tuple[Signatures, list[str]]:
    report = Report()
    signed = await read_recent(trail, VERIFIER, file, SINCE, most, report)
    return signed, [str(finding) for finding in report.findings]


def lines(trail: MemoryAuditBlocks) -> list[str]:
    """As processes append them, in turn."""
    return [text for texts in zip(*trail.statements.values(), strict=True) for text in texts]


async def test_the_newest_head_before_is_the_oldest_one_that_is_kept(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(recent_heads, "AT_ONCE", 3)
    trail = trail_of(ONE, OTHER)
    signed, findings = await read(trail, lines(trail))
    assert findings == []
    for segment in (ONE, OTHER):
        assert [head.number for head in signed.heads.of(segment)] == list(
            range(OF_THEM, MINUTES + 1)
        )
    assert trail.heads_read <= 2 * (RECENT + 4)


async def test_of_a_segment_that_ended_before_one_head_is_read():
    trail = trail_of(ONE, OTHER)
    del trail.statements[OTHER][OF_THEM:]
    trail.heads_read = 0
    signed, findings = await read(trail)
    assert ([head.number for head in signed.heads.of(OTHER)], findings) == ([OF_THEM], [])


async def test_the_blocks_since_are_those_that_all_heads_lead_to(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shared.audit.periods.CLOCK_STEPS", timedelta())
    trail, report = trail_of(ONE, OTHER), Report()
    signed, _ = await read(trail)
    blocks = [one async for one in blocks_between(trail, signed, SINCE, None, report)]
    assert (len(blocks), report.findings) == (2 * RECENT, [])
    # and what was taken away of them is named
    kept = {place: one for place, one in trail.kept.items() if one.first != MINUTES}
    trail.kept = kept
    assert [one async for one in blocks_between(trail, signed, SINCE, None, report)]
    assert f"truncated: records {MINUTES} to {MINUTES} are missing" in str(report.findings[0])


@pytest.mark.parametrize("number", [OF_THEM + 1, MINUTES - 1])
async def test_one_that_is_missing_since_is_named(number: int):
    trail = trail_of(ONE)
    texts = dict(enumerate(trail.statements[ONE], 1))
    del texts[number]
    _, findings = await read(_numbered(trail, texts))
    assert findings == [f"audit segment {ONE}: head {number} is missing"]


async def test_an_old_one_in_a_new_ones_place_hides_nothing():
    # given the newest head exchanged with the oldest, which alone would end the reading
    trail = trail_of(ONE)
    trail.statements[ONE][-1] = trail.statements[ONE][0]
    signed, findings = await read(trail)
    assert f"audit segment {ONE}, head {MINUTES}: another head stands in its place" in findings
    assert {head.number for head in signed.heads.of(ONE)} >= set(range(OF_THEM, MINUTES))


async def test_an_altered_one_is_refused_though_others_need_no_signature():
    trail = trail_of(ONE)
    text = trail.statements[ONE][-3]
    trail.statements[ONE][-3] = text[:-6] + ("AAAAAA" if text[-6:] != "AAAAAA" else "BBBBBB")
    _, findings = await read(trail)
    place = f"audit segment {ONE}, head {MINUTES - 2}"
    assert findings[0] == f"{place}: the signature does not match: it was altered"
    assert f"audit segment {ONE}: head {MINUTES - 2} is missing" in findings


async def test_what_was_deleted_from_the_database_is_known_by_the_file():
    trail = trail_of(ONE, OTHER)
    file = lines(trail)
    del trail.statements[ONE][-2:]
    del trail.statements[OTHER]
    signed, findings = await read(trail, file)
    gone = [one for one in findings if one.endswith("deleted from the database")]
    assert len(gone) == len(findings) == 2 + RECENT + 1
    assert signed.heads.of(OTHER)[-1].number == MINUTES


async def test_a_line_of_the_file_that_is_no_head_is_named_with_its_number():
    trail = trail_of(ONE)
    file = [*lines(trail), "nothing"]
    _, findings = await read(trail, file)
    assert findings == [f"heads file, head {MINUTES + 1}: not a signed statement"]


async def test_more_heads_than_may_be_kept_are_refused_from_either_place():
    trail = trail_of(ONE)
    with pytest.raises(TooManyHeads):
        await read(trail, most=RECENT - 1)
    file = lines(trail)
    trail.statements.clear()
    with pytest.raises(TooManyHeads):
        await read(trail, file, most=RECENT - 1)


async def test_a_signature_is_checked_of_the_newest_alone(monkeypatch: pytest.MonkeyPatch):
    opened: list[str] = []
    check = signed_heads.open_head

    def counted(verifier: StatementVerifier, text: str) -> signed_heads.Head:
        opened.append(text)
        return check(verifier, text)

    monkeypatch.setattr("shared.audit.head_check.open_head", counted)
    trail = trail_of(ONE)
    await read(trail, lines(trail))
    assert opened == [trail.statements[ONE][-1]]


def _numbered(trail: MemoryAuditBlocks, texts: dict[int, str]) -> MemoryAuditBlocks:
    """The heads stand where their numbers say, also beside a gap."""

    class WithGap(MemoryAuditBlocks):
        async def newest_heads(
            self, segment: str, before: int | None, limit: int
        ) -> list[tuple[int, str]]:
            numbers = [one for one in sorted(texts, reverse=True) if before is None or one < before]
            return [(number, texts[number]) for number in numbers[:limit]]

    return WithGap(kept=trail.kept, statements=trail.statements)


def test_a_head_says_the_same_with_and_without_its_signature():
    text = trail_of(ONE).statements[ONE][-1]
    assert read_head(text) == signed_heads.open_head(VERIFIER, text)
    with pytest.raises(orjson.JSONDecodeError):
        read_head("nothing")
