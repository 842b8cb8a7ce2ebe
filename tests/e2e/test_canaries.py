"""Values that occur nowhere else go through every command, accepted and refused, through a dead
letter and a rebuild; then every byte that was written is searched for them."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pymongo
import pytest
from aiokafka import AIOKafkaProducer
from bson.raw_bson import RawBSONDocument

from deploy.local import control
from deploy.local.state import StackFolder, StackState
from shared.auth.principal import Role
from shared.clock import new_id
from shared.topics import CHILD_EVENTS
from tests.faults.leaks import personal_values
from tests.faults.texts import texts_of_topics
from tests.support.callers import token
from tests.support.consents import CONSENTS
from tests.support.waiting import eventually

SOON = 60.0
PARENT = f"parent-{new_id()}"
KINDS = ("name", "udid", "device", "preference", "style", "interest", "details", "reason", "query")
CANARIES = {kind: f"Kanari{kind.title()}{new_id().replace('-', '')}" for kind in KINDS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackFolder]:
    """A stack of this test's own, that logs all it can."""
    folder = StackFolder(Path(tmp_path_factory.mktemp("canaries")))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TEDDY_LOG_LEVEL", "DEBUG")
        control.up(folder)
    yield folder
    control.down(folder)


@pytest.fixture
def state(folder: StackFolder) -> StackState:
    state = folder.load()
    assert state is not None
    return state


