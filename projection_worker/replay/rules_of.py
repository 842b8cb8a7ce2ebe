"""By which rules a generation of the read models is folded."""

from projection_worker.projections.rules import DEFAULT_RULES, Rules
from shared.mongo import Database
from shared.read_models.generations import Generation, read_catalog


async def rules_of(database: Database, generation: Generation) -> Rules:
    """As its catalog entry says; the usual ones for a generation that is not in the catalog."""
    try:
        kept = (await read_catalog(database)).of(generation)
    except KeyError:
        return DEFAULT_RULES
    return Rules(kept.conversation_limit)
