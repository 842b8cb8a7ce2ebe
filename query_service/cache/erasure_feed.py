"""Who is erased, from the topic of erasures: also after the databases were restored."""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from shared.cancellation import only_own_cancellation
from shared.erasures.topic import erasure_reader
from shared.kafka import Servers

POLL_SECONDS = 2.0
"""Between two looks for new ones. The change notice of an erasure comes sooner; this is for keys
that come back."""

log = structlog.get_logger(__name__)


class ErasuresUnknown(Exception):
    """The topic has not been read yet: a child could be shown who is erased."""


class ErasureFeed:
    """Tells `refuse` of every child on the topic, from its beginning on."""

    def __init__(self, servers: Servers, refuse: Callable[[Iterable[str]], None]) -> None:
        self._servers = servers
        self._refuse = refuse
        self._read_once = False

    async def run(self) -> None:
        """Follow the topic until cancelled; whatever breaks is begun anew after a pause."""
        while True:
            try:
                with only_own_cancellation():
                    await self._follow()
            except Exception as error:  # noqa: BLE001 - the feed begins anew with the whole topic
                log.warning("erasure_feed_down", error=type(error).__name__, reason=str(error))
            await asyncio.sleep(POLL_SECONDS)

    async def check(self) -> None:
        """Raises ErasuresUnknown until the topic was read once."""
        if not self._read_once:
            raise ErasuresUnknown("the topic of erasures has not been read yet")

    async def _follow(self) -> None:
        async with erasure_reader(self._servers) as reader:
            while True:
                self._refuse(notice.child_id for notice in await reader.read())
                self._read_once = True
                await asyncio.sleep(POLL_SECONDS)
