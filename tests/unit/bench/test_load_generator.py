"""A measurement of anything but successes is no measurement."""

import math
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import orjson
import pytest
from click.testing import CliRunner

from tests.bench.__main__ import main
from tests.bench.load_generator import (
    Broken,
    GeneratorMissing,
    RawSockets,
    Wrk,
    load_generator,
)
from tests.bench.results import Result
from tests.bench.world import checked
from tests.support.raw_http import request

NOWHERE = ("127.0.0.1", 9)
THERE, MISSING = request("GET", "/there", "-"), request("GET", "/missing", "-")
FOUND = {"answered": 3, "microseconds": 1_500_000, "failed": 0, "hits": 2}


class Handler(BaseHTTPRequestHandler):
    """Everything but /missing is there, and in the cache; what /refused asks is not executed."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("X-Cache", "hit")
        body = b'{"problem": 1}' if self.path == "/refused" else b"{}"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield "127.0.0.1", server.server_port
        server.shutdown()
        serving.join()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def _wrk_says(path: Path, output: str, code: int = 0) -> None:
    script = path / "wrk"
    script.write_text(f"#!/bin/sh\necho '{output}'\nexit {code}\n")
    script.chmod(0o755)


def _found(**otherwise: int) -> str:
    return orjson.dumps(FOUND | otherwise | {"percentiles": [1_000] * 98 + [2_000, 9_000]}).decode()


def test_sockets_send_each_request_once(address: tuple[str, int]) -> None:
    driven = RawSockets().drive(address, [THERE] * 30, 4)

    assert (driven.answered, driven.hits, len(driven.percentiles)) == (30, 30, 100)
    assert 0 < driven.milliseconds(50) <= driven.milliseconds(100)


def test_one_request_has_percentiles_too(address: tuple[str, int]) -> None:
    driven = RawSockets().drive(address, [THERE], 1)

    assert driven.milliseconds(1) == driven.milliseconds(100) > 0


@pytest.mark.parametrize("requests", [[MISSING], [THERE, MISSING]], ids=["alone", "among others"])
def test_a_refusal_breaks_the_measurement(address: tuple[str, int], requests: list[bytes]) -> None:
    with pytest.raises(Broken, match="404"):
        RawSockets().drive(address, requests, 1)


def test_a_refusal_in_a_batch_breaks_the_measurement(address: tuple[str, int]) -> None:
    with pytest.raises(Broken, match="problem"):
        RawSockets().drive(address, [THERE, request("GET", "/refused", "-")], 1)


def test_nobody_who_answers_breaks_the_measurement() -> None:
    with pytest.raises(Broken):
        RawSockets().drive(NOWHERE, [THERE], 1)


def test_a_quick_run_has_few_callers(path: Path) -> None:
    (path / "wrk").write_text('#!/bin/sh\nfor one in "$@"; do echo "$one"; done; exit 1\n')
    (path / "wrk").chmod(0o755)

    with pytest.raises(Broken, match="-c4\n"):
        load_generator(quick=True).drive(NOWHERE, [THERE], 64)


def test_what_wrk_prints_is_read(path: Path) -> None:
    _wrk_says(path, f"Running 300s test\n\n{_found()}")

    driven = Wrk().drive(NOWHERE, [THERE] * 3, 2)

    assert (driven.answered, driven.hits, driven.rate) == (3, 2, 2.0)
    assert (driven.milliseconds(98), driven.milliseconds(99), driven.milliseconds(100)) == (1, 2, 9)


@pytest.mark.parametrize(
    ("output", "code"),
    [(_found(failed=1), 0), (_found(answered=2), 0), ("unable to connect", 1), ("Running", 0)],
    ids=["an error", "an answer too few", "exit code", "cut short"],
)
def test_a_run_of_wrk_that_did_not_go_well_is_broken(path: Path, output: str, code: int) -> None:
    _wrk_says(path, output, code)

    with pytest.raises(Broken):
        Wrk().drive(NOWHERE, [THERE] * 3, 2)


def test_without_wrk_only_a_quick_run_goes_on(path: Path) -> None:
    assert "Python" in load_generator(quick=True).name
    with pytest.raises(GeneratorMissing, match="install"):
        load_generator(quick=False)


def test_without_wrk_a_run_ends_with_one_line_and_code_2(path: Path) -> None:
    ended = CliRunner().invoke(main, ["--rows", "registration"])

    assert ended.exit_code == 2
    assert "apt install wrk" in ended.output
    assert ended.output.count("\n") == 1


def test_an_unknown_row_is_named() -> None:
    ended = CliRunner().invoke(main, ["--rows", "registration,nothing"])

    assert ended.exit_code == 2
    assert "'nothing' is none of registration" in ended.output


@pytest.mark.parametrize(("value", "baseline"), [(0.0, None), (1.0, 0.0)])
def test_a_result_of_nothing_is_broken(value: float, baseline: float | None) -> None:
    with pytest.raises(Broken, match="a row"):
        checked([Result(name="a row", value=value, unit="µs", baseline=baseline)])


def test_a_row_without_results_is_broken() -> None:
    with pytest.raises(Broken):
        checked([])


def test_a_bad_figure_is_none_the_less_a_figure() -> None:
    slow = [Result(name="a row", value=1.0, unit="commands/s", goal=2_000)]

    assert checked(slow) == slow


def test_what_was_there_before_it_was_waited_for_is_a_figure_too() -> None:
    early = Result(name="a row", value=-2.0, unit="ms", goal=30, at_most=True, signed=True)

    assert checked([early]) == [early]
    assert early.met
    with pytest.raises(Broken):
        checked([Result(name="a row", value=math.nan, unit="ms", signed=True)])
