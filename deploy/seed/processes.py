"""The processes of a run: what each writes and verifies, and how they are started.

`python -m deploy.seed.processes` is started by `teddy seed` alone. Each line of its output is what
it did since the line before. It ends when its standard input does."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import asdict

import click
import orjson
from pymongo.errors import PyMongoError

from command_service.api.command_route import RequestKeys
from deploy.seed.lives import Lives
from deploy.seed.plan import Amount, Plan, SeedLedger
from deploy.seed.writer import SeedWriter, whole_children
from projection_worker.projecting.read_model_store import StaleBatch
from projection_worker.replay.histories import in_batches, streams
from projection_worker.replay.verify.verifier import BATCH_EVENTS, verifier_of
from projection_worker.session import Failed, Stores, open_stores
from projection_worker.settings import WorkerSettings
from shared.event_store.port import StoreUnavailable
from shared.keyring.key_file import read_key_file
from shared.logs import configure_logs
from shared.part_processes import end_with_parent, last_line_of_failed, started
from shared.read_models.generations import live_generation
from shared.settings import load_settings

WRITE, VERIFY = "write", "verify"
Did = Callable[[Amount], None]

ENDS = [f"{digit:x}~" for digit in range(16)]
"""Behind all ids that begin with a digit: so many ranges of children, of about one size."""


async def write(on: Stores, plan: Plan, part: int, of: int, did: Did) -> None:
    """Every `of`-th part of the plan that is not written yet, from `part` on."""
    ledger = SeedLedger(on.commits)
    written = await ledger.written(plan)
    index_key = read_key_file(on.settings.key_file).index_key
    lives = Lives(plan.seed, plan.until, RequestKeys(index_key), plan.events_per_child)
    writer = SeedWriter(on, lives, index_key, await whole_children(on))
    for number, children in plan.parts():
        if number % of == part and number not in written:
            amount = await writer.write(children, f"seed-{part}")
            await ledger.note(plan, number, amount)
            did(amount)


async def verify(on: Stores, part: int, of: int, did: Did) -> None:
    """Every `of`-th range of the store's children, whoever made them. Raises Failed."""
    verifier = verifier_of(on, await live_generation(on.database))
    for place in range(part, len(ENDS), of):
        histories = streams(on.store, ENDS[place - 1] if place else "", ENDS[place])
        async for batch, _ in in_batches(histories, BATCH_EVENTS):
            found = await verifier.verify_children(batch)
            if not found.clean:
                raise Failed(f"{found.found} differences, first: {found.differences[:1]}")
            did(Amount(found.children, 0, found.events))


EXPECTED = (PyMongoError, StoreUnavailable, StaleBatch, Failed, OSError)


@click.command()
@click.argument("work", type=click.Choice([WRITE, VERIFY]))
@click.option("--seed", type=int, required=True)
@click.option("--part", type=int, required=True)
@click.option("--of", type=int, required=True)
def main(work: str, seed: int, part: int, of: int) -> None:
    """A share of the work; the last line of standard error says what went wrong."""
    end_with_parent()
    settings = load_settings(WorkerSettings)
    configure_logs(settings, "seed")
    try:
        asyncio.run(_run(settings, work, seed, part, of))
    except EXPECTED as error:
        sys.exit(f"{type(error).__name__}: {error}")


async def _run(settings: WorkerSettings, work: str, seed: int, part: int, of: int) -> None:
    def did(amount: Amount) -> None:
        sys.stdout.buffer.write(orjson.dumps(asdict(amount), option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.flush()

    async with open_stores(settings) as on:
        if work == WRITE:
            await write(on, await SeedLedger(on.commits).read(seed), part, of, did)
        else:
            await verify(on, part, of, did)


MODULE = "deploy.seed.processes"


async def run_processes(work: str, seed: int, number: int, did: Did) -> None:
    """`number` processes share `work`; returns when all are done.

    Raises Failed as soon as one fails; then, and when cancelled, the others are ended."""
    arguments = [work, "--seed", str(seed), "--of", str(number)]
    parts = [[*arguments, "--part", str(part)] for part in range(number)]
    async with started(MODULE, parts, asyncio.subprocess.PIPE) as processes:
        await asyncio.gather(*(_follow(process, did) for process in processes))


async def _follow(process: asyncio.subprocess.Process, did: Did) -> None:
    assert process.stdout is not None
    ending = asyncio.create_task(last_line_of_failed(process))  # its errors are read meanwhile
    async for line in process.stdout:
        did(Amount(**orjson.loads(line)))
    said = await ending
    if said is not None:
        raise Failed(said)


if __name__ == "__main__":
    main()
