"""How old an answer is, as every route says; versions that are waited for."""

import asyncio
import time

import pytest

from query_service.cache.freshness import ProjectedVersions, ReadModelLate
from shared.clock import iso
from shared.signing import ConsistencyToken
from tests.support.query_side import ADMIN, QuerySide, parent
from tests.support.read_model_builders import NOON
from tests.support.routes import Route, guarded
from tests.support.sql_snapshot import AS_OF
from tests.support.waiting import SOON


class StoredVersions:
    """The versions in the store, and how often they were looked at."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.looks = 0
        self.looked = asyncio.Event()

    async def __call__(self, child_id: str) -> int:
        self.looks += 1
        self.looked.set()
        return self.versions.get(child_id, 0)


@pytest.fixture
def stored() -> StoredVersions:
    return StoredVersions()


@pytest.fixture
def versions(stored: StoredVersions) -> ProjectedVersions:
    return ProjectedVersions(stored, time.monotonic)


async def test_a_version_that_the_store_has_is_not_waited_for(
    versions: ProjectedVersions, stored: StoredVersions
):
    stored.versions["lena"] = 3
    before = time.monotonic()
    moment = await versions.wait(ConsistencyToken("lena", 3), seconds=0)
    assert before <= moment <= time.monotonic()


async def test_what_is_known_is_not_asked_again(
    versions: ProjectedVersions, stored: StoredVersions
):
    versions.reached("lena", 3)
    moment = await versions.wait(ConsistencyToken("lena", 2), seconds=0)
    assert moment == await versions.wait(ConsistencyToken("lena", 3), seconds=0)
    assert stored.looks == 0


async def test_a_notice_wakes_who_waits(versions: ProjectedVersions, stored: StoredVersions):
    waiting = asyncio.create_task(versions.wait(ConsistencyToken("lena", 3), seconds=SOON))
    await stored.looked.wait()
    # when an older version arrives and then the right one
    versions.reached("lena", 2)
    versions.reached("lena", 3)
    assert await asyncio.wait_for(waiting, SOON) <= time.monotonic()


async def test_without_notices_the_store_is_looked_at_again(
    versions: ProjectedVersions, stored: StoredVersions
):
    waiting = asyncio.create_task(versions.wait(ConsistencyToken("lena", 3), seconds=SOON))
    await stored.looked.wait()
    stored.versions["lena"] = 4
    await asyncio.wait_for(waiting, SOON)
    assert stored.looks >= 2


async def test_who_waits_in_vain_is_told_so(versions: ProjectedVersions, stored: StoredVersions):
    stored.versions["lena"] = 2
    with pytest.raises(ReadModelLate):
        await versions.wait(ConsistencyToken("lena", 3), seconds=0.02)
    # then nobody is left waiting
    assert not versions._waiting


async def test_who_waits_looks_at_the_store_ten_times_a_second_and_lets_others_run(
    versions: ProjectedVersions, stored: StoredVersions
):
    # given two who wait for the same child
    waiting = [versions.wait(ConsistencyToken("lena", 3), seconds=0.3) for _ in range(2)]
    reported = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in reported] == [ReadModelLate, ReadModelLate]
    assert stored.looks <= 2 * 5


async def test_only_so_many_versions_are_remembered(
    stored: StoredVersions, monkeypatch: pytest.MonkeyPatch
):
    # given room for two
    monkeypatch.setattr("query_service.cache.freshness.REMEMBERED_VERSIONS", 2)
    versions = ProjectedVersions(stored, time.monotonic)
    # when
    for child_id in ("a", "b", "c"):
        versions.reached(child_id, 1)
    # then the first was forgotten and is looked up again
    stored.versions["a"] = 1
    await versions.wait(ConsistencyToken("a", 1), seconds=0)
    await versions.wait(ConsistencyToken("c", 1), seconds=0)
    assert stored.looks == 1


OF_THE_PROCESS = frozenset(
    {"get_query_bus", "get_cache_statistics", "get_recent_requests", "get_sql_tables"}
)
"""What a process says of itself, as it is at this moment."""

NOT_OF_READ_MODELS = frozenset({"export_evidence"})

MADE_ANEW = frozenset({"export_child"})
"""Nobody knows what it will be before it is sent: it has no validator."""

STREAMS = frozenset({"follow_family"})
OF_A_SNAPSHOT = frozenset({"get_system_series"})
"""As old as that is."""

OF_OTHER_STORES = frozenset({"get_system_protection"})
"""It has nothing from the read models, and says nothing of how old they are."""

QUERIES = [
    route
    for route in guarded(QuerySide().app)
    if route.method == "GET" and route.name not in OF_THE_PROCESS | STREAMS | NOT_OF_READ_MODELS
]
FRESHNESS = {"X-As-Of", "Age", "Cache-Status"}


@pytest.mark.parametrize("route", QUERIES, ids=str)
async def test_an_answer_says_how_old_it_is(side: QuerySide, route: Route):
    # given a child, one that was erased, and read models that a worker told of
    await side.child("lena", parent_id="weiss")
    await side.child("mia", parent_id="weiss", status="erased")
    await side.list_as_erased("mia")
    side.store.through = NOON
    path = str(route).removeprefix("GET ")
    child = "mia" if "receipt" in path else "lena"
    of_staff = any(part in path for part in ("system", "/v1/safety-violations", "audit-records"))
    principal = ADMIN if of_staff else parent("weiss")
    # when
    answer = await side.get(path.format(child_id=child, parent_id="weiss"), principal)
    # then
    assert answer.status_code == 200, answer.text
    as_of = AS_OF if route.name in OF_A_SNAPSHOT else iso(NOON)
    is_apart = route.name in OF_OTHER_STORES
    assert answer.headers.get("X-As-Of") == (None if is_apart else as_of)
    assert answer.headers["Age"] == "0"
    assert answer.headers["Cache-Status"] == "teddy-query; fwd=miss"


async def test_the_documentation_names_it_for_every_query(side: QuerySide):
    paths = (await side.get("/openapi.json")).json()["paths"]

    assert len(QUERIES) == len(side.service.edge.bus.handlers)
    for route in QUERIES:
        responses = paths[route.path]["get"]["responses"]
        assert set(responses["200"]["headers"]) >= FRESHNESS, route
        assert ("304" in responses) is (route.name not in MADE_ANEW), route
        assert set(responses.get("304", responses["200"])["headers"]) >= FRESHNESS, route
