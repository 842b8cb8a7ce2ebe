"""FastAPI endpoints that check the models of the command API and do nothing.

`python -m tests.bench.baselines.empty PORT`
"""

import sys

import uvicorn
from fastapi import FastAPI

from tests.bench.baselines.models import Message, Registration

app = FastAPI()


@app.post("/children", status_code=201)
async def register(body: Registration) -> dict[str, str]:
    return {"id": body.udid}


@app.post("/messages", status_code=201)
async def record(body: Message) -> dict[str, str]:
    return {"id": body.role}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
