"""The audit trail by the client, as an officer asks for it."""

import httpx2
import orjson
import pytest

from shared.audit.bundle import check_bundle
from shared.client import TeddyClient, TeddyProblem
from tests.support.child_facts import ADA, VIOLATION
from tests.support.incidents import incident
from tests.support.query_side import OFFICER, QuerySide


def client_of(side: QuerySide) -> TeddyClient:
    token = side.bearer(OFFICER)["Authorization"].removeprefix("Bearer ")
    transport = httpx2.ASGITransport(side.app)
    return TeddyClient("http://command", "http://query", token, transport=transport)


async def test_who_looked_comes_in_pages():
    side = QuerySide()
    await incident(side)
    async with client_of(side) as officer:
        first = await officer.get_child_audit_records(ADA, limit=2)
        second = await officer.get_child_audit_records(ADA, 2, first["next_cursor"])
    operations = [one["operation"] for page in (first, second) for one in page["items"]]
    assert len(operations) == 4
    assert "ReportSafetyViolation" in operations
    assert first["findings"] == []


async def test_evidence_is_a_file_and_says_when_it_can_be_had():
    side = QuerySide()
    await incident(side, signed=False)
    async with client_of(side) as officer:
        with pytest.raises(TeddyProblem) as refused:
            await officer.export_evidence(ADA, VIOLATION)
        side.sign()
        file = await officer.export_evidence(ADA, VIOLATION)
    assert (refused.value.code, refused.value.retry_after) == ("evidence-not-signed-yet", 60)
    report, records = check_bundle(orjson.loads(file), side.proof_keys)
    assert (report.findings, bool(records)) == ([], True)
