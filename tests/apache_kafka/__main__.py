"""`make test-kafka`: the tests that speak to Kafka, on three brokers of Apache Kafka itself.

First the integration tests that `make test` runs on one node, then the durability tests of this
folder. On a machine that cannot have Apache Kafka it says why, and that is no failure.
"""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from deploy.local.apache_kafka.installation import Installation, JavaMissing, installation
from deploy.local.apache_kafka.jars import JarsMissing, WrongJar
from deploy.local.control import StackFailed
from deploy.local.operator_settings import set_aside
from deploy.local.process import end_with_parent
from deploy.local.settings import LocalStackSettings
from tests.apache_kafka.cluster import BrokerFailed, kafka_cluster
from tests.apache_kafka.only_kafka import ONE_PART
from tests.apache_kafka.stack import REPLICATED, stack_on

INTEGRATION = ("tests/integration", "-p", "tests.apache_kafka.only_kafka")
DURABILITY = ("tests/apache_kafka",)
ONE = "--one"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one run of pytest: its exit code (0: all passed) and how many tests passed."""

    code: int
    passed: int


def main(given: Sequence[str]) -> int:
    part = (ONE_PART,) if ONE in given else ()
    if exported := set_aside(os.environ):
        print(exported, file=sys.stderr)
    try:
        kafka = asyncio.run(installation(LocalStackSettings(), print))
    except (JavaMissing, JarsMissing) as missing:
        print(f"Apache Kafka cannot be run here: {missing}")
        print("test-kafka: skipped")
        return 0
    except WrongJar as wrong:
        print(f"test-kafka: {wrong}", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="teddy-kafka-"))
    try:
        code = reported(asyncio.run(run(kafka, folder, part)))
    except (BrokerFailed, StackFailed, TimeoutError) as failed:
        print(f"test-kafka: {type(failed).__name__}: {failed}", file=sys.stderr)
        code = 1
    if code:
        print(f"logs are in {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return code


def reported(outcomes: Sequence[Outcome]) -> int:
    """Says how it ended, in the last line; 0 when everything passed."""
    if any(outcome.code for outcome in outcomes):
        print("test-kafka: failed", file=sys.stderr)
        return 1
    print(f"test-kafka: ran, {sum(outcome.passed for outcome in outcomes)} passed")
    return 0


async def run(kafka: Installation, folder: Path, part: Sequence[str]) -> list[Outcome]:
    async with (
        kafka_cluster(kafka, folder) as cluster,
        stack_on(cluster.bootstrap, folder / "stack", servers_only=True) as stack,
    ):
        state = stack.load()
        assert state is not None
        environment = {**state.environment, **REPLICATED}
        integration = await pytest(folder / "integration", environment, *INTEGRATION, *part)
    return [integration, await pytest(folder / "durability", {}, *DURABILITY)]


async def pytest(folder: Path, environment: Mapping[str, str], *arguments: str) -> Outcome:
    """Temporary files of the tests go to `folder`."""
    report = folder.with_suffix(".xml")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "--basetemp", str(folder)),
        *("--junitxml", str(report), *arguments),
        env={**os.environ, **environment},
        preexec_fn=end_with_parent,
    )
    return Outcome(await process.wait(), passed_in(report))


def passed_in(report: Path) -> int:
    """The number of tests that passed, from a JUnit report; 0 when there is none."""
    if not report.exists():
        return 0
    counts = [suite.attrib for suite in ElementTree.parse(report).iter("testsuite")]
    others = ("failures", "errors", "skipped")
    return sum(int(c["tests"]) - sum(int(c[other]) for other in others) for c in counts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
