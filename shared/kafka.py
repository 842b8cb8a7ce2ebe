"""Where Kafka is and how to be let in: the one place that builds options of its clients."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class KafkaServers:
    """`ca_file`: PEM of the authority that signed the brokers' certificates; None: the system's.
    `long_polling`: the brokers hold an empty fetch open, as Apache Kafka does."""

    bootstrap: str
    security: Security = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    long_polling: bool = True

    def tls(self) -> ssl.SSLContext | None:
        """What a client checks the brokers by; None without TLS. Raises OSError for the file."""
        if not self.security.endswith("SSL"):
            return None
        return ssl.create_default_context(cafile=self.ca_file)


Servers = KafkaServers | str
"""A bare bootstrap address is that of brokers without TLS and without users."""


def client_options(servers: Servers) -> dict[str, Any]:
    """Arguments of every aiokafka client. Raises OSError when the CA file cannot be used."""
    if isinstance(servers, str):
        return {"bootstrap_servers": servers}
    options: dict[str, Any] = {
        "bootstrap_servers": servers.bootstrap,
        "security_protocol": servers.security,
        "ssl_context": servers.tls(),
    }
    if servers.security.startswith("SASL"):
        options |= {
            "sasl_mechanism": servers.mechanism,
            "sasl_plain_username": servers.user,
            "sasl_plain_password": servers.password,
        }
    return options
