"""The servers underneath: killed, hung, without room to write; a broker that forgot everything."""

import asyncio
import os
import resource
import shutil
import signal
from functools import partial

import psutil

from shared.clock import new_id
from shared.fault_points import FaultPoint
from shared.mongo import Mongo
from tests.faults.cases.case import Case
from tests.faults.cases.ends import killed
from tests.faults.world import World
from tests.support.consents import CONSENTS

HUNG_SECONDS = 4.0


async def _broker_hung(world: World) -> int:
    """Commands go on meanwhile; what waits is published afterwards."""
    with world.frozen("kafka"):
        await asyncio.sleep(world.away_seconds)
        async with world.as_parent(f"parent-{new_id()}") as http:
            body = {"name": "Mia", "age": 6, "udid": new_id(), "consents": CONSENTS}
            (await http.post("/v1/children", json=body)).raise_for_status()
    await world.is_well("kafka")
    return 1


async def _broker_lost_its_disk(world: World) -> int:
    before = world.process("kafka")
    os.kill(before.pid, signal.SIGKILL)
    shutil.rmtree(world.folder.data / "kafka", ignore_errors=True)
    (world.folder.data / "kafka").mkdir(exist_ok=True)
    await world.is_back(before)
    return 1


async def _store_killed_in_a_transaction(world: World) -> int:
    """The worker freezes within its transaction, the primary dies under it."""
    await world.injects(FaultPoint.WORKER_MID_TRANSACTION, signal.SIGSTOP)
    await world.kill("mongod")
    os.kill(world.process("worker").pid, signal.SIGCONT)
    return 1


async def _store_hung(world: World) -> int:
    with world.frozen("mongod"):
        await asyncio.sleep(HUNG_SECONDS)
    await world.is_well("mongod")
    return 1


async def _store_steps_down(world: World) -> int:
    """The only node elects itself again after a moment."""
    url = world.state.environment["TEDDY_WRITE_MONGO_URL"]
    mongo = Mongo(url, "pymongo")
    command = {"replSetStepDown": 1, "secondaryCatchUpPeriodSecs": 0, "force": True}
    await mongo.database("admin").command(command)
    await mongo.close()
    await world.is_well("mongod")
    return 1


async def _full(world: World) -> int:
    """No file of MongoDB may grow by a byte: it stops, as on a full disk, and goes on from its
    journal once there is room."""
    before = world.process("mongod")
    psutil.Process(before.pid).rlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    await world.is_back(before)
    return 1


CASES = (
    Case("broker-killed", "SIGKILL of the broker", partial(killed, "kafka")),
    Case(
        "broker-hung",
        "the broker does not answer for 20 s (60 s with --long); commands go on",
        _broker_hung,
        commands=600,
    ),
    Case(
        "broker-lost-its-disk",
        "SIGKILL of the broker, its data deleted",
        _broker_lost_its_disk,
        keeps_topic=False,
    ),
    Case(
        "store-killed-in-a-transaction",
        "SIGKILL of MongoDB while a worker's transaction is open",
        _store_killed_in_a_transaction,
    ),
    Case("store-hung", f"MongoDB does not answer for {HUNG_SECONDS:.0f} s", _store_hung),
    Case("store-steps-down", "the primary steps down", _store_steps_down),
    Case("disk-full", "MongoDB can no longer write to files", _full),
)
