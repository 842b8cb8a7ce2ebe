"""Requests of operations in memory: the same behaviour as on MongoDB, for tests."""

from collections.abc import Collection, Mapping

from shared.operations import Ended, OperationRequest


class MemoryOperationRequests:
    def __init__(self) -> None:
        self.taken: dict[str, OperationRequest] = {}
        self._ended: dict[str, Ended] = {}

    async def take(self, request: OperationRequest) -> OperationRequest | None:
        standing = self.taken.get(request.id)
        for one in await self.open():
            standing = standing or (one if one.kind is request.kind else None)
        if standing is None:
            self.taken[request.id] = request
        return standing

    async def open(self) -> list[OperationRequest]:
        return [one for one in self.taken.values() if one.id not in self._ended]

    async def end(self, operation_id: str, ended: Ended) -> None:
        self._ended.setdefault(operation_id, ended)

    async def outcomes(self, operation_ids: Collection[str]) -> Mapping[str, Ended | None]:
        return {one: self._ended.get(one) for one in operation_ids if one in self.taken}
