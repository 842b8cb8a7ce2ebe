"""Apache Kafka's jars: listed with their SHA-256 digests in jars.sha256, which decides.

They lie in the machine's Maven repository (`M2_REPO`, else `~/.m2/repository`), where other Java
programs look for theirs as well, or in a folder of Kafka's own distribution that a setting names.
What is missing is downloaded by jgo, checked, and only then put in its place: by
`python -m deploy.local.apache_kafka.jars`, whose exit code is 1 when the jars cannot be had, 3 when
what was downloaded is not what was expected.
"""

import fcntl
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deploy.local.settings import LocalStackSettings
from shared.settings import load_settings

CHECKSUMS = Path(__file__).with_name("jars.sha256")
KAFKA_JAR = "kafka_2.13"
MISSING, WRONG = 1, 3
DOWNLOADS = 8
"""At the same time: most jars are small, and waiting for the answer is what takes long."""


class JarsMissing(Exception):
    """Not all jars are there, and they cannot be downloaded; the message says why."""


class WrongJar(Exception):
    """What was downloaded, or lies in the folder that a setting names, is not what jars.sha256
    lists."""


@dataclass(frozen=True, slots=True)
class Jar:
    """`path`: of the jar in a Maven repository, `group/as/folders/artifact/version/file.jar`."""

    path: PurePosixPath
    digest: str

    @property
    def group(self) -> str:
        return ".".join(self.path.parts[:-3])

    @property
    def artifact(self) -> str:
        return self.path.parts[-3]

    @property
    def version(self) -> str:
        return self.path.parts[-2]

    def is_at(self, file: Path) -> bool:
        """Whether `file` is this very jar, byte for byte."""
        try:
            return hashlib.sha256(file.read_bytes()).hexdigest() == self.digest
        except OSError:
            return False


def locked_jars(checksums: Path = CHECKSUMS) -> list[Jar]:
    lines = (line.split() for line in checksums.read_text().splitlines())
    return [Jar(PurePosixPath(path), digest) for digest, path in lines]


def kafka_version(jars: Sequence[Jar]) -> str:
    return next(jar.version for jar in jars if jar.artifact == KAFKA_JAR)


def maven_repository() -> Path:
    """The local one, where it is by Maven's own rules."""
    named = os.environ.get("M2_REPO")
    return Path(named) if named else Path.home() / ".m2" / "repository"


def jars_in_folder(folder: Path, jars: Sequence[Jar]) -> list[Path]:
    """The listed jars of a distribution's `libs`; others that lie there are left alone.

    Raises WrongJar, naming the first that is missing or differs.
    """
    for jar in jars:
        if not jar.is_at(folder / jar.path.name):
            raise WrongJar(f"{folder / jar.path.name} is missing or does not match jars.sha256")
    return [folder / jar.path.name for jar in jars]


def jars_in_repository(repository: Path, jars: Sequence[Jar]) -> list[Path] | None:
    """Where the listed jars lie; None when one is missing or differs."""
    if all(jar.is_at(repository / jar.path) for jar in jars):
        return [repository / jar.path for jar in jars]
    return None


def download(repository: Path, jars: Sequence[Jar], remote: str | None = None) -> None:
    """Download what is missing in `repository`; `remote`: a Maven repository's URL, None: Central.

    Raises JarsMissing, WrongJar. Interrupted at any moment, it leaves no jar half written.
    """
    try:
        with (
            _alone(repository),
            tempfile.TemporaryDirectory(prefix=".teddy-", dir=repository) as folder,
        ):
            missing = [jar for jar in jars if not jar.is_at(repository / jar.path)]
            _fetch(missing, Path(folder), remote)
            for jar in missing:
                (repository / jar.path).parent.mkdir(parents=True, exist_ok=True)
                (Path(folder) / jar.path).replace(repository / jar.path)
    except OSError as error:
        raise JarsMissing(f"{type(error).__name__}: {error}") from error


def _fetch(missing: Sequence[Jar], folder: Path, remote: str | None) -> None:
    from jgo.maven import MavenContext  # noqa: PLC0415 - half a second, for what is needed once

    remotes = None if remote is None else {"configured": remote.rstrip("/")}
    context = MavenContext(repo_cache=folder, remote_repos=remotes)

    def fetch(jar: Jar) -> None:
        component = context.project(jar.group, jar.artifact).at_version(jar.version)
        try:
            component.artifact().resolve()
        except OSError as error:  # whatever requests raises is one
            raise JarsMissing(
                f"{jar.path.name}: no Maven repository could be reached ({type(error).__name__})"
            ) from error
        except RuntimeError as error:
            raise JarsMissing(f"{jar.path.name}: {error}") from error
        if not jar.is_at(folder / jar.path):
            raise WrongJar(f"the repository's {jar.path.name} does not match jars.sha256")

    with ThreadPoolExecutor(DOWNLOADS) as pool:
        pending = [pool.submit(fetch, jar) for jar in missing]
        try:
            for done in pending:
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _alone(repository: Path) -> Iterator[None]:
    """One process downloads; others wait and find the jars."""
    repository.mkdir(parents=True, exist_ok=True)
    with (repository / ".teddy-download.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    settings = load_settings(LocalStackSettings)
    try:
        download(maven_repository(), locked_jars(), settings.maven_repository)
    except (JarsMissing, WrongJar) as failed:
        print(failed, file=sys.stderr)
        return WRONG if isinstance(failed, WrongJar) else MISSING
    return 0


if __name__ == "__main__":
    sys.exit(main())
