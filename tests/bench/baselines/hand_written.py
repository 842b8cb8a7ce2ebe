"""A hand-written command endpoint: the model checked, one document inserted, one record sent.

`python -m tests.bench.baselines.hand_written PORT`, with the settings of a stack in the
environment. Without encryption, authorization, audit, idempotency, versions, outbox.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import uvicorn
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from fastapi import FastAPI
from motor.motor_asyncio import AsyncIOMotorClient
from pydantic import ConfigDict
from pymongo import WriteConcern

from command_service.api.conversations import MessageBody
from command_service.settings import CommandSettings


class Message(MessageBody):
    """FastAPI checks what it has parsed already: an enum is a text then."""

    model_config = ConfigDict(strict=False)


TOPIC, DATABASE = "teddy.bench", "teddy_bench"
PARTITIONS = 12


def build(settings: CommandSettings, bootstrap: str) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        mongo: Any = AsyncIOMotorClient(settings.write_mongo_url)
        concern = WriteConcern(w="majority", j=True)
        app.state.messages = mongo[DATABASE].get_collection("messages", write_concern=concern)
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])
        await admin.close()
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
            app.state.producer = producer
            yield
        mongo.close()

    app = FastAPI(lifespan=lifespan)

    @app.post("/children/{child_id}/messages", status_code=201)
    async def record(child_id: str, body: Message) -> dict[str, str]:
        message = body.model_dump(mode="json")
        inserted = await app.state.messages.insert_one({"child_id": child_id, **message})
        await app.state.producer.send_and_wait(TOPIC, orjson.dumps(message), child_id.encode())
        return {"id": str(inserted.inserted_id)}

    @app.post("/empty", status_code=201)
    async def empty(body: Message) -> dict[str, str]:
        return {"id": body.role}

    return app


if __name__ == "__main__":
    settings = CommandSettings()
    app = build(settings, sys.argv[2])
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
