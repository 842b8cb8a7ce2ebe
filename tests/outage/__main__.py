"""`python -m tests.outage --write`: generates the table in docs/reliability.md."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.outage.page import write
from tests.outage.rows import row_of
from tests.outage.world import outage_world


async def _rows() -> dict[str, str]:
    rows = {}
    with TemporaryDirectory(prefix="teddy-outage-") as folder:
        async with outage_world(Path(folder)) as world:
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
