"""Apache Kafka's jars: named in pom.xml, brought by Maven, known by their checksums.

Maven refuses a jar that is not what its repository says it is (`--strict-checksums`); `jars.sha256`
refuses one that is not what it was when this project chose it, whatever repository it is from.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
CHECKSUMS = HERE / "jars.sha256"
KEPT = Path(sys.prefix) / "apache-kafka"
OLDEST_JAVA = 17
MAVEN_SECONDS = 300.0


class Unavailable(Exception):
    """Apache Kafka cannot be had on this machine; the message says what is missing."""


class WrongJars(Exception):
    """What Maven brought is not what this project chose."""


def available_jars(kept: Path = KEPT) -> Path:
    """The folder of the jars, on a machine that can run them. Raises Unavailable, WrongJars."""
    check_java()
    if differing(kept):
        fetch(kept)
        wrong = differing(kept)
        if wrong:
            raise WrongJars(f"not as in {CHECKSUMS.name}: {', '.join(wrong)}")
    return kept


def check_java() -> None:
    """Raises Unavailable."""
    if shutil.which("java") is None:
        raise Unavailable("there is no java on the PATH")
    asked = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', asked.stderr)
    if version is None or int(version[1]) < OLDEST_JAVA:
        told = (asked.stderr.strip().splitlines() or ["java does not tell its version"])[0]
        raise Unavailable(f"Java {OLDEST_JAVA} or newer is needed, and here is {told}")


def fetch(folder: Path) -> None:
    """Let Maven bring all jars, from wherever its settings say. Raises Unavailable."""
    if shutil.which("mvn") is None:
        raise Unavailable("there is no mvn (Maven) on the PATH to bring Kafka's jars")
    shutil.rmtree(folder, ignore_errors=True)
    goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}")
    command = ["mvn", "--quiet", "--batch-mode", "--strict-checksums", "--file", str(POM), *goal]
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=MAVEN_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"Maven did not bring Kafka's jars in {MAVEN_SECONDS:.0f} s") from None
    if ran.returncode:
        errors = [line for line in ran.stdout.splitlines() if "ERROR" in line]
        raise Unavailable(f"Maven did not bring Kafka's jars: {(errors or ['it said nothing'])[0]}")


def differing(folder: Path) -> list[str]:
    """The names of jars that are missing in `folder`, are not known, or are not as they were."""
    lines = CHECKSUMS.read_text().splitlines()
    expected = {name: digest for digest, name in (line.split() for line in lines)}
    found = {jar.name: _digest(jar) for jar in folder.glob("*.jar")}
    names = sorted(expected.keys() | found.keys())
    return [name for name in names if expected.get(name) != found.get(name)]


def _digest(jar: Path) -> str:
    return hashlib.sha256(jar.read_bytes()).hexdigest()
