"""ConfigureAlerts: a policy names only channels that the operator set up."""

from collections.abc import Set as AbstractSet

from command_service.command_bus import CommandContext, CommandResult
from command_service.domain.child.commands import ConfigureAlerts
from command_service.domain.child.errors import FieldError, InvalidCommand
from command_service.domain.child.normal_form import in_normal_form
from command_service.handlers.aggregate_cache import LoadedChild
from command_service.handlers.decide_and_append import DecideAndAppend
from shared.events.child import AlertChannel


class ConfigureAlertsHandler:
    def __init__(
        self, decide_and_append: DecideAndAppend, configured: AbstractSet[AlertChannel]
    ) -> None:
        self._decide_and_append = decide_and_append
        self._configured = configured

    def validate(self, command: ConfigureAlerts) -> None:
        in_normal_form(command)

    async def handle(self, command: ConfigureAlerts, context: CommandContext) -> CommandResult:
        async def prepare(_: LoadedChild) -> None:
            self._require_configured(command)

        # not before: the repetition of what was accepted has the answer of then
        return (await self._decide_and_append.change(command, context, prepare)).result

    def _require_configured(self, command: ConfigureAlerts) -> None:
        missing = [channel for channel in command.channels if channel not in self._configured]
        if missing:
            names = ", ".join(missing)
            message = f"names {names}, which this system has not set up: nobody would deliver it"
            usable = ", ".join(sorted(self._configured))
            raise InvalidCommand([FieldError("channels", message, usable)])
