"""When and how a child's parent is alerted."""

from typing import Any

import httpx2
import pytest

from query_service.queries.get_alert_policy import GetAlertPolicy
from shared.auth.access import Principal
from shared.read_models.documents import AlertPolicyEntry
from tests.support.both_apis import BothApis
from tests.support.consents import CONSENTS
from tests.support.problem_documents import assert_problem
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, device, parent
from tests.support.read_model_builders import NOON, violation

DEFAULT = {"threshold": "high", "count": 3, "window_hours": 24, "channels": ["in_app"]}
OWN: AlertPolicyEntry = {
    "threshold": "critical",
    "count": 5,
    "window_hours": 48,
    "channels": ["in_app", "webhook"],
}

MIA = {"name": "Mia", "age": 6, "udid": "udid-0000001", "consents": CONSENTS}


def in_force(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in DEFAULT}


async def test_where_nothing_was_configured_the_default_is_in_force(side: QuerySide):
    # given one child of which nothing was reported, and one of which something was
    await side.child("lena")
    await side.child("leo")
    side.report("leo", violation("v1"))
    # when / then
    for child_id in ("lena", "leo"):
        answer = await side.ask(GetAlertPolicy(child_id), OFFICER)
        assert in_force(answer) == DEFAULT
        assert answer["is_default"]
        assert answer["child_id"] == child_id


async def test_a_change_of_the_policy_is_shown_at_once(side: QuerySide):
    # given an answer that is kept
    await side.child("lena", parent_id="weiss", version=3)
    side.report("lena")
    assert (await side.ask(GetAlertPolicy("lena"), parent("weiss")))["is_default"]
    # when
    side.store.safety_documents["lena"]["alert_policy"] = {**OWN}
    side.change("lena")
    # then
    answer = await side.ask(GetAlertPolicy("lena"), parent("weiss"))
    assert in_force(answer) == OWN
    assert not answer["is_default"]
    assert answer["version"] == 4


@pytest.mark.parametrize(
    ("asker", "status", "code"),
    [
        (parent("weiss"), 200, ""),
        (OFFICER, 200, ""),
        (ADMIN, 200, ""),
        (parent("braun"), 404, "child-not-found"),
        (device("bear-7"), 403, "forbidden"),
        (ANALYST, 403, "forbidden"),
    ],
)
async def test_it_is_shown_to_who_may_configure_it_or_see_the_report(
    side: QuerySide, asker: Principal, status: int, code: str
):
    await side.child("lena", parent_id="weiss")
    answer = await side.get("/v1/children/lena/alert-policy", asker)
    if status == 200:
        assert (answer.status_code, in_force(answer.json())) == (200, DEFAULT)
    else:
        assert_problem(answer, status, code)


async def test_of_a_child_that_stands_still_it_says_so(side: QuerySide):
    await side.child("lena")
    side.store.stale["lena"] = NOON
    answer = await side.ask(GetAlertPolicy("lena"), OFFICER)
    assert answer["stale_since"] == "2026-11-23T12:00:00.000Z"


async def test_what_was_configured_is_what_is_answered():
    # given
    apis, weiss = BothApis(), parent("weiss")
    transport = httpx2.ASGITransport(apis)
    async with httpx2.AsyncClient(transport=transport, base_url="http://teddy") as client:

        async def send(method: str, path: str, body: Any = None) -> Any:
            headers = {"Authorization": apis.bearer(weiss, method, path)}
            answer = await client.request(method, path, json=body, headers=headers)
            assert answer.is_success, answer.text
            return answer.json()

        child_id = (await send("POST", "/v1/children", MIA))["child_id"]
        path = f"/v1/children/{child_id}/alert-policy"
        before = await send("GET", path)
        # when
        version = (await send("PUT", path, OWN))["version"]
        after = await send("GET", path)
    # then
    assert (in_force(before), before["is_default"]) == (DEFAULT, True)
    assert (in_force(after), after["is_default"]) == (OWN, False)
    assert after["version"] == version
