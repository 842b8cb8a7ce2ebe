import time

import pytest

from query_service.cache.entries import child_tag
from query_service.cache.freshness import Invalidation, ProjectedVersions
from query_service.cache.query_cache import QueryCache
from query_service.cache.second_tier import Loaded
from shared.read_models.notices import AlertNotice, ChangeNotice
from shared.signing import ConsistencyToken
from tests.support.query_side import QuerySide, parent
from tests.support.read_model_builders import alert_document

LENA = frozenset({child_tag("lena")})


async def profile() -> Loaded[str]:
    return Loaded("profile")


async def no_version(_child_id: str) -> int:
    raise AssertionError("the notice said it")


@pytest.fixture
def cache() -> QueryCache[str]:
    return QueryCache(10, time.monotonic)


@pytest.fixture
def versions() -> ProjectedVersions:
    return ProjectedVersions(no_version, time.monotonic)


@pytest.fixture
def invalidation(
    cache: QueryCache[str], versions: ProjectedVersions, side: QuerySide
) -> Invalidation:
    invalidation = Invalidation(cache, versions, side.keyring)
    invalidation.connection_changed(True)
    return invalidation


async def test_an_alert_drops_nothing_and_a_change_its_answers_and_its_version_is_known(
    cache: QueryCache[str], invalidation: Invalidation, versions: ProjectedVersions
):
    await cache.get_or_load("key", 10, LENA, profile)
    invalidation.received(AlertNotice.of(alert_document("a1", child_id="lena")))
    assert cache.statistics().size == 1
    await cache.get_or_load("key", 10, LENA, profile)
    invalidation.received(ChangeNotice("lena", "weiss", 3))
    assert cache.statistics().size == 0
    await versions.wait(ConsistencyToken("lena", 3), seconds=0)


async def test_a_change_may_be_an_erasure_so_the_key_is_asked_for_again(
    side: QuerySide, invalidation: Invalidation
):
    # given a key that another process destroys
    await side.keyring.create("lena")
    await side.key_store.destroy("lena")
    assert await side.keyring.cipher("lena")
    invalidation.received(ChangeNotice("lena", "weiss", 3))
    assert await side.keyring.cipher("lena") is None


async def test_without_a_connection_nothing_is_kept(
    cache: QueryCache[str], invalidation: Invalidation
):
    await cache.get_or_load("key", 10, LENA, profile)
    invalidation.connection_changed(False)
    await cache.get_or_load("key", 10, LENA, profile)
    assert cache.statistics().size == 0


async def test_without_a_connection_a_key_that_another_process_destroys_is_missed_at_once(
    side: QuerySide, invalidation: Invalidation
):
    await side.keyring.create("lena")
    invalidation.connection_changed(False)
    assert await side.keyring.cipher("lena")
    await side.key_store.destroy("lena")
    assert await side.keyring.cipher("lena") is None


async def test_an_erased_child_is_not_shown_though_every_store_still_has_it(
    side: QuerySide, invalidation: Invalidation, cache: QueryCache[str]
):
    # given databases from before the erasure
    await side.child("lena", parent_id="weiss")
    await cache.get_or_load("key", 10, LENA, profile)
    # when
    invalidation.erased(["lena"])
    # then
    assert cache.statistics().size == 0
    async with side.client(parent("weiss")) as client:
        assert (await client.get("/v1/children/lena")).status_code == 404
        assert (await client.get("/v1/children")).json()["items"] == []


async def test_a_childs_erasure_drops_every_answer_that_shows_the_child(side: QuerySide):
    # given a dashboard in the cache, and a key that a restored database brought back
    await side.child("lena", parent_id="weiss")
    async with side.client(parent("weiss")) as client:
        before = await client.get("/v1/parents/weiss/children")
        # when only the topic of erasures tells
        side.service.invalidation.erased(["lena"])
        after = await client.get("/v1/parents/weiss/children")
    assert [len(answer.json()["children"]) for answer in (before, after)] == [1, 0]
