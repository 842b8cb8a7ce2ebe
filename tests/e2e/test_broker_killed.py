"""Apache Kafka killed under load, one node, as `make up` runs it."""

import os
import signal
import time

from deploy.local import plans
from deploy.local.state import StackFolder, StackState
from tests.apache_kafka.load import load_on
from tests.apache_kafka.proof import RelayLog, nothing_is_lost, records_by_place
from tests.support.own_servers import state_of
from tests.support.waiting import until

BACK_SECONDS = 60.0


async def test_what_the_broker_acknowledged_survives_its_sudden_end(
    services: StackFolder, running: StackState
) -> None:
    # given commands over HTTP, and records that the broker has acknowledged
    (broker,) = [process for process in running.processes if process.name == "kafka"]
    bootstrap = running.environment[plans.KAFKA_BOOTSTRAP]
    relay_log = RelayLog(services)
    async with load_on(running) as load:
        await load.goes_on()
        before = await records_by_place(bootstrap)
        # when
        os.kill(broker.pid, signal.SIGKILL)
        await load.goes_on(100)
        await until(lambda: _is_back(services, broker.pid), BACK_SECONDS)
        back = time.monotonic()
        await load.goes_on()
    # then every acknowledged command is in the store, on the topic and in the read models
    await nothing_is_lost(state_of(services), load, back)
    # and each record is where it was: the relay had no reason to publish the store again
    assert before.items() <= (await records_by_place(bootstrap)).items()
    assert len(before) > 0
    assert not relay_log.mentions("relay_resume_impossible")


def _is_back(services: StackFolder, killed: int) -> bool:
    (broker,) = [process for process in state_of(services).processes if process.name == "kafka"]
    return broker.pid not in (0, killed)
