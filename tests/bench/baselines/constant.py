"""One answer, read from a file, at every GET: by FastAPI, and as bare ASGI.

`python -m tests.bench.baselines.constant PORT fastapi|asgi FILE`; the file: `{"headers": {},
"body": {}}`.
"""

import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from fastapi import FastAPI, Response

Send = Callable[[dict[str, Any]], Awaitable[None]]


def by_fastapi(headers: Mapping[str, str], body: dict[str, Any]) -> FastAPI:
    app = FastAPI()

    @app.get("/v1/children/{child_id}")
    async def profile(child_id: str, response: Response) -> dict[str, Any]:
        response.headers.update(headers)
        return body

    return app


def by_hand(headers: Mapping[str, str], body: dict[str, Any]) -> Any:
    content = orjson.dumps(body)
    head = [(name.encode(), value.encode()) for name, value in headers.items()]
    head += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    start = {"type": "http.response.start", "status": 200, "headers": head}
    rest = {"type": "http.response.body", "body": content}

    async def app(scope: Mapping[str, Any], receive: object, send: Send) -> None:
        if scope["type"] == "http":
            await send(start)
            await send(rest)

    return app


if __name__ == "__main__":
    answer = orjson.loads(Path(sys.argv[3]).read_bytes())
    app = {"fastapi": by_fastapi, "asgi": by_hand}[sys.argv[2]](**answer)
    uvicorn.run(
        app, port=int(sys.argv[1]), log_level="warning", access_log=False, server_header=False,
        date_header=False, lifespan="off",
    )  # fmt: skip
