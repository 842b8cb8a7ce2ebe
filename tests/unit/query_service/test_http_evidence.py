"""The evidence of an incident over HTTP: the file that `teddy evidence verify` takes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta

import httpx2
import orjson
import pytest

from query_service.api.audit_routes import EvidenceStream
from shared.audit.bundle import check_bundle
from shared.audit.chain import Block, place_of
from shared.auth.access import Principal
from shared.event_store.port import StoreUnavailable
from tests.fakes.audit_blocks import MemoryAuditBlocks
from tests.support.child_facts import ADA, LATER, VIOLATION
from tests.support.incidents import incident, look
from tests.support.problem_documents import assert_problem
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, device, parent
from tests.support.rate_limits import limits_of
from tests.support.waiting import until

PATH = f"/v1/children/{ADA}/safety-violations/{VIOLATION}/evidence"


@pytest.fixture
def held(side: QuerySide, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The trail's store answers no read of a segment before this is set."""
    free, read = asyncio.Event(), MemoryAuditBlocks.segment

    async def wait_first(
        self: MemoryAuditBlocks, segment: str, first: int = 0
    ) -> AsyncIterator[Block]:
        await free.wait()
        async for block in read(self, segment, first):
            yield block

    monkeypatch.setattr(MemoryAuditBlocks, "segment", wait_first)
    return free


def checked(side: QuerySide, answer: httpx2.Response) -> list[str]:
    """What the file says of who did what, once it has proved itself."""
    assert answer.status_code == 200, answer.text
    report, records = check_bundle(orjson.loads(answer.content), side.proof_keys)
    assert report.findings == []
    return [f"{one['subject']} {one['operation']}" for one in records]


async def test_the_file_proves_the_incident_and_who_saw_the_child(side: QuerySide):
    await incident(side)
    answer = await side.get(PATH, OFFICER)
    records = checked(side, answer)
    assert "officer-1 ReportSafetyViolation" in records
    assert "officer-2 GetChildProfile" in records
    disposition = f'attachment; filename="evidence-{VIOLATION}.json"'
    assert answer.headers["Content-Disposition"] == disposition
    assert answer.headers["Cache-Control"] == "no-store"


async def test_personal_values_stay_closed_in_it(side: QuerySide):
    await incident(side)
    text = (await side.get(PATH, OFFICER)).text
    assert "SafetyViolationReported" in text
    for value in ("TEDDY-0000-0001", "Ada"):
        assert value not in text


async def test_it_can_be_had_after_the_child_was_erased(side: QuerySide):
    await incident(side)
    await side.list_as_erased(ADA)
    await side.key_store.destroy(ADA)
    assert checked(side, await side.get(PATH, OFFICER))


async def test_it_is_on_record_before_anything_is_read(side: QuerySide, held: asyncio.Event):
    # given
    await incident(side)
    # when
    asking = asyncio.create_task(side.get(PATH, OFFICER))
    await until(lambda: bool(side.audit.entries))
    # then
    (begun,) = side.audit.entries
    assert (begun.subject, begun.operation, begun.outcome) == (
        "officer-1",
        "ExportEvidence",
        "begun",
    )
    assert begun.children == (ADA,)
    assert not asking.done()
    # and what came of it is on record, too, under the same id
    held.set()
    answer = await asking
    outcomes = [(one.outcome, one.correlation_id) for one in side.audit.entries]
    id_of_both = answer.headers["Correlation-Id"]
    assert outcomes == [("begun", id_of_both), ("answered", id_of_both)]


async def test_nothing_is_read_while_it_cannot_be_recorded(side: QuerySide):
    await incident(side)
    side.audit.away = True
    assert_problem(await side.get(PATH, OFFICER), 503, "audit-unavailable")
    assert side.trail.read == 0


@pytest.mark.parametrize("who", [parent("parent-ada"), device("b"), ANALYST], ids=lambda w: w.role)
async def test_it_is_for_officers_and_administrators(side: QuerySide, who: Principal):
    await incident(side)
    assert_problem(await side.get(PATH, who), 403, "forbidden")
    assert [one.outcome for one in side.audit.entries] == ["forbidden"]
    assert checked(side, await side.get(PATH, ADMIN))


async def test_what_no_head_covers_yet_can_be_had_later(side: QuerySide):
    # given
    await incident(side, signed=False)
    # when
    answer = await side.get(PATH, OFFICER)
    # then
    assert_problem(answer, 503, "evidence-not-signed-yet")
    assert answer.headers["Retry-After"] == "60"
    assert side.audit.entries[-1].outcome == "evidence-not-signed-yet"
    side.sign()
    assert checked(side, await side.get(PATH, OFFICER))


@pytest.mark.parametrize("path", [PATH.replace(VIOLATION, "v-9"), PATH.replace(ADA, VIOLATION)])
async def test_there_is_none_of_a_violation_that_did_not_happen(side: QuerySide, path: str):
    await incident(side)
    assert_problem(await side.get(path, OFFICER), 404, "violation-not-found")


