"""Settings of the local stack itself."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from shared.settings import ObservabilitySettings

BrokerChoice = Literal["auto", "apache", "light"]


class LocalStackSettings(ObservabilitySettings):
    """Which servers `teddy up` starts, and where they are from."""

    mongod: Path | None = Field(
        None, description="A mongod to start instead of the installed one; unset: the wheel's."
    )
    local_broker: BrokerChoice = Field(
        "auto",
        description="Kafka broker to start: `apache`, `light` (development only), or `auto`: "
        "Apache Kafka, and the light one where its jars or a Java cannot be had.",
    )
    kafka_jars: Path | None = Field(
        None,
        description="Folder of Apache Kafka's jars, as a distribution's `libs`; unset: the local "
        "Maven repository, to which missing ones are downloaded.",
    )
    maven_repository: str | None = Field(
        None, description="URL of a Maven repository to download jars from; unset: Central."
    )
