"""`python -m projection_worker.replay` as operators use it: what it prints, what it refuses."""

import os
from datetime import timedelta

import orjson
import pytest
import pytest_asyncio

from projection_worker.dead_letters.store import DeadLetters
from projection_worker.projections import registry
from projection_worker.replay.__main__ import main
from shared.audit.settings import AuditSettings
from shared.audit.store import AuditStore
from shared.clock import utc_now
from shared.events.child import Severity
from shared.mongo import Mongo
from shared.read_models.documents import Model
from tests.integration.projection.test_rebuild import FIRST, World, world
from tests.support.commands import Said, called, started
from tests.support.projection_facts import MIA, erased, message, registered, reported, updated
from tests.support.projection_facts import started as talk_started

__all__ = ["world"]


async def replay(*arguments: str) -> Said:
    return await called(main, arguments, os.environ)


@pytest_asyncio.fixture
async def mia(world: World) -> World:
    await world.happened(registered(), talk_started(), message(), reported(1, Severity.LOW))
    await world.happened(updated(age=9))
    return world


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("rebuild --resume", "nothing to resume"),
        ("rollback", "a generation to roll back to does not exist"),
        ("rollback --to 7", "generation 7 to roll back to does not exist"),
        (f"show --child {MIA} --until 0", "the child's versions are 1 to 5"),
        (f"show --child {MIA} --until 6", "the child's versions are 1 to 5"),
        (f"show --child {MIA} --until 2001-01-01", "first event was recorded"),
        (f"show --child {MIA} --from-version 6", "the versions up to that point are 1 to 5"),
        (f"show --child {MIA} --all --limit 3", "--all shows the whole history"),
    ],
)
async def test_what_the_stores_do_not_allow_is_one_line_and_exit_code_2(
    mia: World, arguments: str, said: str
) -> None:
    refused = await replay(*arguments.split())

    assert refused.code == 2
    assert said in refused.err
    assert len(refused.err.splitlines()) == 1
    assert refused.out == ""


@pytest.mark.parametrize("command", ["show", "events", "republish", "verify"])
async def test_a_child_that_is_not_there_is_one_line_and_exit_code_2(
    mia: World, command: str
) -> None:
    refused = await replay(command, "--child", "nobody")

    assert refused.code == 2
    assert refused.err.splitlines() == ["teddy: no child nobody is in the event store"]


async def test_a_history_shows_the_read_models_as_they_were(mia: World) -> None:
    shown = orjson.loads(
        (await replay("show", "--child", MIA, "--until", "3", "--format", "json")).out
    )

    assert [event["sequence"] for event in shown["history"]] == ["1", "2", "3"]
    (child,) = shown["read_models"]["children"]
    assert (child["version"], child["age"], child["safety_violations_count"]) == (3, 6, 0)
    assert shown["counts_for"]["messages"] == 1


async def test_personal_values_are_shown_only_to_who_asks(mia: World) -> None:
    sealed = (await replay("show", "--child", MIA)).out
    opened = (await replay("show", "--child", MIA, "--reveal")).out

    assert "secret" not in sealed
    assert "(sealed)" in sealed
    assert "secret" in opened


async def test_who_has_personal_values_shown_stands_in_the_audit_trail(mia: World) -> None:
    await replay("show", "--child", MIA)
    await replay("show", "--child", MIA, "--reveal")

    settings = AuditSettings()
    mongo = Mongo(settings.audit_mongo_url)
    store = AuditStore(mongo.database(settings.audit_database))
    blocks = [block async for block in store.blocks({"children": MIA})]
    heads = await store.heads()
    await mongo.close()
    ((look,),) = [block.lines for block in blocks]
    assert '"operation":"ReplayShowReveal"' in look
    assert '"role":"operator"' in look
    assert len(heads) == 1


