"""What the broker of the Compose stack reads: Apache Kafka in KRaft mode, TLS and SASL only."""

from collections.abc import Mapping
from dataclasses import dataclass

BROKER = "broker"
"""The account of the broker itself, between its own parts."""

LISTENER = "CLIENTS"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


@dataclass(frozen=True, slots=True)
class KafkaPlace:
    """`address`: host:port that clients use. `secrets`: folder of these files, as the broker sees
    it. `data`: folder of its records. `quorum_port`: on loopback, for its own controller. `bind`:
    the interface for clients; empty for all that the container has."""

    address: str = "kafka:9092"
    secrets: str = "/mnt/shared/config"
    data: str = "/var/lib/kafka/data"
    quorum_port: int = 9093
    bind: str = ""


def server_properties(place: KafkaPlace, passwords: Mapping[str, str]) -> str:
    """`passwords` by account; the broker's own is among them."""
    port = place.address.rpartition(":")[2]
    listener = f"listener.name.{LISTENER.lower()}"
    return _lines(
        {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{place.quorum_port}",
            "listeners": f"{LISTENER}://{place.bind}:{port},CONTROLLER://127.0.0.1:{place.quorum_port}",
            "advertised.listeners": f"{LISTENER}://{place.address}",
            "listener.security.protocol.map": f"{LISTENER}:SASL_SSL,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": LISTENER,
            "controller.listener.names": "CONTROLLER",
            "log.dirs": place.data,
            "sasl.enabled.mechanisms": "PLAIN",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            f"{listener}.plain.sasl.jaas.config": _accounts(passwords),
            **_trusting(place),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": f"{place.secrets}/server.pem",
            "ssl.client.auth": "none",
            # `teddy topics apply` makes the topics
            "auto.create.topics.enable": "false",
            "default.replication.factor": 1,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
        }
    )


def client_properties(place: KafkaPlace, name: str, password: str) -> str:
    """For the tools that come with Kafka; the stack's health check uses them."""
    return _lines(
        {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.jaas.config": f'{PLAIN} required username="{name}" password="{password}";',
            **_trusting(place),
        }
    )


def _trusting(place: KafkaPlace) -> dict[str, object]:
    return {"ssl.truststore.type": "PEM", "ssl.truststore.location": f"{place.secrets}/ca.pem"}


def _accounts(passwords: Mapping[str, str]) -> str:
    own = f'username="{BROKER}" password="{passwords[BROKER]}"'
    users = " ".join(f'user_{name}="{password}"' for name, password in passwords.items())
    return f"{PLAIN} required {own} {users};"


def _lines(settings: Mapping[str, object]) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.items())