async def test_what_was_altered_since_is_said_in_the_file(side: QuerySide):
    await incident(side)
    del side.trail.kept[place_of("query-1", 1)]
    bundle = (await side.get(PATH, OFFICER)).json()
    assert bundle["trail"]["findings"] == [
        "audit segment query-1: truncated: records 1 to 2 are missing"
    ]
    report, _ = check_bundle(bundle, side.proof_keys)
    assert "when the file was created" in str(report.findings[0])


async def test_records_that_no_head_covers_are_counted(side: QuerySide):
    await incident(side)
    side.trail.write(look("officer-3", side, at=LATER))
    bundle = (await side.get(PATH, OFFICER)).json()
    assert bundle["unsigned_audit_records"] == 1
    assert "officer-3" not in str(bundle["audit"])


async def test_one_is_made_at_a_time(side: QuerySide, held: asyncio.Event):
    await incident(side)
    first = asyncio.create_task(side.get(PATH, OFFICER))
    await until(lambda: bool(side.audit.entries))
    # when
    second = await side.get(PATH, ADMIN)
    # then
    assert_problem(second, 503, "overloaded")
    assert second.headers["Retry-After"] == "10"
    # and the next one once the first is done
    held.set()
    assert checked(side, await first)
    assert checked(side, await side.get(PATH, ADMIN))


async def test_one_that_takes_too_long_ends_and_names_the_command_line(
    side: QuerySide, held: asyncio.Event
):
    await incident(side)
    side.service.edge.evidence.most_seconds = 0.05
    answer = await side.get(PATH, OFFICER)
    assert_problem(answer, 503, "evidence-too-long")
    assert "teddy evidence export" in answer.json()["detail"]
    # and the next one has its turn
    held.set()
    side.service.edge.evidence.most_seconds = 30
    assert checked(side, await side.get(PATH, OFFICER))


async def test_of_more_signed_heads_than_may_be_kept_there_is_none(side: QuerySide):
    await incident(side)
    side.service.edge.evidence.most_heads = 1
    answer = await side.get(PATH, OFFICER)
    assert_problem(answer, 503, "evidence-too-long")
    assert "over 1 signed heads" in answer.json()["detail"]


async def test_heads_signed_long_before_are_not_read_and_the_file_says_since_when(side: QuerySide):
    # given
    for number in range(100):
        at = side.now - timedelta(days=2, minutes=-number)
        side.trail.write(look("officer-2", side, at=at))
        side.trail.sign(side.proofs, at)
    await incident(side)
    # when
    answer = await side.get(PATH, OFFICER)
    # then
    assert checked(side, answer)
    assert side.trail.heads_read <= 1 + 10 + 1
    assert answer.json()["trail"]["heads_since"] == "2026-11-23T11:00:00.000Z"
    report, _ = check_bundle(answer.json(), side.proof_keys)
    assert "heads signed since 2026-11-23T11:00:00.000Z" in report.notes[0]


async def test_who_takes_it_steadily_but_too_slowly_keeps_nobody_from_it(side: QuerySide):
    # given a reader that takes something in time, again and again
    await incident(side)
    made = side.service.edge.evidence
    made.sending_seconds = 0.3

    async def slowly() -> AsyncGenerator[bytes, None]:
        while True:
            yield b"x"

    sent: list[object] = []

    async def take(message: object) -> None:
        sent.append(message)
        await asyncio.sleep(0.01)

    async def stay() -> dict[str, str]:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    slot = made.slot()
    stream = EvidenceStream(
        slowly(), slot, {}, made.reader_seconds, most_seconds=made.sending_seconds
    )
    # when
    async with asyncio.timeout(10):
        await stream({"type": "http", "asgi": {"spec_version": "2.4"}}, stay, take)
    # then
    assert len(sent) > 5
    assert checked(side, await side.get(PATH, ADMIN))


async def test_while_a_store_is_away_it_says_which(
    side: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    await incident(side)
    side.trail.away = True
    assert_problem(await side.get(PATH, OFFICER), 503, "audit-trail-unavailable")
    side.trail.away = False

    async def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(side.events, "load", away)
    assert_problem(await side.get(PATH, OFFICER), 503, "event-store-unavailable")


async def test_it_has_a_limit_of_its_own():
    side = QuerySide(limits=limits_of(evidence="1/hour"))
    await incident(side)
    assert (await side.get(PATH, OFFICER)).status_code == 200
    assert_problem(await side.get(PATH, OFFICER), 429, "too-many-requests")


async def test_others_are_answered_while_a_long_trail_is_read(side: QuerySide):
    # given many records since
    await incident(side)
    for number in range(400):
        at = side.now + timedelta(seconds=number)
        side.trail.write(*(look("officer-2", side, at=at) for _ in range(20)))
    side.sign()
    # when
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    answer = await side.get(PATH, OFFICER)
    counting.cancel()
    # then somebody else had a turn for each block, twice: read to be checked, and to be written
    assert len(checked(side, answer)) > 8_000
    assert turns >= 800
