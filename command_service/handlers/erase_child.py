"""EraseChild: append the fact, then destroy what could still be read."""

from command_service.command_bus import CommandContext, CommandResult
from command_service.domain.child.commands import EraseChild
from command_service.domain.child.normal_form import in_normal_form
from command_service.erasure.completion import ErasureCompletion
from command_service.handlers.aggregates import Aggregates
from command_service.handlers.decide_and_append import DecideAndAppend
from shared.event_store.port import EventStore
from shared.keyring.keyring import Keyring


class EraseChildHandler:
    def __init__(
        self,
        decide_and_append: DecideAndAppend,
        store: EventStore,
        completion: ErasureCompletion,
        aggregates: Aggregates,
        keyring: Keyring,
    ) -> None:
        self._decide_and_append = decide_and_append
        self._store = store
        self._completion = completion
        self._aggregates = aggregates
        self._keyring = keyring

    def validate(self, command: EraseChild) -> None:
        in_normal_form(command)

    async def handle(self, command: EraseChild, context: CommandContext) -> CommandResult:
        """Asked again, it completes what a crash or an absent store left over."""
        result = (await self._decide_and_append.change(command, context)).result
        for commit in await self._store.load(command.child_id, result.version - 1):
            await self._completion.complete(commit)  # the last of the stream, for ever
        self._keyring.forget(command.child_id)
        self._aggregates.forget(command.child_id)
        return result
