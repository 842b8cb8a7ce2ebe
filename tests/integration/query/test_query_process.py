"""The query API as a process, over a real MongoDB and a real broker."""

import asyncio
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from redis.asyncio import Redis

from shared.auth.access import Principal, Role
from shared.clock import new_id, utc_now
from shared.erasures import ErasureNotice
from shared.kafka import CHILD_ALERTS, CHILD_ERASURES, READ_MODEL_CHANGES
from shared.keyring.erased_list import ErasedChild, MongoErasedList
from shared.read_models.notices import CLEAR, AlertNotice, ChangeNotice
from tests.integration.query.conftest import QueryWorld, query_process
from tests.support.own_servers import own_valkey
from tests.support.ports import free_port
from tests.support.read_model_builders import alert_document
from tests.support.waiting import STARTED, eventually

WEISS = Principal("weiss", Role.PARENT)
ADMIN = Principal("admin-1", Role.ADMIN)
NOWHERE = "127.0.0.1:9"


async def test_an_answer_is_cached_until_the_notice_of_a_change_arrives(world: QueryWorld) -> None:
    # given a running process
    await world.put_child("lena", "Lena", parent_id="weiss", age=7)
    async with query_process(world.environment()), world.client(WEISS) as client:
        report = await world.until_ready(read_store="up", key_store="up", kafka="up")
        assert report["invalidation"] == {"connected": True}
        first = await client.get("/v1/children/lena")
        second = await client.get("/v1/children/lena")
        # when the projector moves the child on and says so
        await world.put_child("lena", "Lena", parent_id="weiss", age=8, version=2)
        notice = ChangeNotice("lena", "weiss", 2)
        await world.publish(READ_MODEL_CHANGES, "lena", notice.to_json())
        # then
        renewed = await eventually(
            lambda: client.get("/v1/children/lena"),
            STARTED,
            lambda answer: answer.json()["version"] == 2,
        )
    assert first.json()["name"] == "Lena"
    assert [first.headers["X-Cache"], second.headers["X-Cache"]] == ["miss", "hit"]
    assert renewed.json()["age"] == 8


async def test_every_process_forgets_its_answers_when_a_notice_says_so(world: QueryWorld) -> None:
    # given two processes, and a change of which no notice tells
    other = replace(world, port=free_port())
    await world.put_child("lena", "Lena", parent_id="weiss", age=7)
    async with (
        query_process(world.environment()),
        query_process(other.environment()),
        world.client(WEISS) as client,
        other.client(WEISS) as client_of_other,
    ):
        clients = (client, client_of_other)
        for one in (world, other):
            await one.until_ready(read_store="up", key_store="up", kafka="up")
        for each in clients:
            await each.get("/v1/children/lena")
        await world.put_child("lena", "Lena", parent_id="weiss", age=8)
        kept = [(await each.get("/v1/children/lena")).json()["age"] for each in clients]
        # when
        await world.publish(READ_MODEL_CHANGES, "", CLEAR.to_json())
        # then
        for each in clients:
            await eventually(
                partial(each.get, "/v1/children/lena"),
                wanted=lambda answer: answer.json()["age"] == 8,
            )
    assert kept == [7, 7]


async def test_an_answer_is_shared_sealed_and_nothing_depends_on_the_server_of_it(
    world: QueryWorld, tmp_path: Path
) -> None:
    # given
    await world.put_child("lena", "Lena", parent_id="weiss")
    async with own_valkey(tmp_path / "shared") as server:
        url = f"redis://{server.address}/0"
        environment = world.environment(TEDDY_QUERY_CACHE_STORAGE=url)
        async with query_process(environment), world.client(WEISS) as client:
            await world.until_ready(kafka="up", query_cache_storage="up")
            # when: until one is written, for a busy machine may be slower than a query waits
            async with Redis.from_url(url) as values:
                for limit in count(1):
                    path = f"/v1/children?limit={limit}"
                    answer = await client.get(path)
                    if keys := await values.keys():
                        break
                    await asyncio.sleep(1)
                key, value = keys[0], await values.get(keys[0])
            await server.kill()
            await client.get("/v1/children/lena")
            others = dict.fromkeys(("read_store", "key_store", "audit_trail", "kafka"), "up")
            report = await world.until_ready(**others, erasures="up", query_cache_storage="down")
    # then
    assert answer.json()["items"][0]["name"] == "Lena"
    assert all(text not in key + value for text in (b"Lena", b"lena", b"weiss"))
    assert report["status"] == "ready"
    assert report["degraded"] == ["query_cache_storage"]


async def test_a_dashboard_is_notified_of_an_alert_and_sigterm_ends_its_stream(
    world: QueryWorld, driver: str
) -> None:
    # given an open dashboard
    environment = world.environment(TEDDY_MONGO_DRIVER=driver)
    async with query_process(environment) as running, world.client(WEISS) as client:
        await world.until_ready(read_store="up", key_store="up", kafka="up")
        async with client.stream("GET", "/v1/parents/weiss/stream") as response:
            lines = response.aiter_lines()
            assert await anext(lines) == "retry: 1000"
            # when
            alert = AlertNotice.of(alert_document("lena@2:threshold", parent_id="weiss"))
            await world.publish(CHILD_ALERTS, "weiss", alert.to_json())
            # then
            received = [line async for line in _until_blank(lines)]
            assert "event: alert" in received
            assert await running.stop() == 0
            assert [line async for line in lines] == []


