"""How fast a query process answered lately, as administrators ask for it."""

import pytest

from shared.auth.access import Principal
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, device, parent

PATH = "/v1/system/requests"


async def test_an_admin_reads_what_the_process_answered_and_refused(side: QuerySide):
    # given
    await side.child("lena", parent_id="weiss")
    await side.get("/v1/children/lena", parent("weiss"))
    await side.get("/v1/children/lena", parent("braun"))
    await side.get("/v1/children/lena")
    # when
    answer = await side.get(PATH, ADMIN)
    # then
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["requests"], found["refused"]) == (3, 2)
    assert found["requests_per_second"] == pytest.approx(3 / found["seconds"], rel=0.06)
    assert found["p50_milliseconds"] == found["p99_milliseconds"] >= 0.1
    (slowest,) = found["slowest"]
    assert slowest.keys() == {"operation", "milliseconds", "status", "at"}
    assert slowest["operation"] == "GetChildProfile"
    assert found["refused_by_code"] == {"unauthenticated": 1, "child-not-found": 1}
    refused = [(one["code"], one["status"], one["role"]) for one in found["refusals"]]
    assert refused == [("unauthenticated", 401, None), ("child-not-found", 404, "parent")]
    assert found["refusals"][0]["at"].endswith("Z")


async def test_reading_it_is_counted_like_any_request(side: QuerySide):
    await side.get(PATH, ADMIN)
    found = (await side.get(PATH, ADMIN)).json()
    assert found["requests"] == 1
    assert [one["operation"] for one in found["slowest"]] == ["GetRecentRequests"]
    assert [one.operation for one in side.audit.entries] == ["GetRecentRequests"] * 2


@pytest.mark.parametrize("principal", [parent("p"), device("d"), OFFICER, ANALYST], ids=str)
async def test_it_is_for_administrators(side: QuerySide, principal: Principal):
    assert (await side.get(PATH, principal)).status_code == 403


async def test_each_process_counts_for_itself(side: QuerySide):
    await side.get(PATH, ADMIN)
    assert (await QuerySide().get(PATH, ADMIN)).json()["requests"] == 0
