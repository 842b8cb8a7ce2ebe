"""Whether there are pages at all, and around which app."""

from fastapi import FastAPI

from query_service.pages.account_forms import Notice
from query_service.pages.app import Pages
from query_service.pages.commands import CommandApi
from query_service.pages.provider_sign_in import AtProvider
from query_service.pages.sessions import Sessions


def install_pages(
    app: FastAPI,
    sessions: Sessions,
    commands: CommandApi,
    notice: Notice | None = None,
    at_provider: AtProvider | None = None,
) -> None:
    """Around everything else that `app` has. To be called last."""
    app.add_middleware(
        Pages, sessions=sessions, commands=commands, notice=notice, at_provider=at_provider
    )


class ServedPages:
    """The pages where `command_url` says where their commands go; else none."""

    def __init__(
        self,
        command_url: str | None,
        sessions: Sessions,
        notice: Notice | None = None,
        at_provider: AtProvider | None = None,
    ) -> None:
        self._notice = notice
        self._commands = None if command_url is None else CommandApi(command_url)
        self._sessions = sessions
        self._at_provider = at_provider

    def beside(self, app: FastAPI) -> FastAPI:
        """`app`, with the pages."""
        if self._commands is not None:
            install_pages(app, self._sessions, self._commands, self._notice, self._at_provider)
        return app

    async def close(self) -> None:
        if self._commands is not None:
            await self._commands.close()
