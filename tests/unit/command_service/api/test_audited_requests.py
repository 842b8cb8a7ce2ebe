"""What the edge of the command API tells the audit trail: refusals that never became a command."""

from shared.audit.record import AuditRecord
from tests.support.child_facts import ADA
from tests.support.command_side import ANALYST, MOTHER, CommandSide
from tests.support.consents import CONSENTS


def told(side: CommandSide) -> list[tuple[str, str, str, tuple[str, ...]]]:
    return [(e.subject, e.operation, e.outcome, e.children) for e in side.audit.entries]


async def test_a_command_over_http_is_recorded_once_with_the_clients_address():
    # given
    side = CommandSide()
    # when
    async with side.client(MOTHER) as mother:
        child_id = await mother.register()
    # then
    assert told(side) == [("parent-ada", "RegisterChild", "accepted", (child_id,))]
    (entry,) = side.audit.entries
    assert entry.address == "127.0.0.1"
    assert entry.correlation_id


async def test_what_is_refused_before_the_bus_is_recorded_too():
    # given
    side = CommandSide()
    # when
    async with side.client(MOTHER) as mother:
        await mother.send("POST", "/children", {"name": 7})
        await mother.send("POST", "/children", raw=b"{")
        await mother.send("GET", "/nowhere")
        await mother.send("GET", "/nowhere", headers={"Authorization": "ignored"})
    # then
    assert [entry[1:3] for entry in told(side)] == [
        ("RegisterChild", "invalid-request"),
        ("RegisterChild", "invalid-json"),
        ("UnknownRoute", "not-found"),
        ("UnknownRoute", "not-found"),
    ]


async def test_a_forged_token_is_recorded_without_a_subject_and_no_token_not_at_all():
    side = CommandSide()
    async with side.client(None) as stranger:
        forged = {"Authorization": "Bearer forged"}
        await stranger.send("DELETE", f"/children/{ADA}/personal-data", headers=forged)
        await stranger.send("DELETE", f"/children/{ADA}/personal-data")
    assert told(side) == [("", "EraseChild", "unauthenticated", (ADA,))]


async def test_a_refusal_by_role_is_recorded_by_the_bus_alone():
    side = CommandSide()
    async with side.client(ANALYST) as analyst:
        await analyst.send("DELETE", f"/children/{ADA}/personal-data")
    assert told(side) == [("analyst-1", "EraseChild", "forbidden", (ADA,))]


async def test_what_a_path_holds_is_never_recorded():
    side = CommandSide()
    async with side.client(MOTHER) as mother:
        await mother.send("DELETE", "/children/Wilhelmina/personal-data")
        await mother.send("GET", "/children/Wilhelmina/secret")
    assert not any("Wilhelmina" in line(entry) for entry in side.audit.entries)


async def test_while_the_trail_is_full_commands_and_refusals_get_503():
    # given
    side = CommandSide()
    side.audit.away = True
    # when
    async with side.client(MOTHER) as mother:
        command = await mother.send(
            "POST",
            "/children",
            {"name": "Ada", "age": 7, "udid": "TEDDY-0000-0001", "consents": CONSENTS},
        )
        refusal = await mother.send("POST", "/children", {"name": 7})
    # then
    for answer in (command, refusal):
        assert (answer.status_code, answer.json()["code"]) == (503, "audit-unavailable")
        assert answer.headers["Retry-After"] == "1"
    assert await side.stored_events() == []


def line(entry: AuditRecord) -> str:
    return entry.line(1)
