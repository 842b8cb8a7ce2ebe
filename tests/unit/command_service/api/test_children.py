"""Profile and life of an account over HTTP, also with many callers who want to change one child."""

import asyncio
from typing import Any

import pytest

from command_service.application import Tuning
from command_service.bus.child_queues import QueueLimits
from shared.event_store.envelope import Commit, NewCommit
from shared.event_store.port import VersionConflict
from tests.fakes.event_store import MemoryEventStore
from tests.support.command_side import QUERY_URL, CommandClient, CommandSide, Database
from tests.support.consents import BORN, CONSENTS, REGISTRATION
from tests.support.problem_documents import assert_problem

UNKNOWN = "7c0ff8a3-5a63-4d0e-9d3c-0f7c8e3f5a11"
POLICY = {"threshold": "medium", "count": 5, "window_hours": 48, "channels": ["in_app", "webhook"]}
REPORT = {"type": "bullying", "severity": "high", "details": "in the\nplayground"}
MESSAGE = {"role": "child", "word_count": 12, "topic": "dinosaurs"}


def on(child_id: str) -> list[tuple[str, str, Any]]:
    """Every command about a known child."""
    child, talk = f"/children/{child_id}", f"/children/{child_id}/conversations/{UNKNOWN}"
    return [
        ("PATCH", f"{child}/profile", {"age": 8}),
        ("POST", f"{child}/safety-violations", REPORT),
        ("POST", f"{child}/safety-violations/{UNKNOWN}/resolution", {"outcome": "confirmed"}),
        ("PUT", f"{child}/alert-policy", POLICY),
        ("POST", f"{child}/conversations", {}),
        ("POST", f"{talk}/messages", MESSAGE),
        ("POST", f"{talk}/end", None),
        ("POST", f"{child}/deactivation", {"reason": "moved on"}),
        ("POST", f"{child}/reactivation", None),
        ("DELETE", f"{child}/personal-data", None),
    ]


async def test_a_profile_changes_and_null_clears(mother: CommandClient, child: str):
    body = {"name": "Grace", "device_id": None, "interests": ["music"]}
    response = await mother.send("PATCH", f"{child}/profile", body)
    assert response.status_code == 200
    assert response.json()["events"] == ["ChildProfileUpdated"]
    assert "Location" not in response.headers


async def test_an_update_without_a_field_is_refused(mother: CommandClient, child: str):
    for raw in (b"{}", b""):
        response = await mother.send("PATCH", f"{child}/profile", raw=raw)
        assert_problem(response, 422, "no-change-given")


async def test_todays_values_leave_the_version_unchanged(side: CommandSide, mother: CommandClient):
    child_id = await mother.register()
    response = await mother.send("PATCH", f"/children/{child_id}/profile", {"name": "Ada"})
    assert response.status_code == 200
    assert response.json() == {"child_id": child_id, "version": BORN, "events": []}
    assert side.tokens.read(response.headers["Consistency-Token"]).version == BORN


@pytest.mark.parametrize(
    ("body", "field", "limit"),
    [
        ({"age": 13}, "age", "3..12"),
        ({"age": None}, "age", None),
        ({"name": None}, "name", None),
        ({"name": ""}, "name", "2..100"),
        ({"udid": "TEDDY-0000-0099"}, "udid", None),
        ({"interests": ["a", 2]}, "interests.1", None),
    ],
)
async def test_updates_are_as_strict_as_registrations(
    side: CommandSide, mother: CommandClient, body: Any, field: str, limit: str | None, child: str
):
    response = await mother.send("PATCH", f"{child}/profile", body)
    assert_problem(response, 422, "invalid-request", field, limit)
    assert await side.stored_events() == [*REGISTRATION]


@pytest.mark.parametrize("child_id", [UNKNOWN, "1"])
async def test_unknown_children_are_not_found(admin: CommandClient, child_id: str):
    for method, path, body in on(child_id):
        assert_problem(await admin.send(method, path, body), 404, "child-not-found")


async def test_what_is_no_id_is_refused_before_anything_is_asked(admin: CommandClient):
    for method, path, body in on("a@0000000001"):
        refused = await admin.send(method, path, body)
        assert_problem(refused, 422, "invalid-request", "child_id", "A-Z")


async def test_on_a_deactivated_child_only_reports_returns_and_erasure_are_done(
    side: CommandSide, mother: CommandClient, admin: CommandClient
):
    # given
    child_id = await mother.register()
    await mother.send("POST", f"/children/{child_id}/deactivation", {"reason": "moved on"})
    # when
    codes = []
    for method, path, body in on(child_id):
        response = await admin.send(method, path, body)
        codes.append(response.json().get("code") or response.json()["events"][0])
    # then
    assert codes == [
        "child-deactivated",
        "SafetyViolationReported",
        "violation-not-found",  # the resolution is decided: it names one that was never reported
        "child-deactivated",
        "child-deactivated",
        "child-deactivated",
        "child-deactivated",
        "already-deactivated",
        "ChildReactivated",
        "ChildErased",
    ]


async def test_a_violation_of_a_deactivated_child_is_resolved(
    mother: CommandClient, officer: CommandClient, child: str
):
    path = f"{child}/safety-violations"
    report = {"type": "bullying", "severity": "high"}
    violation_id = (await officer.send("POST", path, report)).json()["violation_id"]
    await mother.send("POST", f"{child}/deactivation", {"reason": "moved on"})
    # when
    resolution = f"{path}/{violation_id}/resolution"
    resolved = await officer.send("POST", resolution, {"outcome": "confirmed"})
    # then
    assert resolved.status_code == 200
    assert resolved.json()["events"] == ["SafetyViolationResolved"]


