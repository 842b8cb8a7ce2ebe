"""Where Apache Kafka cannot be had `make test-kafka` says why; where its tests fail, it fails."""

import hashlib
from pathlib import Path

import pytest

from tests.apache_kafka import __main__ as command
from tests.apache_kafka import jars
from tests.apache_kafka.__main__ import Outcome, main, passed_in, told

JAVA_17 = """echo 'openjdk version "17.0.15" 2025-04-15' >&2"""
JAVA_8 = """echo 'java version "1.8.0_402"' >&2"""
JAVA_BROKEN = "exit 1"
MAVEN_FAILS = "echo '[INFO] Scanning'; echo '[ERROR] no repository answers'; exit 1"
MAVEN_BRINGS = """for one in "$@"; do
  case $one in -DoutputDirectory=*) folder=${one#*=};; esac
done
/bin/mkdir -p "$folder"; printf kafka > "$folder/kafka.jar" """


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH; empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the jars are to be, of which one is wanted; and no test is run on them."""
    checksums = tmp_path / "jars.sha256"
    checksums.write_text(f"{hashlib.sha256(b'kafka').hexdigest()}  kafka.jar\n")
    monkeypatch.setattr(jars, "CHECKSUMS", checksums)

    async def nothing(*_: Path) -> list[Outcome]:
        return [Outcome(0, 3), Outcome(0, 4)]

    monkeypatch.setattr(command, "run", nothing)
    return tmp_path / "jars"


def install(path: Path, **programs: str) -> None:
    for name, script in programs.items():
        program = path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)


@pytest.mark.parametrize(
    ("programs", "why"),
    [
        ({}, "there is no java on the PATH"),
        ({"java": JAVA_8}, 'Java 17 or newer is needed, and here is java version "1.8.0_402"'),
        (
            {"java": JAVA_BROKEN},
            "Java 17 or newer is needed, and here is java does not tell its version",
        ),
        ({"java": JAVA_17}, "there is no mvn (Maven) on the PATH to bring Kafka's jars"),
        (
            {"java": JAVA_17, "mvn": MAVEN_FAILS},
            "Maven did not bring Kafka's jars: [ERROR] no repository answers",
        ),
    ],
)
def test_what_is_missing_is_told_in_one_line_and_is_no_failure(
    path: Path,
    kept: Path,
    capsys: pytest.CaptureFixture[str],
    programs: dict[str, str],
    why: str,
) -> None:
    # given
    install(path, **programs)
    # when
    code = main(kept)
    # then
    said = [f"Apache Kafka cannot be run here: {why}", "test-kafka: skipped"]
    assert (code, capsys.readouterr().out.splitlines()) == (0, said)


def test_with_java_and_maven_the_tests_run(
    path: Path, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # given
    install(path, java=JAVA_17, mvn=MAVEN_BRINGS)
    # when / then
    assert main(kept) == 0
    assert capsys.readouterr().out.splitlines() == ["test-kafka: ran, 7 passed"]


def test_jars_that_are_there_are_not_fetched_again(path: Path, kept: Path) -> None:
    # given
    install(path, java=JAVA_17, mvn=MAVEN_BRINGS)
    assert main(kept) == 0
    # when Maven is gone, then
    (path / "mvn").unlink()
    assert jars.available_jars(kept) == kept


def test_a_jar_that_is_not_what_was_chosen_is_a_failure(
    path: Path, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # given
    install(path, java=JAVA_17, mvn=MAVEN_BRINGS.replace("printf kafka", "printf other"))
    # when / then
    assert main(kept) == 1
    assert capsys.readouterr().err == "test-kafka: not as in jars.sha256: kafka.jar\n"


@pytest.mark.parametrize(
    "outcomes", [(Outcome(1, 5), Outcome(0, 7)), (Outcome(0, 5), Outcome(2, 0))]
)
def test_a_failure_of_either_part_is_a_failure(outcomes: tuple[Outcome, ...]) -> None:
    assert told(outcomes) == 1


def test_only_tests_that_passed_are_counted(tmp_path: Path) -> None:
    # given
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/></testsuites>'
    )
    # when / then
    assert passed_in(report) == 3
    assert passed_in(tmp_path / "missing.xml") == 0


def test_every_chosen_jar_has_a_checksum_and_the_pom_names_no_repository() -> None:
    named = [line.split()[1] for line in (jars.HERE / "jars.sha256").read_text().splitlines()]

    assert "kafka_2.13-4.1.1.jar" in named
    assert len(named) == len(set(named)) > 40
    assert "<version>4.1.1</version>" in jars.POM.read_text()
    assert "epositor" not in jars.POM.read_text()
