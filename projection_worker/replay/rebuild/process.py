"""`python -m projection_worker.replay.rebuild.process`: one process of a rebuild.

Started by the rebuild alone. It ends when its standard input does, so it never outlives the
process that started it, however that one ends.
"""

import asyncio
import os
import sys
import threading

import click
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from projection_worker.read_model_store import StaleBatch
from projection_worker.replay.opened import opened
from projection_worker.replay.rebuild.ledger import Ledger
from projection_worker.replay.rebuild.share import ReadModelsDiffer, Share, ShareOfRebuild
from shared.event_store.port import StoreUnavailable
from shared.observability.logs import configure_logs
from shared.read_models.generations import Generation
from shared.settings import WorkerSettings, load_settings

EXPECTED = (PyMongoError, KafkaError, StoreUnavailable, StaleBatch, ReadModelsDiffer, OSError)
BUILD, VERIFY = "build", "verify"


@click.command()
@click.argument("work", type=click.Choice([BUILD, VERIFY]))
@click.option("--generation", type=int, required=True)
@click.option("--part", type=int, required=True)
@click.option("--of", type=int, required=True)
@click.option("--rate", type=float)
def main(work: str, generation: int, part: int, of: int, rate: float | None) -> None:
    """Do every OF-th slice from PART on; the last line of standard error says what went wrong."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    settings = load_settings(WorkerSettings)
    configure_logs(settings, "rebuild")
    try:
        asyncio.run(_run(settings, work, Generation(generation), Share(part, of, rate)))
    except EXPECTED as error:
        sys.exit(f"{type(error).__name__}: {error}")


async def _run(settings: WorkerSettings, work: str, generation: Generation, share: Share) -> None:
    async with opened(settings) as on:
        plan = await Ledger(on.database).plan(generation)
        if plan is None:
            raise OSError(f"there is no plan to rebuild generation {generation.number}")
        mine = ShareOfRebuild(on, plan, share)
        await (mine.build() if work == BUILD else mine.verify())


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
