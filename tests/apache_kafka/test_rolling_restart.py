"""Work on the brokers that was planned: each is stopped in order and started again."""

import time

from deploy.local.state import StackState
from tests.apache_kafka.cluster import KafkaCluster
from tests.apache_kafka.conftest import Measured
from tests.apache_kafka.load import load_on
from tests.apache_kafka.proof import nothing_is_lost


async def test_a_rolling_restart_of_all_brokers_under_load_loses_nothing(
    cluster: KafkaCluster, running: StackState, measured: Measured
) -> None:
    began = time.monotonic()
    async with load_on(running) as load:
        # when
        for number in sorted(cluster.numbers):
            await cluster.stop(number)
            await load.goes_on()
            await cluster.start(number)
        back = time.monotonic()
        await load.goes_on()
    # then
    counted = await nothing_is_lost(running, load, back)
    measured(f"{counted}; the restarts took {back - began:.0f} s")
