"""By which rules a generation of the read models is folded."""

from projection_worker.projections.rules import DEFAULT_RULES, Rules
from shared.mongo import Database
from shared.read_models.generations import Generation


async def rules_of(database: Database, generation: Generation) -> Rules:
    """As its catalog entry says; the usual ones for a generation that is not in the catalog."""
    del database, generation
    return DEFAULT_RULES