async def test_nothing_happens_to_an_erased_child(mother: CommandClient, admin: CommandClient):
    # given
    child_id = await mother.register()
    erased = await mother.send("DELETE", f"/children/{child_id}/personal-data")
    assert (erased.status_code, erased.json()["events"]) == (200, ["ChildErased"])
    receipt = f"{QUERY_URL}/v1/children/{child_id}/erasure-receipt"
    assert erased.headers["Link"] == f'<{receipt}>; rel="receipt"'
    # when, then
    for method, path, body in on(child_id)[:-1]:
        assert_problem(await admin.send(method, path, body), 410, "child-erased")
    again = await mother.send("DELETE", f"/children/{child_id}/personal-data")
    assert (again.status_code, again.json()["events"]) == (200, [])


@pytest.mark.parametrize(("reason", "limit"), [("", "1..500"), ("x" * 501, "1..500")])
async def test_a_deactivation_has_a_reason(
    mother: CommandClient, reason: str, limit: str, child: str
):
    response = await mother.send("POST", f"{child}/deactivation", {"reason": reason})
    assert_problem(response, 422, "invalid-request", "reason", limit)


async def test_a_bear_is_free_after_deactivation_and_may_be_taken_on_return(
    mother: CommandClient, stranger: CommandClient
):
    child_id = await mother.register("TEDDY-0000-0042")
    gone = await mother.send("POST", f"/children/{child_id}/deactivation", {"reason": "moved on"})
    assert gone.json()["events"] == ["ChildDeactivated"]
    await stranger.register("TEDDY-0000-0042")
    back = await mother.send("POST", f"/children/{child_id}/reactivation")
    assert_problem(back, 409, "udid-taken", "udid")


async def test_an_active_child_cannot_return(mother: CommandClient, child: str):
    response = await mother.send("POST", f"{child}/reactivation")
    assert_problem(response, 409, "not-deactivated")


class OvertakenEventStore(MemoryEventStore):
    """Once it is `busy` another process is faster each time."""

    busy = False

    async def append(self, commit: NewCommit) -> Commit:
        if self.busy:
            raise VersionConflict(commit.child_id, commit.expected.version)
        return await super().append(commit)


async def test_who_is_overtaken_each_time_gets_when_to_come_again():
    # given
    store = OvertakenEventStore()
    side = CommandSide(Database(events=store))
    async with side.client() as mother:
        profile = f"/children/{await mother.register()}/profile"
        store.busy = True
        # when
        overtaken = await mother.send("PATCH", profile, {"age": 8}, key="eight-it-is")
        store.busy = False
        again = await mother.send("PATCH", profile, {"age": 8}, key="eight-it-is")
    # then
    assert_problem(overtaken, 409, "concurrent-update")
    assert overtaken.headers["Retry-After"] == "1"
    assert (again.status_code, "Idempotency-Replayed" in again.headers) == (200, False)


async def test_conflicts_that_stay_do_not_ask_to_come_again(mother: CommandClient):
    # given
    child = f"/children/{await mother.register()}"
    await mother.send("POST", f"{child}/deactivation", {"reason": "moved on"})
    refused = {
        "already-deactivated": ("POST", f"{child}/deactivation", {"reason": "moved on"}),
        "child-deactivated": ("PATCH", f"{child}/profile", {"age": 8}),
        "consent-required": (
            "POST",
            "/children",
            {"name": "Bo", "age": 6, "udid": "TEDDY-0000-0002", "consents": []},
        ),
    }
    for code, (method, path, body) in refused.items():
        # when
        response = await mother.send(method, path, body)
        # then
        assert_problem(response, 409, code)
        assert "Retry-After" not in response.headers


async def test_who_finds_no_place_gets_when_to_come_again_and_was_not_heard():
    # given
    tuning = Tuning(timeout_seconds=60, queues=QueueLimits(per_child=4, in_all=4, seconds=60))
    side = CommandSide(Database().interleaved(seed=1), tuning=tuning)
    async with side.client() as mother:
        profile = f"/children/{await mother.register()}/profile"
        # when
        ages = [4 + number % 8 for number in range(20)]
        answers = await asyncio.gather(
            *(mother.send("PATCH", profile, {"age": age}) for age in ages)
        )
    # then
    done = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer not in done]
    assert (len(done), len(refused)) == (4, 16)  # one under way, and a caller's share waits
    for answer in refused:
        assert_problem(answer, 503, "child-busy")
        assert answer.headers["Retry-After"] == "1"
    changed = [answer for answer in done if answer.json()["events"]]
    assert len(await side.stored_events()) == BORN + len(changed)


async def test_a_busy_child_takes_no_place_from_others():
    # given
    side = CommandSide(Database().interleaved(seed=1))
    async with side.client() as mother:
        busy = f"/children/{await mother.register()}/profile"
        # when
        body = {"name": "Bo", "age": 6, "udid": "TEDDY-0000-0002", "consents": CONSENTS}
        *changes, other = await asyncio.gather(
            *(mother.send("PATCH", busy, {"age": 4 + number % 8}) for number in range(50)),
            mother.send("POST", "/children", body),
        )
    # then
    assert {answer.status_code for answer in changes} == {200}
    assert other.status_code == 201
