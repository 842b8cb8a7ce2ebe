"""Indexes of the read models: one for each way in which they are asked for."""

from shared.mongo import Database
from shared.read_models.generations import Generation
from shared.read_models.models import Model

_NEWEST_FIRST = [("created_at", -1), ("_id", 1)]

_COUNTED = [("severity", 1), ("outcome", 1), ("alerted", 1), ("type", 1)]
"""All that is counted of violations: whoever counts a child's reads no document, however long the
details are."""

INDEXES: dict[Model, list[list[tuple[str, int]]]] = {
    Model.CHILDREN: [
        _NEWEST_FIRST,
        [("parent_id", 1), *_NEWEST_FIRST],
        [("name_tokens", 1), *_NEWEST_FIRST],
        [("safety_status", 1), *_NEWEST_FIRST],
        [("engagement_level", 1), *_NEWEST_FIRST],
        [("status", 1), *_NEWEST_FIRST],
    ],
    Model.CONVERSATIONS: [[("child_id", 1), ("started_at", -1), ("_id", 1)]],
    Model.SAFETY: [[("alert_policy.channels", 1)]],
    Model.VIOLATIONS: [[("child_id", 1), ("at", -1), ("_id", 1), *_COUNTED]],
    Model.ACTIVITY: [[("child_id", 1), ("day", 1)], [("day", 1)]],
    Model.SYSTEM: [],
    Model.ALERTS: [
        [("parent_id", 1), ("raised_at", -1), ("_id", 1)],
        [("event_id", 1)],
        [("child_id", 1), ("acknowledged_at", 1)],
        [("child_id", 1), ("raised_at", -1), ("_id", 1)],
        [("raised_at", 1)],
    ],
}


_FEW_HAVE = {Model.ALERTS: "awaits_live"}
"""Fields that hardly any document has, by which those are found that do."""

_FEW_MEET = {
    Model.CONVERSATIONS: ([("child_id", 1), ("started_at", 1)], {"ended_at": None}),
}
"""Conditions that hardly any document meets, here: conversations that go on."""


async def ensure_read_model_indexes(database: Database, generation: Generation) -> None:
    """Create what is missing; repeating it changes nothing."""
    for model, keys in INDEXES.items():
        for key in keys:
            await generation.collection(database, model).create_index(key)
    for model, name in _FEW_HAVE.items():
        await generation.collection(database, model).create_index([(name, 1)], sparse=True)
    for model, (key, condition) in _FEW_MEET.items():
        await generation.collection(database, model).create_index(
            key, partialFilterExpression=condition
        )
