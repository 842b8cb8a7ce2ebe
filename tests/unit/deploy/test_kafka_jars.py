"""Which jars of Apache Kafka are accepted, and what is downloaded, from a repository on disk."""

import gc
import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import ClassVar

import pytest

from deploy.local.apache_kafka import jars
from deploy.local.apache_kafka.jars import (
    Jar,
    JarsMissing,
    WrongJar,
    download,
    jars_in_folder,
    jars_in_repository,
    kafka_version,
    locked_jars,
)

# jgo leaves an answer open that it does not want; the stack downloads in a process of its own
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

KAFKA = PurePosixPath("org/apache/kafka/kafka_2.13/9.9/kafka_2.13-9.9.jar")
LOGGING = PurePosixPath("org/slf4j/slf4j-simple/1.0/slf4j-simple-1.0.jar")


def jar(path: PurePosixPath) -> Jar:
    """One whose content is its name."""
    return Jar(path, hashlib.sha256(path.name.encode()).hexdigest())


LOCKED = [jar(KAFKA), jar(LOGGING)]


class Repository(SimpleHTTPRequestHandler):
    """Files below a folder, as a Maven repository serves them."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def remote_files(tmp_path: Path) -> Path:
    files = tmp_path / "remote"
    for each in LOCKED:
        put(files / each.path, each.path.name)
    return files


@pytest.fixture
def sockets_left_open() -> Iterator[None]:
    """Are closed here, and not during another test."""
    yield
    gc.collect()


@pytest.fixture
def remote(remote_files: Path, sockets_left_open: None) -> Iterator[str]:
    """The URL of a Maven repository."""
    Repository.asked = []
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Repository, directory=str(remote_files))
    ) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def local(tmp_path: Path) -> Path:
    return tmp_path / "m2"


def put(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    file.with_name(file.name + ".sha1").write_text(hashlib.sha1(content.encode()).hexdigest())


def test_the_lock_has_every_jar_once_with_its_place_and_its_digest():
    locked = locked_jars()

    assert kafka_version(locked) == "4.1.1"
    assert len({each.path for each in locked}) == len(locked) == 46
    for each in locked:
        assert each.path.name.startswith(f"{each.artifact}-{each.version}")
        assert len(bytes.fromhex(each.digest)) == 32


def test_a_place_in_a_repository_tells_group_artifact_and_version():
    assert (LOCKED[0].group, LOCKED[0].artifact, LOCKED[0].version) == (
        "org.apache.kafka",
        "kafka_2.13",
        "9.9",
    )


def test_missing_jars_are_downloaded_to_their_places(remote: str, local: Path):
    download(local, LOCKED, remote)

    assert jars_in_repository(local, LOCKED) == [local / KAFKA, local / LOGGING]
    assert [path.name for path in local.iterdir() if path.is_dir()] == ["org"]


def test_jars_that_are_there_are_not_downloaded_again(remote: str, local: Path):
    put(local / KAFKA, KAFKA.name)
    download(local, LOCKED, remote)
    assert {path for path in Repository.asked if path.endswith(".jar")} == {f"/{LOGGING}"}


def test_a_jar_that_was_half_written_is_replaced(remote: str, local: Path):
    put(local / KAFKA, KAFKA.name[:5])
    assert jars_in_repository(local, LOCKED) is None
    download(local, LOCKED, remote)
    assert jars_in_repository(local, LOCKED) is not None


def test_a_jar_that_is_not_what_was_chosen_is_refused_and_not_kept(
    remote: str, remote_files: Path, local: Path
):
    # given a repository with another jar under the same name
    put(remote_files / KAFKA, "something else")
    with pytest.raises(WrongJar, match=r"kafka_2\.13-9\.9\.jar does not match jars\.sha256"):
        download(local, LOCKED, remote)
    assert not (local / KAFKA).exists()


def test_a_jar_that_the_repository_lacks_is_named(remote: str, remote_files: Path, local: Path):
    (remote_files / LOGGING).unlink()
    with pytest.raises(JarsMissing, match=r"^slf4j-simple-1\.0\.jar: .* not found") as missing:
        download(local, LOCKED, remote)
    assert "\n" not in str(missing.value)


def test_a_repository_that_does_not_answer_is_reported_in_one_line(
    local: Path, sockets_left_open: None
):
    with pytest.raises(JarsMissing, match="no Maven repository could be reached") as missing:
        download(local, LOCKED, "http://127.0.0.1:1/")
    assert "\n" not in str(missing.value)


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path):
    # given a file where the repository is to be
    (tmp_path / "file").write_text("")
    with pytest.raises(JarsMissing, match="NotADirectoryError"):
        download(tmp_path / "file" / "m2", LOCKED)


def test_jars_of_a_distribution_are_used_unless_one_is_another(tmp_path: Path):
    for name in (KAFKA.name, LOGGING.name, "kafka-clients-0.1.jar"):
        put(tmp_path / name, name)
    assert jars_in_folder(tmp_path, LOCKED) == [tmp_path / KAFKA.name, tmp_path / LOGGING.name]
    put(tmp_path / KAFKA.name, "another release")
    with pytest.raises(WrongJar, match=r"kafka_2\.13-9\.9\.jar is missing or does not match"):
        jars_in_folder(tmp_path, LOCKED)


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (LOGGING.name, 0, ""),
        ("something else", jars.WRONG, "does not match jars.sha256"),
        (None, jars.MISSING, "slf4j-simple-1.0.jar: "),
    ],
)
def test_the_command_ends_with_what_happened(
    remote: str,
    remote_files: Path,
    local: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    code: int,
    said: str,
):
    # given
    (remote_files / LOGGING).unlink()
    if content is not None:
        put(remote_files / LOGGING, content)
    monkeypatch.setenv("TEDDY_MAVEN_REPOSITORY", remote)
    monkeypatch.setenv("M2_REPO", str(local))
    monkeypatch.setattr(jars, "locked_jars", lambda: LOCKED)
    # when / then
    assert jars.main() == code
    assert said in capsys.readouterr().err


def test_maven_s_own_rules_say_where_jars_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("M2_REPO", raising=False)
    assert jars.maven_repository() == tmp_path / ".m2" / "repository"

    monkeypatch.setenv("M2_REPO", "/elsewhere")
    assert jars.maven_repository() == Path("/elsewhere")
