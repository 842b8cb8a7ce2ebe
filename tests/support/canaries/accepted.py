"""A child goes through every command and every query, by everybody who may, with canaries in
everything that is personal.

A command that the story does not tell of is sent as well, as its route is documented: a new one
needs nothing here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, get_args

import httpx2

from command_service.child.commands import (
    ChildCommand,
    DeactivateChild,
    EraseChild,
    ReactivateChild,
)
from shared.auth.access import ACCESS, Relation, Role
from shared.clock import new_id
from shared.serialization.schema import LABELS
from tests.support.canaries.callers import PARENT, Api, Callers
from tests.support.canaries.values import canary, label
from tests.support.command_side import CommandSide
from tests.support.consents import CONSENTS
from tests.support.routes import Route, guarded, operation_at

COMMANDS = {command.__name__ for command in get_args(ChildCommand)}
AT_THE_END = {command.__name__ for command in (DeactivateChild, ReactivateChild, EraseChild)}
NOTICED = {"notice_version": label("notice"), "method": "video_call"}


def profile(number: int = 0) -> dict[str, Any]:
    """Every personal field of a profile; its bear is the bear whose token is used."""
    return {
        "name": canary("name", number),
        "device_id": canary("device"),
        "preferences": {canary("preference", number): [canary("preference", number)]},
        "learning_style": canary("style", number),
        "interests": [canary("interest", number)],
    }


def registration(number: int = 0) -> dict[str, Any]:
    consents = CONSENTS if number else [consent | NOTICED for consent in CONSENTS]
    plain = {"age": 7, "parent_id": PARENT, "consents": consents}
    bear = {"udid": canary("udid", number), "device_id": canary("device", number)}
    return {**profile(number), **plain, **bear}


@dataclass
class Answers:
    """Those of requests that must succeed; the block ends with an error that names who did not."""

    all: list[httpx2.Response] = field(default_factory=list)

    def __call__(self, answer: httpx2.Response) -> Any:
        self.all.append(answer)
        media_type = answer.headers.get("Content-Type", "").partition(";")[0]
        return answer.json() if media_type == "application/json" and answer.content else {}


@contextmanager
def accepted() -> Iterator[Answers]:
    answers = Answers()
    yield answers
    refused = [a for a in answers.all if not a.is_success]
    noted = [f"{a.request.method} {a.request.url.path}: {a.status_code} {a.text}" for a in refused]
    assert noted == [], noted


async def live(on: Callers) -> tuple[str, str]:
    """The ids of a child that went through every command but the last, and of its violation."""
    parent, bear, officer = on.parent.commands, on.bear.commands, on.officer.commands
    with accepted() as ok:
        key = {"Idempotency-Key": new_id()}
        child = ok(await parent.post("/v1/children", json=registration(), headers=key))["child_id"]
        again = ok(await parent.post("/v1/children", json=registration(), headers=key))["child_id"]
        assert again == child
        at = f"/v1/children/{child}"
        ok(await parent.patch(f"{at}/profile", json=profile(1) | {"age": 8}))
        policy = {"threshold": "low", "count": 2, "window_hours": 24, "channels": ["in_app"]}
        ok(await parent.put(f"{at}/alert-policy", json=policy))
        violations = []
        for number, reporter in enumerate((parent, bear, officer)):
            report = {"type": label("kind"), "severity": "high"}
            report["details"] = canary("details", number)
            violations.append(ok(await reporter.post(f"{at}/safety-violations", json=report)))
        reported = [violation["violation_id"] for violation in violations]
        await _looked_into(on.officer.commands, f"{at}/safety-violations/{reported[0]}", ok)
        ok(await parent.post(f"{at}/safety-violations/{reported[0]}/acknowledgement"))
        ok(await parent.delete(f"{at}/consents/personalization"))
        ok(await parent.put(f"{at}/consents/personalization", json=NOTICED))
        about = {"topic": label("topic")}
        talk = ok(await bear.post(f"{at}/conversations", json=about))["conversation_id"]
        said = {"role": "child", "word_count": 3, **about, "learning_skills": [label("skill")]}
        said["flagged_categories"] = [label("category")]
        ok(await bear.post(f"{at}/conversations/{talk}/messages", json=said))
        ok(await bear.post(f"{at}/conversations/{talk}/end"))
        ids = {"child_id": child, "violation_id": reported[1], "conversation_id": talk}
        for route in _undelivered(ok.all):
            caller = _who_may(on, route.operation).commands
            path = route.path.format_map(ids)
            ok(await caller.request(route.method, path, json=with_canaries(route)))
        ok(await parent.post(f"{at}/deactivation", json={"reason": canary("reason")}))
        ok(await parent.post(f"{at}/reactivation"))
        ok(await on.admin.commands.patch(f"{at}/profile", json=profile(2)))
    return child, reported[0]


async def _looked_into(officer: httpx2.AsyncClient, violation: str, ok: Answers) -> None:
    """Resolved, reopened, assigned, and resolved again."""
    outcome = {"outcome": "confirmed", "note": canary("details", 3)}
    ok(await officer.post(f"{violation}/resolution", json=outcome))
    ok(await officer.post(f"{violation}/reopening", json={"reason": canary("reason", 1)}))
    ok(await officer.put(f"{violation}/assignee", json={}))
    ok(await officer.post(f"{violation}/resolution", json=outcome))


def _undelivered(answers: list[httpx2.Response]) -> list[Route]:
    """The routes of commands that the story does not come to."""
    routes = guarded(CommandSide().app)
    noted = {operation_at(routes, a.request.method, a.request.url.path) for a in answers}
    return [route for route in routes if route.operation in COMMANDS - noted - AT_THE_END]


def _who_may(on: Callers, operation: str) -> Api:
    by_role = {Role.PARENT: on.parent, Role.DEVICE: on.bear, Role.SAFETY_OFFICER: on.officer}
    rule = ACCESS[operation]
    return next((by_role[r] for r in by_role if rule.of(r) is not Relation.NONE), on.admin)


def with_canaries(route: Route) -> dict[str, Any] | None:
    """The documented example, with a canary in every text."""
    marks = {name: label("kind") if name in LABELS else canary("text") for name in route.texts}
    return None if route.body is None else route.body | marks


async def look(on: Callers, child: str) -> list[bytes]:
    """Everybody asks what they may, the cache is asked twice. What analysts and operators are
    shown: numbers, so no canary."""
    at, family = f"/v1/children/{child}", f"/v1/parents/{PARENT}"
    parts = ("safety-report", "alert-policy", "conversations", "analytics", "series", "consents")
    of_child = [at, *(f"{at}/{part}" for part in parts)]
    searches = [f"/v1/children?name={canary('name', 2)[:12]}"]
    with accepted() as ok:
        for asker in (on.parent, on.officer, on.admin):
            for path in (*of_child, *searches, f"{family}/children", f"{family}/alerts") * 2:
                ok(await asker.queries.get(path))
        for asker in (on.officer, on.admin):
            ok(await asker.queries.get("/v1/safety-violations?status=all"))
        for asker in (on.parent, on.admin):
            ok(await asker.queries.get(f"{at}/export"))
        for path in (at, f"{at}/analytics"):
            ok(await on.bear.queries.get(path))
    assert canary("name", 2) in ok.all[0].text
    with accepted() as ok:
        ok(await on.analyst.queries.get("/v1/system/analytics"))
        for path in ("/v1/cache", "/v1/queries", "/v1/system/requests"):
            ok(await on.admin.queries.get(path))
        for path in ("/v1/commands", "/v1/system/requests"):
            ok(await on.admin.commands.get(path))
    return [answer.content for answer in ok.all]
