"""The query API over a real connection: the in-process transport waits for a response's end."""

import asyncio

from query_service.__main__ import answer
from tests.support.ports import free_port, listens
from tests.support.query_side import QuerySide
from tests.support.waiting import until


class RunningServer:
    """The application served as its process does it, on a free port."""

    def __init__(self, side: QuerySide) -> None:
        self._settings = side.settings.model_copy(update={"query_port": free_port()})
        self._stop = asyncio.Event()
        self._serving = asyncio.create_task(answer(side.app, self._settings, self._stop))

    async def url(self) -> str:
        address = ("127.0.0.1", self._settings.query_port)
        await until(lambda: listens(address))
        return f"http://{address[0]}:{address[1]}"

    async def stop(self) -> None:
        self._stop.set()
        await asyncio.wait_for(self._serving, 4)
