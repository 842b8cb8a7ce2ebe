"""What a rebuild would do, without doing it."""

from datetime import timedelta

import click

from projection_worker.projections import registry
from projection_worker.projections.rules import Rules
from projection_worker.replay.opened import Opened
from projection_worker.replay.progress import counting
from projection_worker.replay.rebuild.cutover import Cutover
from projection_worker.replay.rebuild.ledger import Source
from projection_worker.replay.rebuild.planning import slices_of_store, slices_of_topic
from projection_worker.replay.rules_of import limit_of_rebuild
from projection_worker.replay.semantic_diff import in_words
from shared.read_models.generations import read_catalog
from shared.read_models.models import Model

MOST_SHOWN = 20
PATIENCE_SECONDS = 10.0


async def rehearse(on: Opened, models: frozenset[Model], source: Source, workers: int) -> None:
    """Print the plan, and every place where the live generation would change."""
    catalog = await read_catalog(on.database)
    generation = await Cutover(on.database).next_generation(catalog)
    slices = (
        await slices_of_store(on.commits, generation)
        if source is Source.STORE
        else await slices_of_topic(on.settings.kafka, generation)
    )
    events = sum(one.events for one in slices)
    live = catalog.of(catalog.live)
    limit = limit_of_rebuild(models, live, on.settings.conversation_limit_minutes)
    click.echo(
        f"plan: generation {generation.number} of projections {registry.VERSION} beside "
        f"{catalog.live.number}; {', '.join(sorted(models))} from {events:,} events of the "
        f"{source}, {len(slices)} slices, {workers} workers; conversations last at most {limit} min"
    )
    rules = Rules(timedelta(minutes=limit))
    verifier = on.verifier(catalog.live, models, rules)
    with counting("verify", await verifier.events()) as seen:
        found = await verifier.verify(PATIENCE_SECONDS, seen)
    for line in (await in_words(on, catalog.live, found, rules))[:MOST_SHOWN]:
        click.echo(f"  {line}")
    click.echo(f"{found.found} differences in {found.children:,} children; nothing was changed")
