"""The servers that tests speak to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the tests' MongoDB (a replica set) and Kafka are. `source` says where they are from."""

    mongo_url: str
    kafka_bootstrap: str
    source: str
