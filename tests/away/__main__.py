"""`python -m tests.away --write`: generates the table in docs/reliability.md."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.away.page import write
from tests.away.rows import row_of
from tests.away.world import away_world


async def _rows() -> dict[str, str]:
    rows = {}
    with TemporaryDirectory(prefix="teddy-away-") as folder:
        async with away_world(Path(folder)) as world:
            for server in world.servers:
                rows[server] = await row_of(world, server)
                print(rows[server], flush=True)
    return rows


def main(arguments: Sequence[str]) -> int:
    rows = asyncio.run(_rows())
    if "--write" in arguments:
        write(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
