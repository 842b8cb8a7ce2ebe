"""`python -m tests.bench.long_child_replay`: replay commands for one long child and for many short.

The same number of events is stored in its own MongoDB, once as one child and once as children of
`--each` events. `teddy replay rebuild`, `verify` and `show` run as processes, on the tree of an
older commit and on this one. A process shows one child, so for short ones the functions of this
tree are measured, and those of the long child next to them.
"""

import asyncio
import io
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click

from projection_worker.replay.commands.show import Wanted, show_history, span_of
from projection_worker.replay.documents import Personals
from projection_worker.replay.history_display import JsonDisplay
from projection_worker.session import open_stores
from projection_worker.settings import WorkerSettings
from shared.clock import new_id, utc_now
from shared.event_store.mongo import ensure_indexes
from shared.keyring.key_file import WatchedKeyFile, read_key_file
from shared.keyring.key_store import MongoKeyStore
from shared.keyring.keyring import Keyring
from shared.mongo import Mongo
from shared.settings import load_settings
from tests.bench.other_tree import HERE, checked_out
from tests.support.histories import history
from tests.support.inserted_history import insert_history
from tests.support.key_files import create_key_files
from tests.support.own_mongod import own_mongod

PATIENCE_SECONDS = 600
SHOW_SECONDS = 120
LONG, SHORT = "long", "short"
REPLAY = (sys.executable, "-P", "-m", "projection_worker.replay")
BEFORE, AFTER = "before", "after"
SHOW_ALL = ("show", "--format", "json", "--child")
SHOWN_SHORT = 200
"""So many of the short children."""


@click.command()
@click.option("--events", default=150_000, show_default=True, type=click.IntRange(1_000))
@click.option("--each", default=100, show_default=True, type=click.IntRange(10))
@click.option("--before", help="A commit to compare with.")
def main(events: int, each: int, before: str | None) -> None:
    """Events a second of each command on either shape, and long : short."""
    asyncio.run(_measure(events, each, before))


