"""A server that says nothing keeps nobody from the others."""

import asyncio
from pathlib import Path

from shared.mongo import Mongo
from tests.support.own_servers import own_mongod

SILENCE_MS = 10_000
WAITING = 20
"""More than Motor has threads for by itself on a machine of four cores or fewer."""

ANSWER_SECONDS = 8.0
"""Before the silent one is given up."""


async def test_many_questions_to_a_server_that_hangs_leave_room_for_those_to_another(
    tmp_path: Path,
) -> None:
    # given
    async with own_mongod(tmp_path / "hangs") as hangs, own_mongod(tmp_path / "answers") as other:
        silent = Mongo(hangs.url, silence_ms=SILENCE_MS)
        answering = Mongo(other.url, silence_ms=SILENCE_MS)
        await asyncio.gather(silent.ping(), answering.ping())
        with hangs.frozen():
            waiting = [asyncio.create_task(silent.ping()) for _ in range(WAITING)]
            # when
            await asyncio.wait(waiting, timeout=0.1)
            await asyncio.wait_for(answering.ping(), ANSWER_SECONDS)
            # then
            assert not any(task.done() for task in waiting)
        await asyncio.gather(*waiting, return_exceptions=True)
        await silent.close()
        await answering.close()
