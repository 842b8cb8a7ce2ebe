"""One family's child in the hands of everybody else."""

import httpx2
import orjson

from shared.auth.access import Role
from shared.clock import new_id
from tests.attack.operations import CHILD, operations
from tests.attack.row import Answered, Broken, Deed, Refused, Request, Row
from tests.attack.world import World, following
from tests.support.consents import CONSENTS
from tests.support.problem_documents import same_refusal
from tests.support.waiting import STARTED, eventually

STREAM_SECONDS = 3.0


LOOKS: tuple[Row, ...] = (
    Request("the family itself", f"GET {CHILD}", Answered(of_the_family=True), "family", ci=True),
    Request("a search by name", "GET /v1/children?name=$name", Answered(), "stranger", ci=True),
    Request("a search by family", "GET /v1/children?parent_id=$family", Answered(), "stranger"),
    Request("a search without a condition", "GET /v1/children", Answered(), "stranger"),
    Request(
        "a consistency token of the family's child",
        "GET /v1/children/$other",
        Answered(),
        "stranger",
        headers=("Consistency-Token: $token",),
    ),
    Request(
        "its consistency token, for its child",
        f"GET {CHILD}",
        Refused(404, "child-not-found"),
        "stranger",
        headers=("Consistency-Token: $token",),
    ),
    Request("numbers of the system", "GET /v1/system/analytics", Answered(), "analyst"),
)


async def _nobody_or_not_yours(world: World) -> str:
    """Or else who asks learns that there is such a child."""
    queries = world.callers["stranger"].queries
    for path in (
        "",
        "/safety-report",
        "/alert-policy",
        "/conversations",
        "/analytics",
        "/series",
        "/consents",
        "/export",
        "/erasure-receipt",
    ):
        theirs = await queries.get(f"/v1/children/{world.words['child']}{path}")
        nobody = await queries.get(f"/v1/children/{new_id()}{path}")
        if not same_refusal(theirs, nobody):
            differ = dict(theirs.headers.items() ^ nobody.headers.items())
            raise Broken(f"{path or 'profile'}: {theirs.status_code}, {sorted(differ)} differ")
    return "the same but for path and correlation id"


async def _second_hand_bear(world: World) -> str:
    """It reads and reports nothing of the family before, while it is nobody's and afterwards."""
    device, udid = f"bear-{new_id()}", f"TEDDY-{new_id()}"
    bear = {"udid": udid, "device_id": device}
    former = await world.register("family", **bear)
    child = {"name": "Bo", "age": 6, "consents": CONSENTS}
    buyer = world.callers["stranger"].commands
    for wanted in (bear, bear | {"udid": udid.lower()}, bear | {"udid": f"TEDDY-{new_id()}"}):
        early = await buyer.post("/v1/children", json=child | wanted)
        if early.status_code != httpx2.codes.CONFLICT:
            raise Broken(f"one bear for two: {early.status_code}")
    family = world.callers["family"]
    await family.commands.post(f"/v1/children/{former}/deactivation", json={"reason": "sold"})
    await eventually(
        lambda: family.queries.get(f"/v1/children/{former}"),
        STARTED,
        lambda shown: shown.json()["status"] == "deactivated",
    )
    bearer = {"Authorization": f"Bearer {world.new_bearer(Role.DEVICE, device)}"}
    command, query = (world.state.environment[f"TEDDY_{a}_URL"] for a in ("COMMAND", "QUERY"))
    async with httpx2.AsyncClient(headers=bearer, timeout=30) as http:

        async def answers_about(child_id: str) -> list[int]:
            at, report = f"/v1/children/{child_id}", {"type": "content", "severity": "high"}
            answers = [
                await http.get(f"{query}{at}"),
                await http.get(f"{query}{at}/analytics"),
                await http.post(f"{command}{at}/safety-violations", json=report),
                await http.post(f"{command}{at}/conversations", json={}),
            ]
            return [answer.status_code for answer in answers]

        reported = await answers_about(former)
        now = await world.register("stranger", **bear)
        reported += await answers_about(former)
        if reported != [httpx2.codes.NOT_FOUND] * len(reported):
            raise Broken(f"{reported}")
        if (reported := await answers_about(now)) != [200, 200, 201, 201]:
            raise Broken(f"of its own child: {reported}")
    return "409 while it was the family's, then 404"