async def test_nothing_is_revealed_while_the_audit_trail_is_away(
    mia: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEDDY_AUDIT_MONGO_URL", "mongodb://127.0.0.1:1/?directConnection=true")

    said = await replay("show", "--child", MIA, "--reveal")

    assert said.code == 1
    assert "secret" not in said.out
    assert "audit trail" in said.err


async def test_of_an_erased_child_it_is_shown_that_nothing_can_be_opened(mia: World) -> None:
    await mia.happened(erased())

    shown = await replay("show", "--child", MIA, "--reveal")

    assert shown.code == 0
    assert "secret" not in shown.out
    assert "name (key destroyed)" in shown.out
    assert "status" in shown.out


async def test_the_newest_versions_are_shown_and_how_to_see_the_others(mia: World) -> None:
    shown = (await replay("show", "--child", MIA, "--limit", "2")).out
    begun = (await replay("show", "--child", MIA, "--from-version", "2", "--limit", "2")).out

    assert "versions 4 to 5" in shown
    assert "versions 1 to 3 are not shown: see --from-version, --all" in shown
    assert "children at version 5" in shown
    assert "versions 2 to 3" in begun
    assert "versions 1 to 1 are not shown" in begun
    assert "versions 4 to 5 are not shown: see --limit, --all" in begun


async def test_a_time_shows_what_was_recorded_by_then(mia: World) -> None:
    commits = [commit async for commit in mia.on.store.scan()]
    await mia.on.commits["commits"].update_many(
        {"first_version": {"$gte": 4}},
        {"$set": {"recorded_at": commits[0].recorded_at + timedelta(hours=1)}},
    )
    until = (commits[0].recorded_at + timedelta(minutes=30)).isoformat()

    shown = orjson.loads(
        (await replay("show", "--child", MIA, "--until", until, "--format", "json")).out
    )

    assert [event["sequence"] for event in shown["history"]] == ["1", "2", "3"]


async def test_of_many_documents_the_newest_are_shown_and_the_others_counted(mia: World) -> None:
    await mia.happened(*(talk_started(f"talk-{n}", minutes=n) for n in range(10, 15)))

    said = await replay("show", "--child", MIA, "--documents", "2", "--format", "json")
    table = await replay("show", "--child", MIA, "--documents", "2")

    shown = orjson.loads(said.out)
    talks = [one["conversation_id"] for one in shown["read_models"]["conversations"]]
    assert (talks, shown["more"]) == (["talk-13", "talk-14"], {"conversations": 4})
    assert "and 4 more conversations: see --documents" in table.out


async def test_a_history_that_cannot_be_folded_is_shown_all_the_same(mia: World) -> None:
    unknown = {"$set": {"events.0.type": "NobodyKnowsThis"}}
    await mia.on.commits["commits"].update_one({"first_version": 3}, unknown)

    said = await replay("show", "--child", MIA)

    assert said.code == 1
    assert "NobodyKnowsThis" in said.out
    assert said.err.startswith("teddy: the history cannot be folded: UndecodableEvent")


async def test_a_history_says_who_did_what_and_why_it_is_known(mia: World) -> None:
    table = (await replay("show", "--child", MIA, "--until", "5")).out

    for noted in ("ChildProfileUpdated", "parent parent-1", "correlation-1", "labels (sealed)"):
        assert noted in table


async def test_events_are_chosen_by_type_and_printed_as_cloud_events(mia: World) -> None:
    said = await replay("events", "--type", "MessageRecorded", "--format", "json")

    (event,) = [orjson.loads(line) for line in said.out.splitlines()]
    assert event["specversion"] == "1.0"
    assert event["type"] == "teddy.child.MessageRecorded.v2"
    assert (event["subject"], event["id"], event["sequence"]) == (MIA, f"{MIA}@3", "3")
    assert event["data"]["word_count"] == 5


async def test_events_are_counted_and_limited(mia: World) -> None:
    assert (await replay("events", "--limit", "2")).out.splitlines()[-1] == "2 events"
    assert (await replay("events", "--from", "2030-01-01")).out == "0 events\n"


async def test_a_difference_is_reported_in_words_with_the_event_it_came_by(mia: World) -> None:
    await mia.change(FIRST, Model.CHILDREN, age=12, name="1.name.somethingelse")

    said = await replay("verify")

    assert said.code == 1
    assert (
        f"children/{MIA} age: events say 9, read model has 12 "
        "(since version 5: ChildProfileUpdated)" in said.out
    )
    assert f"children/{MIA} name: the encrypted value differs from the events" in said.out
    assert "secret" not in said.out


async def test_a_dead_lettered_child_is_reported_as_dead_lettered(mia: World) -> None:
    await mia.side.happened(updated(age=5))
    await DeadLetters(mia.on.database, utc_now, FIRST).mark({MIA: "UndecodableEvent: not JSON"})

    said = await replay("verify")

    assert said.code == 1
    assert (
        f"children/{MIA} version: events say 6, read model has 5 "
        "(since version 6: ChildProfileUpdated); dead-lettered: UndecodableEvent: not JSON"
        in said.out
    )
    assert "children behind: 1, of these dead-lettered: 1" in said.out


async def test_what_republish_would_do_is_counted_and_not_done(mia: World) -> None:
    said = await replay("republish", "--child", MIA, "--from", "2026-11-23", "--dry-run")

    assert said.code == 0
    assert said.out == "5 events would go to teddy.child.events.v1; nothing was published\n"


async def test_without_settings_each_missing_one_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in os.environ if name.startswith("TEDDY_")]:
        monkeypatch.delenv(name)

    refused = await replay("verify")

    assert refused.code == 2
    assert len(refused.err.splitlines()) == 1
    assert "TEDDY_READ_MONGO_URL" in refused.err


async def test_a_sample_is_compared(mia: World) -> None:
    said = await replay("verify", "--sample", "5", "--seed", "1")

    assert said.code == 0
    assert "clean" in said.out


async def test_a_dry_run_of_a_rebuild_says_what_would_change_and_changes_nothing(
    mia: World,
) -> None:
    await mia.change(FIRST, Model.CHILDREN, age=12)

    said = await replay("rebuild", "--dry-run")

    assert said.code == 0
    assert f"plan: generation 2 of projections {registry.VERSION} beside 1" in said.out
    assert f"children/{MIA} age: events say 9, read model has 12" in said.out
    assert (await replay("rebuild", "--resume")).code == 2


async def test_a_rebuild_says_how_it_gets_on_and_what_it_came_to(mia: World) -> None:
    said = await replay("rebuild")

    assert said.code == 0
    assert "generation 2 is live after" in said.out
    assert "live" in (await replay("status")).out
    assert (await replay("drop-old")).out.startswith("generations dropped: 1, ")


async def test_a_rebuild_and_the_status_name_the_limit_of_conversations(
    mia: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEDDY_CONVERSATION_LIMIT_MINUTES", "60")

    rebuilt = (await replay("rebuild")).out.splitlines()[-1]
    before, live = (line for line in (await replay("status")).out.splitlines() if " min " in line)

    assert "conversations last at most 60 min;" in rebuilt
    assert "240 min" in before
    assert "60 min" in live


async def test_as_a_process_it_says_the_same(mia: World) -> None:
    arguments = ("show", "--child", MIA, "--format", "json")

    said = await started("projection_worker.replay", arguments, os.environ)

    assert said == await replay(*arguments)
    assert (said.code, said.err) == (0, "")
