"""Values that occur nowhere else go through everything that a caller of any role can do, accepted
and refused, through dead letters, a rebuild, tools and an erasure; then every byte that was written
is searched for them."""

import base64
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx2
import pymongo
import pytest

from deploy.local import control, plans
from deploy.local.state import StackFolder, StackState
from shared.kafka import CHILD_ALERTS, CHILD_EVENTS, DEAD_LETTERS
from tests.support.canaries.accepted import accepted, live, look, profile, registration
from tests.support.canaries.callers import PARENT, Api, Callers, calling
from tests.support.canaries.places import (
    looked_at,
    texts_of_a_running,
    texts_of_files,
    texts_of_tools,
)
from tests.support.canaries.poison import POISONS, VERSION, poison
from tests.support.canaries.refused import no_http, refused
from tests.support.canaries.values import LABEL_MARK, MARK, canary, found_in, spellings
from tests.support.own_servers import own_stack
from tests.support.waiting import eventually

SOON = 60.0
MET = (
    *("teddy_write.commits", "teddy_read.", "teddy_keys.", "teddy_audit.", "local.oplog.rs"),
    *("dead_letters", CHILD_EVENTS.name, DEAD_LETTERS.name, CHILD_ALERTS.name),
    *(f"the page metrics of {process}" for process in plans.SERVICES),
    *(f"logs/{process}.log" for process in (*plans.SERVICES, "mongod", "kafka", "valkey")),
    "the server of the query cache",
    *("audit-heads.jws", "evidence.json", "trail.jsonl", "keys.json", "numbers"),
)

LABELLED = re.compile(
    r"the collection (teddy_read\..* then|local\.oplog\.rs .*)"
    r"|the file data/.*"
    r"|what `teddy replay show` says then"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackFolder]:
    """A stack of this test's own, that logs all it can."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TEDDY_LOG_LEVEL", "DEBUG")
        patched.setenv("TEDDY_LOCAL_CACHE_SERVER", "true")
        with own_stack(tmp_path_factory.mktemp("canaries")) as folder:
            yield folder


async def test_no_personal_value_is_written_anywhere(
    folder: StackFolder, state: StackState
) -> None:
    texts: dict[str, bytes] = {}

    def gather(when: str, found: dict[str, bytes]) -> None:
        texts.update({f"{place} {when}": text for place, text in found.items()})

    async with calling(state) as on:
        # given a child's life, and who looks at it
        child, violation = await live(on)
        await eventually(lambda: _shows(on.parent, child, canary("name", 2)), SOON)
        shown = await look(on, child)
        answers = await refused(on, child)
        answers += [await no_http(api.base_url) for api in (on.parent.commands, on.parent.queries)]
        # and what cannot be projected
        await _poison(state, on)
        # when
        gather("then", await texts_of_a_running(state))
        gather("then", await texts_of_tools(folder, child, violation))
        with accepted() as ok:
            ok(await on.parent.commands.delete(f"/v1/children/{child}/personal-data"))
        answers += await _after_the_erasure(on, child)
        gather("after the erasure", await texts_of_a_running(state))
    control.down(folder)  # what the servers still hold in memory is written now
    gather("in the end", texts_of_files(folder.path))
    gather("then", {f"numbers {at}": answer for at, answer in enumerate(shown)})
    # then
    assert looked_at(texts, *MET) == []
    assert list(found_in(texts)) == []
    assert _misplaced_labels(texts) == []
    refusals = {f"the refusal {at}": answer for at, answer in enumerate(answers)}
    assert list(found_in(refusals, [MARK])) == []
    # what is not personal is found: the search would see the rest as well
    for place in ("teddy_write.commits", "the topic", "audit"):
        assert any(PARENT.encode() in text for name, text in texts.items() if place in name), place
    # and who did what is on record, the bear by another name
    for place in ("teddy_write.commits", "teddy_audit.audit_blocks"):
        assert any(b"bear-" in text for name, text in texts.items() if place in name), place


def _misplaced_labels(texts: dict[str, bytes]) -> list[str]:
    """Where labels are but where an erasure deletes them, and the database's own log of writes."""
    holders = [name for name, text in texts.items() if list(found_in({name: text}, [LABEL_MARK]))]
    assert any(name.startswith("the collection teddy_read.") for name in holders)
    return [name for name in holders if not LABELLED.match(name)]


def test_the_search_finds_a_canary_however_it_is_written() -> None:
    written = {spelling.hex(): b"\xff" * 9 + spelling + b"\0" for spelling in spellings(MARK)}
    # some spellings fall together, where the random part has no letter that makes a difference
    assert len(list(found_in(written))) == len(written) > 12
    value = canary("name").encode()
    for before in range(3):
        assert list(found_in({"base64": base64.b64encode(b"{" * before + value + b"}")})) != []


async def _poison(state: StackState, on: Callers) -> None:
    """Children whose next event cannot be folded; whoever then asks for them may be told so."""
    children = []
    for number in range(len(POISONS)):
        with accepted() as ok:
            new = registration(20 + number)
            children.append(ok(await on.parent.commands.post("/v1/children", json=new))["child_id"])
    for number, child in enumerate(children):
        name = canary("name", 20 + number)
        await eventually(partial(_shows, on.admin, child, name), SOON)
    await poison(state, children)
    for child in children:
        await eventually(partial(_is_handled, state, on.admin, child), SOON)


async def _is_handled(state: StackState, admin: Api, child: str) -> bool:
    """dead-lettered, or folded into something that may be shown or not."""
    with pymongo.MongoClient[Any](state.environment["TEDDY_READ_MONGO_URL"]) as client:
        if client["teddy_read"]["parked_children"].find_one({"child_id": child}):
            return True
    answer = await admin.queries.get(f"/v1/children/{child}")
    return not answer.is_success or answer.json()["version"] >= VERSION


async def _after_the_erasure(on: Callers, child: str) -> list[bytes]:
    """What everybody is told who comes too late."""
    at, late = f"/v1/children/{child}", {"type": "content", "severity": "high"}
    gone = httpx2.codes.NOT_FOUND
    await eventually(lambda: on.parent.queries.get(at), SOON, lambda it: it.status_code == gone)
    answers = [
        await on.parent.commands.patch(f"{at}/profile", json=profile(3)),
        await on.bear.commands.post(
            f"{at}/safety-violations", json=late | {"details": canary("details", 4)}
        ),
        await on.parent.commands.delete(f"{at}/personal-data"),
    ]
    for api in (on.parent, on.bear, on.officer, on.admin, on.stranger):
        of_child = ("/safety-report", "/conversations", "/analytics", "/erasure-receipt")
        for path in (at, *(f"{at}{one}" for one in of_child)):
            answers.append(await api.queries.get(path))
    search = f"/v1/children?name={canary('name', 2)[:12]}"
    answers += [await api.queries.get(search) for api in (on.parent, on.officer, on.admin)]
    assert [a.text for a in answers if a.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR] == []
    return [answer.content for answer in answers]


async def _shows(by: Api, child: str, name: str) -> bool:
    answer = await by.queries.get(f"/v1/children/{child}")
    return answer.status_code == httpx2.codes.OK and name in answer.text
