"""Who may do what on the servers of the Compose stack: one account for each process.

A process has access to the databases and to Kafka as far as its settings ask for them; see
`settings.py` of each.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic_settings import BaseSettings

from command_service.settings import CommandSettings, RelaySettings
from projection_worker.settings import WorkerSettings
from query_service.settings import QuerySettings
from shared.audit.settings import AuditSettings

STORES: Mapping[str, str] = {
    "write": "teddy_write",
    "read": "teddy_read",
    "keys": "teddy_keys",
    "audit": "teddy_audit",
}
"""Databases of the stack by the middle of their variable, `TEDDY_<STORE>_MONGO_URL`."""

READ_ONLY = frozenset(
    {("query", "read"), ("query", "keys"), ("query", "write"), ("worker", "write")}
)
"""The query side reads the read models, and for an export the event store. It changes neither, and
makes or destroys no key. The worker reads the event store, too."""

ENDS_OPERATIONS = "endsOperations"
"""The role by which the worker notes beside the event store how a requested operation ended."""


@dataclass(frozen=True, slots=True)
class Account:
    """`stores`: the databases it may use; `kafka`: whether it may use the broker."""

    name: str
    stores: tuple[str, ...]
    kafka: bool

    def roles(self) -> list[dict[str, str]]:
        """Its roles as MongoDB's `createUser` takes them."""
        usual = "dbOwner" if self.name == TOOLS else "readWrite"
        roles = [
            {"role": "read" if (self.name, store) in READ_ONLY else usual, "db": STORES[store]}
            for store in self.stores
        ]
        more = [{"role": ENDS_OPERATIONS, "db": STORES["write"]}] if self.name == WORKER else []
        return roles + more


TOOLS, WORKER = "tools", "worker"


def _account(name: str, *groups: type[BaseSettings]) -> Account:
    fields = {field for group in groups for field in group.model_fields}
    stores = tuple(store for store in STORES if f"{store}_mongo_url" in fields)
    return Account(name, stores, "kafka_bootstrap" in fields)


ACCOUNTS = (
    _account("command", CommandSettings),
    _account("relay", RelaySettings),
    _account(WORKER, WorkerSettings),
    _account("query", QuerySettings),
    _account(TOOLS, WorkerSettings, AuditSettings),
)