async def _measure(events: int, each: int, before: str | None) -> None:
    async with _databases() as mongo:
        (long_child,) = await _written(mongo, LONG, 1, events)
        short = await _written(mongo, SHORT, events // each, each)
        with _trees(before) as trees:
            for name, tree in trees.items():
                await asyncio.to_thread(_measure_tree, name, tree, events, long_child)
        rates = [await _show_rate(LONG, [long_child]), await _show_rate(SHORT, short[:SHOWN_SHORT])]
        _tell(AFTER, "show", *rates)


def _measure_tree(name: str, tree: Path, events: int, long_child: str) -> None:
    for command in (("rebuild",), ("verify",)):
        short, long = (_ran(tree, name, shape, *command) for shape in (SHORT, LONG))
        _tell(name, command[0], *(events / one.seconds for one in (long, short)))
        _tell(name, "  by cpu", *(events / one.processor_seconds for one in (long, short)))
    everything = ("--all",) if name == AFTER else ()
    first, whole, shown = _shown(tree, name, *SHOW_ALL, long_child, *everything)
    rate = f"{events / whole:,.0f}/s" if whole else f"not done after {SHOW_SECONDS} s"
    begun = f"{first:.1f} s" if first else "none"
    click.echo(f"{name:6} show     first line: {begun}, all: {rate}, {shown:,} bytes")


def _tell(name: str, command: str, long: float, short: float) -> None:
    click.echo(
        f"{name:6} {command:8} one child: {long:8,.0f}/s   short ones: {short:8,.0f}/s   "
        f"ratio {long / short:.2f}"
    )


async def _show_rate(shape: str, children: Sequence[str]) -> float:
    """Events a second of showing these children whole, one after the other."""
    os.environ["TEDDY_WRITE_DATABASE"] = f"events_{shape}"
    os.environ["TEDDY_READ_DATABASE"] = f"read_{shape}_{AFTER}"
    began, events = time.perf_counter(), 0
    nowhere = io.TextIOWrapper(io.FileIO(os.devnull, "w"))
    async with open_stores(load_settings(WorkerSettings)) as on:
        for child_id in children:
            span = await span_of(on.store, child_id, Wanted())
            personals = Personals(child_id, None, reveal=False)
            with redirect_stdout(nowhere):
                await show_history(on, span, JsonDisplay(span, personals, 20))
            events += span.point
    nowhere.close()
    return events / (time.perf_counter() - began)


def _environment(tree: Path, name: str, shape: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(tree),
        "TEDDY_WRITE_DATABASE": f"events_{shape}",
        "TEDDY_READ_DATABASE": f"read_{shape}_{name}",
    }


class Took(NamedTuple):
    """What a command took, its start included. `processor_seconds`: of its own processes, which
    other work on the machine does not change; without those of MongoDB."""

    seconds: float
    processor_seconds: float


def _ran(tree: Path, name: str, shape: str, *arguments: str) -> Took:
    began, before = time.perf_counter(), _processor_seconds()
    with TemporaryDirectory() as folder, (Path(folder) / "out").open("w+") as out:
        ended = subprocess.run(
            [*REPLAY, *arguments],
            cwd=tree,
            env=_environment(tree, name, shape),
            timeout=PATIENCE_SECONDS,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if ended.returncode != 0:
            out.seek(0)
            raise click.ClickException(f"{arguments[0]} of {name}: {out.read()[-2_000:]}")
    return Took(time.perf_counter() - began, _processor_seconds() - before)


def _processor_seconds() -> float:
    """Of all processes of this one that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _shown(tree: Path, name: str, *arguments: str) -> tuple[float | None, float | None, int]:
    """Seconds to the first line and to the last, and bytes; None: it was ended before."""
    process = subprocess.Popen(
        [*REPLAY, *arguments],
        cwd=tree,
        env=_environment(tree, name, LONG),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    ending = threading.Timer(SHOW_SECONDS, process.kill)
    ending.start()
    began, first, size = time.perf_counter(), None, 0
    while line := process.stdout.readline():
        first = first or time.perf_counter() - began
        size += len(line)
    whole = time.perf_counter() - began if process.wait() == 0 else None
    ending.cancel()
    return first, whole, size


@asynccontextmanager
async def _databases() -> AsyncIterator[Mongo]:
    """A MongoDB and keys, with the settings of processes that are to use them."""
    with TemporaryDirectory(prefix="teddy-long-") as path:
        os.environ |= create_key_files(Path(path))
        async with own_mongod(Path(path) / "mongod") as mongod:
            for store in ("WRITE", "READ", "KEYS"):
                os.environ[f"TEDDY_{store}_MONGO_URL"] = mongod.url
            os.environ |= {"TEDDY_KEYS_DATABASE": "keys", "TEDDY_KAFKA_BOOTSTRAP": "127.0.0.1:1"}
            mongo = Mongo(mongod.url)
            yield mongo
            await mongo.close()


async def _written(mongo: Mongo, shape: str, children: int, events: int) -> list[str]:
    """The ids of `children` with `events` each."""
    key_file = Path(os.environ["TEDDY_KEY_FILE"])
    read_key_file(key_file)
    keyring = Keyring(WatchedKeyFile(key_file), MongoKeyStore(mongo.database("keys")), 10)
    database = mongo.database(f"events_{shape}")
    await ensure_indexes(database)
    ids = [new_id() for _ in range(children)]
    for child_id in ids:
        await insert_history(database, keyring, child_id, history(child_id, events, utc_now()))
    return ids


@contextmanager
def _trees(before: str | None) -> Iterator[dict[str, Path]]:
    if before is None:
        yield {AFTER: HERE}
        return
    with checked_out(before) as old:
        yield {BEFORE: old, AFTER: HERE}


if __name__ == "__main__":
    main()
