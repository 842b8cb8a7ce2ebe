"""By which rules a generation of the read models is folded."""

from projection_worker.projections.rules import DEFAULT_RULES, Rules
from shared.mongo import Database
from shared.read_models.generations import Generation, KeptGeneration, read_catalog
from shared.read_models.models import ALL_MODELS, Model


async def rules_of(database: Database, generation: Generation) -> Rules:
    """As its catalog entry says; the usual ones for a generation that is not in the catalog."""
    try:
        kept = (await read_catalog(database)).of(generation)
    except KeyError:
        return DEFAULT_RULES
    return Rules(kept.conversation_limit)


def limit_of_rebuild(models: frozenset[Model], live: KeptGeneration, setting: int) -> int:
    """Minutes that a conversation lasts at most in what a rebuild of `models` makes: `setting`, but
    that of before where other models are carried over, for they were folded with it."""
    return setting if models == ALL_MODELS else live.conversation_limit_minutes