async def test_no_personal_value_is_written_anywhere(
    folder: StackFolder, state: StackState
) -> None:
    # given
    async with _api(state, "COMMAND") as commands, _api(state, "QUERY") as queries:
        child = await _everything_accepted(commands)
        refused = await _everything_refused(commands, queries, child)
        await _poison(state)
        await eventually(lambda: _is_seen(queries, child), SOON)
        metrics = [(await api.get("/metrics")).content for api in (commands, queries)]
    rebuilt = await asyncio.to_thread(_teddy, folder, "replay", "rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    # when
    texts = {
        **_texts_of_databases(state),
        **await texts_of_topics(state.environment["TEDDY_KAFKA_BOOTSTRAP"]),
        **{f"the refusal {at}": answer for at, answer in enumerate(refused)},
        **{f"the metrics {at}": text for at, text in enumerate(metrics)},
        "what a rebuild says": (rebuilt.stdout + rebuilt.stderr).encode(),
    }
    control.down(folder)  # what the servers still hold in memory is written now
    texts |= _texts_of_files(folder.path)
    # then
    assert _looked_at(texts)
    # what is not personal is found: the search would see the rest as well
    assert any(PARENT.encode() in text for place, text in texts.items() if "commits" in place)
    assert any(PARENT.encode() in text for place, text in texts.items() if "the topic" in place)
    spellings = [one for value in CANARIES.values() for one in (value, value.lower())]
    assert list(personal_values(texts, spellings)) == []


async def _everything_accepted(commands: httpx2.AsyncClient) -> str:
    """The id of a child that went through every command of a parent and of safety staff."""
    profile = {
        "name": CANARIES["name"],
        "consents": CONSENTS,
        "device_id": CANARIES["device"],
        "preferences": {CANARIES["preference"]: [CANARIES["preference"]]},
        "learning_style": CANARIES["style"],
        "interests": [CANARIES["interest"]],
    }
    udid, bear = {"udid": CANARIES["udid"]}, {"age": 7, "parent_id": PARENT}
    registered = await commands.post("/v1/children", json=profile | udid | bear)
    at = f"/v1/children/{registered.json()['child_id']}"
    report = {"type": "content", "severity": "high", "details": CANARIES["details"]}
    violation = await commands.post(f"{at}/safety-violations", json=report)
    violated = f"{at}/safety-violations/{violation.json()['violation_id']}/resolution"
    talk = await commands.post(f"{at}/conversations", json={})
    talked = f"{at}/conversations/{talk.json()['conversation_id']}"
    answers = [
        registered,
        violation,
        talk,
        await commands.post(violated, json={"outcome": "confirmed"}),
        await commands.post(f"{talked}/messages", json={"role": "child", "word_count": 3}),
        await commands.post(f"{talked}/end"),
        await commands.patch(f"{at}/profile", json=profile | {"age": 8}),
        await commands.post(f"{at}/deactivation", json={"reason": CANARIES["reason"]}),
        await commands.post(f"{at}/reactivation"),
    ]
    assert [each.status_code for each in answers if each.status_code >= 300] == []
    return str(registered.json()["child_id"])


async def _everything_refused(
    commands: httpx2.AsyncClient, queries: httpx2.AsyncClient, child: str
) -> list[bytes]:
    """The bodies of refusals of requests that are full of personal values."""
    at, name = f"/v1/children/{child}", CANARIES["name"]
    taken = {
        "name": name,
        "age": 7,
        "udid": CANARIES["udid"],
        "parent_id": PARENT,
        "consents": CONSENTS,
    }
    json = {"Content-Type": "application/json"}
    answers = [
        await commands.post("/v1/children", json=taken),
        await commands.post("/v1/children", json=taken | {"age": 70}),
        await commands.post("/v1/children", json=taken | {"name": f"{name}\u202e"}),
        await commands.post("/v1/children", json=taken | {"udid": [CANARIES["udid"]]}),
        await commands.post("/v1/children", content=f'{{"name": "{name}"', headers=json),
        await commands.post("/v1/children", content=name, headers={"Content-Type": "text/plain"}),
        await commands.patch(f"{at}/profile", json={"age": name}),
        await commands.post(f"{at}/safety-violations", json={"details": CANARIES["details"]}),
        await commands.post(f"{at}/deactivation", json={"reason": [CANARIES["reason"]]}),
        await queries.get("/v1/children", params={"age_min": CANARIES["query"]}),
        await queries.get("/v1/children", params={"cursor": CANARIES["query"]}),
        await queries.get(at, headers={"Consistency-Token": CANARIES["query"]}),
    ]
    assert [each.status_code for each in answers if not 400 <= each.status_code < 500] == []
    found = await queries.get("/v1/children", params={"name": name[:40]})
    assert found.status_code == httpx2.codes.OK
    return [answer.content for answer in answers]


async def _poison(state: StackState) -> None:
    """A record that cannot be read: it is parked, with the stack of what went wrong."""
    producer = AIOKafkaProducer(bootstrap_servers=state.environment["TEDDY_KAFKA_BOOTSTRAP"])
    await producer.start()
    await producer.send_and_wait(CHILD_EVENTS.name, b"not json", new_id().encode())
    await producer.stop()


async def _is_seen(queries: httpx2.AsyncClient, child: str) -> bool:
    answer = await queries.get(f"/v1/children/{child}")
    return answer.status_code == httpx2.codes.OK and CANARIES["name"] in answer.text


def _api(state: StackState, which: str) -> httpx2.AsyncClient:
    headers = {"Authorization": f"Bearer {token(state, Role.ADMIN, 'admin-canary')}"}
    return httpx2.AsyncClient(base_url=state.environment[f"TEDDY_{which}_URL"], headers=headers)


def _texts_of_databases(state: StackState) -> dict[str, bytes]:
    """Every document of every collection of every database, the servers' own among them."""
    url = state.environment["TEDDY_WRITE_MONGO_URL"]
    texts: dict[str, bytes] = {}
    with pymongo.MongoClient[Any](url, document_class=RawBSONDocument) as client:
        for database in (client[name] for name in client.list_database_names()):
            for name in database.list_collection_names(filter={"type": "collection"}):
                found = database[name].find({})
                texts[f"the collection {database.name}.{name}"] = b"".join(d.raw for d in found)
    return texts


def _texts_of_files(path: Path) -> dict[str, bytes]:
    """Logs, data, state; mongod compresses its data, so its documents were read above, too."""
    return {f"the file {file.relative_to(path)}": file.read_bytes() for file in _files(path)}


def _files(path: Path) -> Iterator[Path]:
    return (file for file in path.rglob("*") if file.is_file())


def _looked_at(texts: Mapping[str, bytes]) -> bool:
    """Whether the search met what it must: it finds nothing where it looks nowhere."""
    places = " ".join(name for name, text in texts.items() if text)
    met = ("teddy_write.commits", "teddy_read.", "teddy_keys.", CHILD_EVENTS.name, "command.log")
    return all(place in places for place in met)


def _teddy(folder: StackFolder, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "deploy.cli", "--dir", str(folder.path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
