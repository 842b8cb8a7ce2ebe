"""A bear that is sold: what it may read and report, on the running services."""

from typing import Any

import pytest

from deploy.local.state import StackState
from shared.auth.access import Role
from shared.client import TeddyClient, TeddyProblem
from shared.clock import new_id
from tests.support.callers import client
from tests.support.consents import CONSENTS


async def test_a_second_hand_bear_reads_and_reports_nothing_of_the_family_before(
    running: StackState,
) -> None:
    # given a bear that its first family used and gave away
    bear_id, udid = f"bear-{new_id()}", new_id().upper()
    bear_s: dict[str, Any] = {"udid": udid, "device_id": bear_id, "consents": CONSENTS}
    async with (
        client(running, Role.PARENT, f"parent-{new_id()}") as seller,
        client(running, Role.PARENT, f"parent-{new_id()}") as buyer,
        client(running, Role.DEVICE, bear_id) as bear,
    ):
        former = (await seller.register_child("Mia", 6, **bear_s))["child_id"]
        await seller.get_child_profile(former)
        await bear.report_safety_violation(former, "content", "low")
        assert (await bear.get_child_profile(former))["child_id"] == former
        # when two families want it before it is given away, in another spelling
        for wanted in (bear_s | {"udid": udid.lower()}, bear_s | {"udid": new_id()}):
            with pytest.raises(TeddyProblem) as taken:
                await buyer.register_child("Bo", 6, **wanted)
            assert taken.value.code in ("udid-taken", "device-id-taken")
        await seller.deactivate_child(former, "the bear is sold")
        assert (await seller.get_child_profile(former))["status"] == "deactivated"
        # then nobody's bear reads or reports, before and after the next family has it
        await _hears_nothing(bear, former)
        now = (await buyer.register_child("Bo", 6, **bear_s))["child_id"]
        await buyer.get_child_profile(now)
        await _hears_nothing(bear, former)
        assert (await bear.get_child_profile(now))["child_id"] == now
        await bear.report_safety_violation(now, "content", "low")


async def _hears_nothing(bear: TeddyClient, child_id: str) -> None:
    asked = (
        lambda: bear.get_child_profile(child_id),
        lambda: bear.get_child_analytics(child_id),
        lambda: bear.report_safety_violation(child_id, "content", "high"),
        lambda: bear.start_conversation(child_id),
    )
    for ask in asked:
        with pytest.raises(TeddyProblem) as refused:
            await ask()
        assert (refused.value.status, refused.value.code) == (404, "child-not-found")
