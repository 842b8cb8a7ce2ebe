"""Commands do not need the broker: it is the relay that waits for it."""

import os
import signal
from typing import Any

import httpx2

from deploy.local.state import StackFolder, StackState
from shared.auth.access import Role
from shared.client import TeddyClient, TeddyProblem
from shared.client.answers import CommandAnswer
from shared.clock import new_id
from tests.support.callers import client
from tests.support.consents import BORN, CONSENTS
from tests.support.waiting import eventually

CHILDREN = 20
SOON = 60.0


async def test_commands_go_on_while_the_broker_is_away_and_its_lag_drains_afterwards(
    services: StackFolder, running: StackState
) -> None:
    # given a broker that hangs
    broker = _pid(running, "kafka")
    os.kill(broker, signal.SIGSTOP)
    async with client(running, Role.PARENT, f"parent-{new_id()}") as parent:
        try:
            # when
            done = [
                await parent.register_child("Mia", 6, new_id(), consents=CONSENTS)
                for _ in range(CHILDREN)
            ]
            # then
            assert [child["version"] for child in done] == [BORN] * CHILDREN
            await eventually(lambda: _lags_by(running, CHILDREN), SOON)
        finally:
            # when it is killed, and started again by the supervisor
            os.kill(broker, signal.SIGKILL)
        # then
        await eventually(lambda: _is_drained(services, broker), SOON)
        await eventually(lambda: _shows_all(parent, done), SOON)


async def _shows_all(parent: TeddyClient, children: list[CommandAnswer]) -> bool:
    try:
        profiles = [await parent.get_child_profile(child["child_id"]) for child in children]
    except TeddyProblem as late:
        if late.status != httpx2.codes.SERVICE_UNAVAILABLE:
            raise
        return False
    return [profile["version"] for profile in profiles] == [BORN] * len(children)


async def _lags_by(stack: StackState, events: int) -> bool:
    lag = (await _relay(stack))["lag"]
    return bool(lag["events"] >= events and lag["seconds"] > 0)


async def _is_drained(services: StackFolder, broker: int) -> bool:
    stack = services.load()
    if stack is None or _pid(stack, "kafka") == broker:
        return False
    health = await _relay(stack)
    return bool(health["status"] == "ready" and health["lag"]["events"] == 0)


async def _relay(stack: StackState) -> Any:
    (address,) = [each.address for each in stack.processes if each.name == "relay"]
    async with httpx2.AsyncClient() as http:
        return (await http.get(f"http://{address}/health/ready")).json()


def _pid(stack: StackState, name: str) -> int:
    (pid,) = [each.pid for each in stack.processes if each.name == name]
    return pid
