"""The numbers of the whole system over HTTP, by an analyst who asked a moment before."""

from deploy.local.state import StackState
from shared.auth.access import Role
from shared.client import TeddyClient
from shared.clock import new_id
from tests.support.callers import client
from tests.support.consents import CONSENTS
from tests.support.waiting import eventually

PROMISED_SECONDS = 10.0
"""What is kept for two hours otherwise is dropped by the first change after it."""


async def test_a_registration_and_an_erasure_are_in_the_numbers_within_seconds(
    running: StackState,
) -> None:
    async with (
        client(running, Role.PARENT, f"parent-{new_id()}") as parent,
        client(running, Role.ANALYST, f"analyst-{new_id()}") as analyst,
    ):
        # given numbers that are kept
        active, erased = await _standing_still(analyst)
        # when
        child = await parent.register_child("Mia", 6, new_id(), consents=CONSENTS)
        # then
        await eventually(
            lambda: _numbers(analyst), PROMISED_SECONDS, lambda now: now == (active + 1, erased)
        )
        # when
        await parent.erase_child(child["child_id"])
        # then
        await eventually(
            lambda: _numbers(analyst), PROMISED_SECONDS, lambda now: now == (active, erased + 1)
        )


async def _numbers(analyst: TeddyClient) -> tuple[int, int]:
    children = (await analyst.get_system_analytics())["children"]
    return children["active"], children["erased"]


async def _standing_still(analyst: TeddyClient) -> tuple[int, int]:
    """Once nothing of earlier tests is on its way any more."""
    await eventually(lambda: _is_same(analyst))
    return await _numbers(analyst)


async def _is_same(analyst: TeddyClient) -> bool:
    return len({await _numbers(analyst) for _ in range(50)}) == 1
