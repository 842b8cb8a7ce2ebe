"""Says in words what differs between a read model and its events, and since which event."""

from projection_worker.dead_letter import DeadLetters
from projection_worker.projections.children import PERSONAL_FIELDS
from projection_worker.projections.rules import Rules
from projection_worker.replay.comparison import ABSENT, COMMITS, Difference, Verification
from projection_worker.replay.last_changes import changes_behind, steps
from projection_worker.replay.opened import Opened
from projection_worker.replay.personal_values import SEALED
from shared.clock import utc_now
from shared.envelope import RecordedEvent
from shared.read_models.generations import Generation
from shared.read_models.models import Model

SEALED_FIELDS = frozenset({*PERSONAL_FIELDS, "udid", "details", "name_tokens"})


async def in_words(
    on: Opened, generation: Generation, found: Verification, rules: Rules | None = None
) -> list[str]:
    """One line for each difference. Personal values stay sealed: of them only that they differ is
    said. `rules`: by which it was found, if not by those of the generation."""
    dead_letters = DeadLetters(on.database, utc_now, generation)
    reasons = await dead_letters.all_parked() if found.parked else {}
    since = await changes_behind(on, generation, found.differences, rules)
    return [
        told(one, event, reasons.get(one.child_id))
        for one, event in zip(found.differences, since, strict=True)
    ]


def told(one: Difference, since: RecordedEvent | None = None, parked: str | None = None) -> str:
    """`since`: the event by which the value should have come; `parked`: why the child is."""
    place = f"{one.model}/{one.document} {one.field}"
    if one.model == COMMITS:
        where = f"version {one.found}" if isinstance(one.found, int) else one.found
        return f"{place}: {one.expected}: {where}"
    if one.model == Model.SYSTEM:
        said = f"{place}: the children sum up to {one.expected}, the counters to {one.found}"
    elif SEALED_FIELDS.intersection(steps(one.field)):
        said = f"{place}: the sealed value is not the one that the events hold"
    else:
        said = f"{place}: events say {_value(one.expected)}, read model has {_value(one.found)}"
    if since is not None:
        said += f" (since version {since.version}: {since.type})"
    return said if parked is None else f"{said}; parked: {parked}"


def _value(value: object) -> str:
    return ABSENT if value == ABSENT else repr(_masked(value))


def _masked(value: object) -> object:
    """Without the personal values in it."""
    if isinstance(value, dict):
        return {n: SEALED if n in SEALED_FIELDS else _masked(one) for n, one in value.items()}
    return [_masked(one) for one in value] if isinstance(value, list) else value
