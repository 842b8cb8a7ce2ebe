"""Hand-written command endpoints: the model checked, one document inserted, one record sent.

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
from pymongo import WriteConcern

from command_service.settings import CommandSettings
from shared.clock import new_id
from shared.settings import KafkaSettings
from tests.bench.baselines.models import Message, Registration

TOPIC, DATABASE = "teddy.bench", "teddy_bench"
PARTITIONS = 12


def build(mongo_url: str, bootstrap: str) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        mongo: Any = AsyncIOMotorClient(mongo_url)
        concern = WriteConcern(w="majority", j=True)
        app.state.facts = mongo[DATABASE].get_collection("facts", write_concern=concern)
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])
        await admin.close()
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
            app.state.producer = producer
            yield
        mongo.close()

    app = FastAPI(lifespan=lifespan)

    async def keep(child_id: str, fact: dict[str, Any]) -> dict[str, str]:
        inserted = await app.state.facts.insert_one({"child_id": child_id, **fact})
        await app.state.producer.send_and_wait(TOPIC, orjson.dumps(fact), child_id.encode())
        return {"child_id": child_id, "id": str(inserted.inserted_id)}

    @app.post("/children", status_code=201)
    async def register(body: Registration) -> dict[str, str]:
        return await keep(new_id(), body.model_dump(mode="json"))

    @app.post("/children/{child_id}/messages", status_code=201)
    async def record(child_id: str, body: Message) -> dict[str, str]:
        return await keep(child_id, body.model_dump(mode="json"))

    return app


if __name__ == "__main__":
    bootstrap = KafkaSettings().kafka_bootstrap
    app = build(CommandSettings().write_mongo_url, bootstrap)
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