async def _until_blank(lines: Any) -> Any:
    assert await asyncio.wait_for(anext(lines), 10) == ""
    while line := await asyncio.wait_for(anext(lines), 10):
        yield line


async def test_how_well_data_is_protected_is_told_from_all_its_stores(world: QueryWorld) -> None:
    # given
    await world.put_child("lena", "Lena", parent_id="weiss")
    erased = ErasedChild(child_id=new_id(), at=utc_now(), by_role="parent", version=2, hash="h")
    await MongoErasedList(world.database).add(erased)
    async with query_process(world.environment()), world.client(ADMIN) as client:
        await world.until_ready(key_store="up", audit_trail="up")
        # when
        answer = await client.get("/v1/system/protection")
    # then
    protection = answer.json()
    (key,) = protection["keys"]
    assert (key["state"], key["data_keys"]) == ("active", 1)
    (shown,) = protection["erasures"]["open_erasures"]
    assert (shown["child_id"], len(shown["outstanding"])) == (erased.child_id, 5)
    assert protection["audit"]["altered"] == []
    assert protection["findings"] == []


async def test_without_kafka_answers_are_right_and_say_that_no_changes_are_heard_of(
    world: QueryWorld,
) -> None:
    # given
    await world.put_child("lena", "Lena", parent_id="weiss")
    environment = world.environment(TEDDY_KAFKA_BOOTSTRAP=NOWHERE)
    async with query_process(environment) as running, world.client(WEISS) as client:
        report = await world.until_ready(read_store="up", key_store="up", kafka="down")
        # when
        answers = [await client.get("/v1/children/lena") for _ in range(2)]
        # then
        assert report["status"] == "not_ready"
        assert [answer.status_code for answer in answers] == [200, 200]
        assert [answer.headers["Cache-Status"] for answer in answers] == [
            "teddy-query; fwd=miss; detail=change-feed-down",
            "teddy-query; hit; detail=change-feed-down",
        ]
        assert await running.stop() == 0


async def test_without_mongodb_the_answer_is_a_problem_within_moments(world: QueryWorld) -> None:
    # given
    nowhere = f"mongodb://{NOWHERE}/?directConnection=true"
    environment = world.environment(TEDDY_READ_MONGO_URL=nowhere)
    async with query_process(environment), world.client(WEISS) as client:
        # when
        answer = await eventually(
            lambda: client.get("/v1/children/lena"),
            STARTED,
            lambda answer: answer.status_code,
            passing=(httpx2.TransportError,),
        )
    # then
    assert answer.status_code == 503
    assert answer.json()["code"] == "read-store-unavailable"
    assert answer.elapsed.total_seconds() < 3


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"TEDDY_CACHE_MAX_ENTRIES": "0"}, "settings: TEDDY_CACHE_MAX_ENTRIES:"),
        ({"TEDDY_KEY_FILE": "missing.json"}, "settings: missing.json: No such file"),
        ({"TEDDY_JWKS_FILE": "missing.json"}, "settings: [Errno 2] No such file"),
    ],
)
async def test_a_process_that_cannot_start_says_why_in_one_line(
    world: QueryWorld, wrong: dict[str, str], complaint: str
) -> None:
    async with query_process(world.environment(**wrong)) as running:
        # when
        _, stderr = await asyncio.wait_for(running.process.communicate(), STARTED)
    # then
    assert running.process.returncode == 2
    assert stderr.decode().startswith(complaint)
    assert stderr.count(b"\n") == 1


async def test_a_child_on_the_topic_of_erasures_is_not_shown_from_the_start(
    world: QueryWorld,
) -> None:
    # given read models and keys from before the erasure, of which only the topic tells
    gone, later, stays = new_id(), new_id(), new_id()
    for child_id in (gone, later, stays):
        await world.put_child(child_id, "Lena", parent_id="weiss")
    await world.publish(CHILD_ERASURES, gone, ErasureNotice(gone, utc_now()).to_json())
    async with query_process(world.environment()), world.client(WEISS) as client:
        # when
        await world.until_ready(erasures="up")
        shown = (await client.get("/v1/children")).json()["items"]
        # then
        assert {child["child_id"] for child in shown} == {later, stays}
        assert (await client.get(f"/v1/children/{gone}")).status_code == 404
        # when one is erased while the process runs, and its key comes back with a copy
        await world.publish(CHILD_ERASURES, later, ErasureNotice(later, utc_now()).to_json())
        # then
        await eventually(
            lambda: client.get(f"/v1/children/{later}"),
            STARTED,
            lambda answer: answer.status_code == 404,
        )