async def _another_s_cursor(world: World) -> str:
    """A family's second page, asked for by a stranger."""
    for _ in range(2):
        await world.register("family")
    page = await world.callers["family"].queries.get("/v1/children", params={"limit": 1})
    cursor = page.json()["next_cursor"]
    asked = await world.callers["stranger"].queries.get(
        "/v1/children", params={"limit": 5, "cursor": cursor}
    )
    if asked.is_success and any(
        item["parent_id"] != world.words["stranger"] for item in asked.json()["items"]
    ):
        raise Broken(f"{asked.status_code}, children of the family")
    return f"{asked.status_code}, none of the family"


async def _another_s_idempotency_key(world: World) -> str:
    """The same key and the same body from two callers are two commands."""
    key = {"Idempotency-Key": f"attack-{new_id()}"}
    ids = []
    for who in ("family", "stranger"):
        body = {"name": "Bo", "age": 6, "udid": f"TEDDY-{new_id()}", "consents": CONSENTS}
        answer = await world.callers[who].commands.post("/v1/children", json=body, headers=key)
        if "Idempotency-Replayed" in answer.headers or not answer.is_success:
            raise Broken(f"{answer.status_code} {answer.text[:80]}")
        ids.append(answer.json()["child_id"])
    if len(set(ids)) != 2:
        raise Broken("both were answered with one child")
    return "201 each, two children"


async def _stream_of_strangers(world: World) -> str:
    """What happens to the family's child is told on its own stream alone."""
    at = f"/v1/children/{world.words['child']}/safety-violations"
    bearers, family, other = world.bearers, world.words["family"], world.words["stranger"]
    async with (
        following(world, bearers["family"], family) as own,
        following(world, bearers["stranger"], other) as stranger,
    ):
        report = {"type": "content", "severity": "high"}
        await world.callers["family"].commands.post(at, json=report)
        await own.receives(world.words["child"], STARTED)
        said = await stranger.says(STREAM_SECONDS)
    if world.words["child"].encode() in said:
        raise Broken("the stranger's stream names the family's child")
    return "only the family's stream names the child"


async def _child_named_in_preferences(world: World) -> str:
    """An innocent child is put on record by what somebody wrote about another (item 4)."""
    innocent = await world.register("family")
    named = await world.register("stranger", preferences={"child_id": innocent})
    await world.callers["stranger"].queries.get(f"/v1/children/{named}")

    async def on_record(child: str) -> list[str]:
        """The operations of the stranger that concern the child."""
        about = ("--child", child, "--subject", world.words["stranger"], "--format", "json")
        said = await world.teddy("audit", "show", *about)
        return [orjson.loads(line)["operation"] for line in said.out.splitlines()]

    await eventually(
        lambda: on_record(named), STARTED, lambda operations: "GetChildProfile" in operations
    )
    if operations := await on_record(innocent):
        raise Broken(f"on record with {operations}")
    return "only the child that was looked at"


DEEDS: tuple[Row, ...] = (
    Deed(
        "nobody's child, or another's",
        "GET of five routes, both",
        "the same refusal, word for word",
        _nobody_or_not_yours,
        ci=True,
    ),
    Deed(
        "a second-hand bear",
        "its token at the child of the family before",
        "409 while it is a family's, then 404",
        _second_hand_bear,
        ci=True,
    ),
    Deed(
        "another's cursor",
        "GET /v1/children?cursor=, by a stranger",
        "refused, or none of the family",
        _another_s_cursor,
    ),
    Deed(
        "another's idempotency key",
        "POST /v1/children, one key, two callers",
        "two children",
        _another_s_idempotency_key,
    ),
    Deed(
        "another's live updates",
        "two streams, one report",
        "on the family's own stream alone",
        _stream_of_strangers,
    ),
    Deed(
        "a child named in another's preferences",
        "GET of the profile, then `teddy audit show`",
        "on record is who was looked at",
        _child_named_in_preferences,
    ),
)
ROWS = (*LOOKS, *operations(), *DEEDS)
