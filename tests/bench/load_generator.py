"""Sends prepared requests and times them: wrk, or sockets of this process where there is none."""

import asyncio
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from tempfile import NamedTemporaryFile
from typing import Protocol

import orjson

from tests.support.raw_http import Answered, send_all

SCRIPT = Path(__file__).with_name("requests.lua")
FEW = 4
LONGEST_SECONDS = 300
"""A run that takes longer is broken."""


class Broken(Exception):
    """Nothing was measured: an error answer, a connection that broke, a time limit."""


class GeneratorMissing(Exception):
    """wrk is not on PATH."""


@dataclass(frozen=True, slots=True)
class Driven:
    """`hits`: answers from the query cache. `percentiles`: seconds of the 1st to the 100th."""

    answered: int
    seconds: float
    hits: int
    percentiles: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.answered / self.seconds

    def milliseconds(self, percent: int) -> float:
        return self.percentiles[percent - 1] * 1e3


class LoadGenerator(Protocol):
    """`connections` callers, each of which sends the next request when its last is answered."""

    @property
    def name(self) -> str: ...

    def drive(
        self, address: tuple[str, int], requests: Sequence[bytes], connections: int
    ) -> Driven:
        """Each request once (tests.support.raw_http.request). Raises Broken unless all succeed,
        each command of a batch too."""
        ...


class Wrk:
    """https://github.com/wg/wrk, one thread, with requests.lua."""

    name = "wrk"

    def drive(
        self, address: tuple[str, int], requests: Sequence[bytes], connections: int
    ) -> Driven:
        with NamedTemporaryFile(prefix="teddy-bench-") as file:
            for one in requests:
                file.write(b"%d\n%b" % (len(one), one))
            file.flush()
            return _checked(_run(address, file.name, connections), len(requests))


def _run(address: tuple[str, int], file: str, connections: int) -> subprocess.CompletedProcess[str]:
    options = ["-t1", f"-c{connections}", f"-d{LONGEST_SECONDS}", "--timeout", "30"]
    url = f"http://{address[0]}:{address[1]}"
    command = ["wrk", *options, "-s", str(SCRIPT), url, "--", file]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _checked(ran: subprocess.CompletedProcess[str], expected: int) -> Driven:
    if ran.returncode or not ran.stdout.rstrip().endswith("}"):
        raise Broken(f"wrk: {ran.stderr[:500] or ran.stdout[:500]}")
    found = orjson.loads(ran.stdout.rstrip().splitlines()[-1])
    if found["failed"] or found["answered"] != expected or ran.stderr:
        said = f"{found['answered']} of {expected} answered, {found['failed']} failed"
        raise Broken(f"wrk: {said}. {ran.stderr[:500]}")
    percentiles = tuple(each / 1e6 for each in found["percentiles"])
    return Driven(expected, found["microseconds"] / 1e6, found["hits"], percentiles)


class RawSockets:
    """In this process: its own work is part of every figure, but it runs anywhere."""

    name = "sockets of a Python process (wrk is not on PATH)"

    def drive(
        self, address: tuple[str, int], requests: Sequence[bytes], connections: int
    ) -> Driven:
        done = answers(address, requests, connections)
        _require_no_problem(done.bodies)
        waited = done.waited if len(done.waited) > 1 else done.waited * 2
        ends = (*quantiles(waited, n=100, method="inclusive"), max(waited))
        return Driven(len(requests), done.seconds, done.hits, ends)


@dataclass(frozen=True, slots=True)
class Gentle:
    """With few callers: a machine that is busy with other work answers those, too."""

    generator: LoadGenerator

    @property
    def name(self) -> str:
        return self.generator.name

    def drive(
        self, address: tuple[str, int], requests: Sequence[bytes], connections: int
    ) -> Driven:
        return self.generator.drive(address, requests, min(connections, FEW))


def answers(address: tuple[str, int], requests: Sequence[bytes], connections: int) -> Answered:
    """With their bodies, for what has to be known before it can be measured. Raises Broken."""
    try:
        return asyncio.run(send_all(address, requests, connections))
    except* (RuntimeError, OSError, asyncio.IncompleteReadError) as errors:
        raise Broken(str(errors.exceptions[0])) from None


def _require_no_problem(bodies: Sequence[bytes]) -> None:
    """A batch is answered with 200, whatever became of its commands."""
    for body in bodies:
        if b'"problem"' in body:
            raise Broken(f"not executed: {body[-400:]!r}")


def load_generator(*, quick: bool) -> LoadGenerator:
    """wrk. Raises GeneratorMissing where there is none; a `quick` run goes on without it."""
    if shutil.which("wrk"):
        return Gentle(Wrk()) if quick else Wrk()
    if quick:
        return Gentle(RawSockets())
    raise GeneratorMissing(
        "wrk is not on PATH; install it (Debian and Ubuntu: apt install wrk, macOS: brew install "
        "wrk), or run `make bench-quick`"
    )
