"""One child's read models in memory, for tests: the same pages as whole_child_mongo.py."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from query_service.read_store.memory import MemoryReadModels
from query_service.read_store.whole_child import SORTED_BY, After, Document, GenerationGone, Part


class MemoryWholeChild:
    """`generations` by their number; take one away, and it is not kept any more."""

    def __init__(self, models: MemoryReadModels) -> None:
        self.generations = {1: models}
        self.live_number = 1

    async def live(self) -> int:
        return self.live_number

    async def is_kept(self, generation: int) -> bool:
        return generation in self.generations

    async def page(
        self, generation: int, child_id: str, part: Part, after: After | None, limit: int
    ) -> Sequence[Document]:
        if generation not in self.generations:
            raise GenerationGone
        found = list(_all_of(self.generations[generation], child_id, part))
        if part not in SORTED_BY:
            return found
        found.sort(key=lambda one: str(one["_id"]), reverse=True)
        found.sort(key=lambda one: After.of(part, one).key)
        following = (one for one in found if after is None or _is_beyond(part, one, after))
        return [one for _, one in zip(range(limit), following, strict=False)]


def _all_of(models: MemoryReadModels, child_id: str, part: Part) -> Iterable[Document]:
    documents: Mapping[Part, Mapping[str, Any]] = {
        Part.CONVERSATION: models.conversations,
        Part.ACTIVITY: models.activity_days,
        Part.ALERT: models.alerts,
    }
    safety: Mapping[str, Any] | None = models.safety_documents.get(child_id)
    match part:
        case Part.PROFILE:
            return [models.children[child_id]] if child_id in models.children else []
        case Part.SAFETY:
            return [] if safety is None else [_without_list(safety)]
        case Part.VIOLATION if safety is not None and "violations" in safety:
            return [{**one, "_id": f"{child_id}/{one['id']}"} for one in safety["violations"]]
        case Part.VIOLATION:
            return [one for one in models.violations.values() if one["child_id"] == child_id]
        case _:
            return [one for one in documents[part].values() if one["child_id"] == child_id]


def _without_list(safety: Mapping[str, Any]) -> Document:
    return {name: value for name, value in safety.items() if name != "violations"}


def _is_beyond(part: Part, document: Document, after: After) -> bool:
    own: Any = After.of(part, document)
    return bool(own.key > after.key or (own.key == after.key and own.id < after.id))
