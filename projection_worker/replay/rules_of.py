"""By which rules a generation of the read models is folded."""

from projection_worker.projections.rules import DEFAULT_RULES, Rules
from shared.mongo import Database
from shared.read_models.generations import Generation, read_catalog


async def rules_of(database: Database, generation: Generation) -> Rules:
    """As its entry in the catalog says; the usual ones for a generation that is not kept."""
    for kept in (await read_catalog(database)).kept:
        if kept.generation == generation:
            return Rules(kept.conversation_limit)
    return DEFAULT_RULES
