"""A conversation's limit belongs to a generation: a changed setting mixes nothing."""

from collections.abc import Set as AbstractSet
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from projection_worker.main import prepare_read_models
from projection_worker.projections import registry
from projection_worker.replay.commands.rebuild import rehearse
from projection_worker.replay.rebuild.ledger import Source
from projection_worker.replay.verify.verifier import verifier_of
from shared.read_models.documents import ALL_MODELS, Model
from shared.read_models.generations import (
    Generation,
    KeptGeneration,
    begin_catalog,
    live_generation,
    read_catalog,
    to_document,
)
from tests.integration.projection.test_rebuild import World, world
from tests.support.projection_facts import ended, registered, started
from tests.support.projection_side import ProjectionSide

__all__ = ["world"]  # a fixture

FIRST, SECOND = Generation(1), Generation(2)
LIVE = KeptGeneration(FIRST, registry.VERSION)
FILLING = KeptGeneration(SECOND, registry.VERSION, was_live=False)


async def test_a_generation_keeps_the_limit_that_it_was_begun_with(side: ProjectionSide) -> None:
    await begin_catalog(side.database, registry.VERSION, 60)

    catalog = await begin_catalog(side.database, registry.VERSION, 90)

    assert catalog.kept == (KeptGeneration(FIRST, registry.VERSION, conversation_limit_minutes=60),)


async def test_each_generation_is_folded_with_its_own_limit(side: ProjectionSide) -> None:
    """As between a rebuild with a changed setting and the drop of what was live before."""
    # given
    await side.keep(LIVE, replace(FILLING, conversation_limit_minutes=60))
    # when
    await side.workers.project(await side.happened(registered(), started(), ended(end=300)))
    # then
    minutes = []
    for generation in (FIRST, SECOND):
        (child,) = await generation.collection(side.database, Model.CHILDREN).find({}).to_list(None)
        minutes.append(child["total_minutes"])
    assert minutes == [240.0, 60.0]


def test_what_goes_without_saying_is_not_written_into_the_catalog() -> None:
    """A release that knows no limit changes the catalog only if it is as that release writes it."""
    assert "conversation_limit_minutes" not in to_document(LIVE)
    limited = to_document(replace(LIVE, conversation_limit_minutes=60))
    assert limited["conversation_limit_minutes"] == 60


async def test_a_worker_with_another_limit_than_its_live_generation_says_so(
    side: ProjectionSide,
) -> None:
    await begin_catalog(side.database, registry.VERSION, 60)

    with capture_logs() as said:
        await prepare_read_models(side.database, 60)
        await prepare_read_models(side.database, 90)

    (warning,) = said
    assert warning["event"] == "conversation_limit_needs_rebuild"
    assert (warning["minutes"], warning["setting"]) == (60, 90)


async def test_a_changed_limit_takes_effect_with_a_rebuild_of_everything(world: World) -> None:
    # given
    await world.happened(registered(), started(), ended(end=300))
    changed = world.on.settings.model_copy(update={"conversation_limit_minutes": 60})
    world.on = replace(world.on, settings=changed)
    # when only a part is folded anew, and the rest carried over
    await world.rebuilt(frozenset({Model.SAFETY}))
    # then
    assert await _limit(world) == 240
    # when
    await world.rebuilt()
    # then it is folded, compared and written by the new limit
    assert await _limit(world) == 60
    (child,) = await world.of_live(Model.CHILDREN)
    assert child["total_minutes"] == 60.0
    live = await live_generation(world.on.database)
    assert (await verifier_of(world.on, live).verify()).clean


@pytest.mark.parametrize(
    ("models", "shown"),
    [(ALL_MODELS, "events say 60.0, read model has 240.0"), ({Model.CHILDREN}, "0 differences")],
)
async def test_a_dry_run_shows_what_a_changed_limit_would_change(
    world: World, capsys: pytest.CaptureFixture[str], models: AbstractSet[Model], shown: str
) -> None:
    # given
    await world.happened(registered(), started(), ended(end=300))
    changed = world.on.settings.model_copy(update={"conversation_limit_minutes": 60})
    on = replace(world.on, settings=changed)
    # when
    await rehearse(on, frozenset(models), Source.STORE, 1)
    # then, a part alone is folded with the limit of what is carried over beside it
    assert shown in capsys.readouterr().out


async def _limit(world: World) -> int:
    catalog = await read_catalog(world.on.database)
    return catalog.of(catalog.live).conversation_limit_minutes
