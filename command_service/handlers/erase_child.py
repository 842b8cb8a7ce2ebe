"""EraseChild: append the fact, then destroy what could still be read."""

import asyncio

from command_service.command_bus import CommandContext, CommandResult
from command_service.domain.child.commands import EraseChild
from command_service.domain.child.normal_form import in_normal_form
from command_service.erasure.completion import ErasureCompletion
from command_service.handlers.aggregates import Aggregates
from command_service.handlers.child_tasks import ChildTasks
from command_service.handlers.decide_and_append import DecideAndAppend
from command_service.handlers.errors import ChildLoading
from command_service.handlers.stream_folding import PATIENCE_SECONDS
from shared.envelope import Commit
from shared.event_store.port import EventStore
from shared.keyring.keyring import Keyring


class EraseChildHandler:
    """Never waits for the child's stream to be folded: the outline tells all that it asks."""

    def __init__(
        self,
        decide_and_append: DecideAndAppend,
        store: EventStore,
        completion: ErasureCompletion,
        aggregates: Aggregates,
        keyring: Keyring,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._decide_and_append = decide_and_append
        self._store = store
        self._completion = completion
        self._aggregates = aggregates
        self._keyring = keyring
        self._patience = patience_seconds
        self._completing = ChildTasks[None]("erasure_incomplete")

    def validate(self, command: EraseChild) -> None:
        in_normal_form(command)

    async def handle(self, command: EraseChild, context: CommandContext) -> CommandResult:
        """Asked again, it completes what a crash or an absent store left over. Raises ChildLoading
        while that goes on: to read a long life for what it holds of earlier releases takes time."""
        change = await self._decide_and_append.change(
            command, context, load=self._aggregates.outline
        )
        child_id = command.child_id
        if (task := self._completing.get(child_id)) is None:
            task = self._completing.begin(child_id, self._complete(child_id, change.result.version))
        await asyncio.wait({task}, timeout=self._patience)
        if not task.done():
            raise ChildLoading
        task.result()
        return change.result

    async def _complete(self, child_id: str, version: int) -> None:
        await self._forget(child_id)
        for commit in await self._last(child_id, version):
            await self._completion.complete(commit)
        await self._forget(child_id)

    async def _last(self, child_id: str, version: int) -> list[Commit]:
        """The commit that ends the stream, for ever."""
        return await self._store.load(child_id, version - 1)

    async def _forget(self, child_id: str) -> None:
        self._keyring.forget(child_id)
        await self._aggregates.forget(child_id)
