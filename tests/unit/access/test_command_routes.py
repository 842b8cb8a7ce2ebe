"""Every route of the command API x every role x whose child: as the access table says, sent to the
route and in a batch."""

from typing import Any

import httpx2
import pytest

from command_service.api.batch_items import ROUTES as ROUTES_IN_A_BATCH
from shared.auth.access import ACCESS, Principal, Relation, Role
from shared.clock import utc_now
from shared.operations import Ended, OperationState
from tests.support.batches import PATH, as_response, item, send
from tests.support.command_side import ADMIN, ANALYST, BEAR, MOTHER, OFFICER, CommandSide
from tests.support.problem_documents import assert_problem, same_refusal
from tests.support.routes import Route, guarded

CALLERS = {
    Role.PARENT: MOTHER,
    Role.DEVICE: BEAR,
    Role.SAFETY_OFFICER: OFFICER,
    Role.ANALYST: ANALYST,
    Role.ADMIN: ADMIN,
}
SEND_COMMANDS = "SendCommands"
ROUTES = [route for route in guarded(CommandSide().app) if route.operation != SEND_COMMANDS]
COMMANDS = [route for route in ROUTES if route.operation in ROUTES_IN_A_BATCH]
RESOLVED = "/safety-violations/{violation_id}/resolution"
BEFORE = {
    "ReactivateChild": ("/deactivation", {"reason": "for now"}),
    "ReopenSafetyViolation": (RESOLVED, {"outcome": "confirmed"}),
}
"""What an admin does to the child first, for an operation that is refused otherwise."""

NOBODY = {
    "child_id": "7c0ff8a3-5a63-4d0e-9d3c-0f7c8e3f5a11",
    "parent_id": "parent-who-is-none",
    "violation_id": "7c0ff8a3-5a63-4d0e-9d3c-0f7c8e3f5a12",
    "conversation_id": "7c0ff8a3-5a63-4d0e-9d3c-0f7c8e3f5a13",
    "purpose": "account",
}


class Families:
    """The mother's child, whose bear is BEAR, and another family's, each with a violation and a
    conversation; `ids["unknown"]` are those of no one."""

    def __init__(self, side: CommandSide) -> None:
        self.side = side
        self.ids: dict[str, dict[str, str]] = {"unknown": NOBODY}

    async def settle(self) -> None:
        for whose, parent_id, device_id in (
            ("own", MOTHER.subject, BEAR.subject),
            ("other", "parent-bob", "bear-device-2"),
        ):
            async with self.side.client(ADMIN) as client:
                child_id = await client.register(
                    f"TEDDY-OF-{whose}", parent_id=parent_id, device_id=device_id
                )
                at = f"/children/{child_id}"
                report = {"type": "content", "severity": "high"}
                violation = (await client.send("POST", f"{at}/safety-violations", report)).json()
                talk = (await client.send("POST", f"{at}/conversations", {})).json()
            self.ids[whose] = {
                "child_id": child_id,
                "parent_id": parent_id,
                "violation_id": violation["violation_id"],
                "conversation_id": talk["conversation_id"],
                "purpose": "account",
            }

    async def prepare(self, route: Route) -> None:
        if route.operation not in BEFORE:
            return
        async with self.side.client(ADMIN) as client:
            for whose in ("own", "other"):
                path, body = BEFORE[route.operation]
                whole = f"/children/{{child_id}}{path}".format_map(self.ids[whose])
                await client.send("POST", whole, body)

    async def send(
        self, route: Route, caller: Principal, whose: str, in_batch: bool = False
    ) -> httpx2.Response:
        ids = self.ids[whose]
        body: Any = route.body
        if body is not None and "parent_id" in body:
            body = body | {"parent_id": ids["parent_id"], "udid": f"TEDDY-OF-new-{whose}"}
        if body is not None and "device_id" in body:
            body = body | {"device_id": f"bear-of-new-{whose}"}
        async with self.side.client(caller) as client:
            if in_batch:
                named = {name: ids[name] for name in ids if f"{{{name}}}" in route.path}
                (result,) = await send(client, [item(route.operation, "a-key", body, **named)])
                return as_response(result)
            path = route.path.removeprefix("/v1").format_map(ids)
            answer = await client.send(route.method, path, body)
        operations = self.side.database.operations
        for one in await operations.open():  # a second one would wait for it
            await operations.end(one.id, Ended(OperationState.DONE, "done", utc_now()))
        return answer


@pytest.fixture
async def families() -> Families:
    families = Families(CommandSide())
    await families.settle()
    return families


@pytest.mark.parametrize("route", ROUTES, ids=str)
@pytest.mark.parametrize("role", list(Role))
async def test_each_role_may_what_the_table_says(families: Families, route: Route, role: Role):
    # given
    relation = ACCESS[route.operation].of(role)
    await families.prepare(route)
    # when
    other, unknown, own = [
        await families.send(route, CALLERS[role], whose) for whose in ("other", "unknown", "own")
    ]
    # then
    if relation is Relation.NONE:
        assert {r.status_code for r in (other, unknown, own)} == {403}
        assert own.json()["code"] == "forbidden"
        assert own.json()["detail"] == f"The role {role.value} may not execute {route.operation}."
        return
    assert own.is_success, own.text
    if relation in (Relation.OWN_FAMILY, Relation.OWN_BEAR):
        assert other.status_code == 404
        assert same_refusal(other, unknown)
    elif "child_id" in route.path:
        assert unknown.status_code == 404


@pytest.mark.parametrize("route", COMMANDS, ids=str)
@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ANALYST])
@pytest.mark.parametrize("whose", ["own", "other", "unknown"])
async def test_each_role_may_in_a_batch_what_it_may_at_the_commands_own_route(
    whose: str, role: Role, route: Route
):
    # given
    answers = []
    for in_batch in (False, True):
        families = Families(CommandSide())
        await families.settle()
        await families.prepare(route)
        # when
        answers.append(await families.send(route, CALLERS[role], whose, in_batch))
    # then
    alone, in_a_batch = answers
    assert alone.status_code == in_a_batch.status_code
    assert alone.json().get("code") == in_a_batch.json().get("code")
    assert alone.json().get("detail") == in_a_batch.json().get("detail")


async def test_an_analyst_may_send_no_batch():
    async with CommandSide().client(ANALYST) as analyst:
        response = await analyst.send("POST", PATH, {"commands": [item("EraseChild", "a")]})
    assert_problem(response, 403, "forbidden")


@pytest.mark.parametrize("role", [Role.PARENT, Role.DEVICE])
@pytest.mark.parametrize("route", ROUTES, ids=str)
async def test_a_refused_stranger_changes_nothing(families: Families, route: Route, role: Role):
    await families.prepare(route)
    before = await families.side.stored_events()
    await families.send(route, Principal("a-stranger", role), "other")
    assert await families.side.stored_events() == before
