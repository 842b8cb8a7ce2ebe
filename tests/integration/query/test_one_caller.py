"""The query process, and one subject whose queries wait: the others are answered."""

from collections import Counter

from shared.auth.access import Principal, Role
from shared.clock import new_id
from shared.keyring.key_file import read_key_file
from shared.signing import ConsistencyTokens
from tests.integration.query.conftest import QueryWorld, query_process
from tests.support.greedy_caller import LOOPBACK, ask, attack, flood
from tests.support.metrics import sample
from tests.support.waiting import STARTED, eventually

WEISS, BRAUN = Principal("weiss", Role.PARENT), Principal("braun", Role.PARENT)
PLACES, WAITING, OF_ONE_SUBJECT = 40, 16, 2
GREEDY, ASKED = 60, 25
FEW = {
    "TEDDY_QUERY_MAX_IN_FLIGHT": str(PLACES),
    "TEDDY_QUERY_MAX_WAITING": str(WAITING),
    "TEDDY_QUERY_MAX_CONNECTIONS": str(2 * GREEDY),
    "TEDDY_SUBJECT_SHARE": str(OF_ONE_SUBJECT / WAITING),
}


async def test_queries_of_one_subject_that_wait_leave_the_others_their_places(
    world: QueryWorld,
) -> None:
    # given a child whose next version never comes
    lena, mia = new_id(), new_id()
    await world.put_child(lena, "Lena", parent_id="weiss", version=3)
    await world.put_child(mia, "Mia", parent_id="braun", version=3)
    tokens = ConsistencyTokens(read_key_file(world.directory / "keys.json").signature_key)
    late = f"Consistency-Token: {tokens.issue(lena, 4)}\r\nPrefer: wait=10\r\n"
    waits = [_profile(world, WEISS, lena, late)]
    address = (LOOPBACK, world.port)

    async with query_process(world.environment(**FEW)):
        await eventually(world.is_ready, STARTED)
        async with attack(address, GREEDY, flood(waits)):
            # given those who wait have their share
            await eventually(
                lambda: sample(world.url, "teddy_query_waits_refused_total", reason="subject")
            )
            # when
            statuses: Counter[int] = Counter()
            for _ in range(ASKED):
                statuses[await ask(address, _profile(world, BRAUN, mia))] += 1
            waiting = await sample(world.url, "teddy_queries_waiting")
            in_flight = await sample(world.url, "teddy_requests_in_flight")
    # then
    assert statuses == {200: ASKED}
    assert waiting is not None
    assert in_flight is not None
    assert waiting <= OF_ONE_SUBJECT
    assert in_flight <= PLACES


def _profile(world: QueryWorld, principal: Principal, child_id: str, more: str = "") -> bytes:
    head = f"GET /v1/children/{child_id} HTTP/1.1\r\nHost: query\r\n"
    return f"{head}Authorization: {world.bearer(principal)}\r\n{more}\r\n".encode()
