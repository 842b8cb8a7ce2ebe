"""`python -m deploy.containers.first_start FOLDER [--new-certificates]`: a stack's secrets.

FOLDER has one volume for each reader, so that no container sees another's. What is random is made
once and kept in FOLDER/state; the files for the readers follow from it and are written each time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import click
import orjson

from deploy.containers.accounts import ACCOUNTS
from deploy.containers.credentials import Certificates, certificates, give, passwords, write_private
from deploy.containers.kafka_files import BROKER, KafkaPlace, client_properties, server_properties
from shared.auth.tokens import LOCAL_KEY_ID
from shared.clock import utc_now
from shared.command_line import run_command
from shared.keyring.key_file import create_key_file
from shared.signing import PROOF_KEY_ID, create_signing_key

ROOT = "root"
TEDDY_UID, MONGO_UID, KAFKA_UID = 10_001, 999, 1_000
"""Under which users the containers run; see compose.yaml."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where the servers are: `mongo` is host:port. `secrets`: the folder in which a process finds
    the files that were made for it."""

    mongo: str = "mongo:27017"
    kafka: KafkaPlace = field(default_factory=KafkaPlace)
    secrets: str = "/run/teddy"


def write_secrets(folder: Path, site: Site, now: datetime, *, renew: bool = False) -> None:
    """Everything that the containers of one stack read. Raises OSError."""
    state = folder / "state"
    state.mkdir(parents=True, exist_ok=True)
    names = [ROOT, BROKER, "mongo-keyfile", *(account.name for account in ACCOUNTS)]
    known = passwords(state, names)
    hosts = {"mongo": _hosts(site.mongo), "kafka": _hosts(site.kafka.address)}
    trusted = certificates(state, hosts, now, renew=renew)
    _write_servers(folder, site, known, trusted)
    _write_processes(folder, site, known, trusted)
    _write_keys(folder)


def mongo_url(site: Site, name: str, password: str) -> str:
    options = f"authSource=admin&replicaSet=rs0&tls=true&tlsCAFile={site.secrets}/ca.pem"
    return f"mongodb://{name}:{password}@{site.mongo}/?{options}"


def _write_servers(
    folder: Path, site: Site, known: Mapping[str, str], trusted: Certificates
) -> None:
    mongo, kafka = trusted.servers["mongo"], trusted.servers["kafka"]
    _write(
        folder / "mongo",
        MONGO_UID,
        {
            "keyfile": known["mongo-keyfile"].replace("-", "+").replace("_", "/"),  # base64
            "root-password": known[ROOT],
            "server.pem": mongo.key + mongo.certificate,
            "ca.pem": trusted.authority,
        },
    )
    users = {name: known[name] for name in (BROKER, *(a.name for a in ACCOUNTS if a.kafka))}
    _write(
        folder / "kafka",
        KAFKA_UID,
        {
            "server.properties": server_properties(site.kafka, users),
            "client.properties": client_properties(site.kafka, BROKER, users[BROKER]),
            "server.pem": kafka.key + kafka.certificate,
            "ca.pem": trusted.authority,
        },
    )


def _write_processes(
    folder: Path, site: Site, known: Mapping[str, str], trusted: Certificates
) -> None:
    for account in ACCOUNTS:
        url = mongo_url(site, account.name, known[account.name])
        files = {f"teddy_{store}_mongo_url": url for store in account.stores}
        if account.kafka:
            files["teddy_kafka_password"] = known[account.name]
        _write(folder / account.name, TEDDY_UID, {**files, "ca.pem": trusted.authority})
    everybody = {account.name: known[account.name] for account in ACCOUNTS}
    setup = {
        "root_url": mongo_url(site, ROOT, known[ROOT]),
        "passwords.json": orjson.dumps(everybody).decode(),
        "ca.pem": trusted.authority,
    }
    _write(folder / "mongo-setup", TEDDY_UID, setup)


def _write_keys(folder: Path) -> None:
    """Children's keys and those of signatures; who issues tokens keeps its private key apart."""
    keys, issuer = folder / "keys", folder / "issuer"
    for place in (keys, issuer):
        _own_folder(place, TEDDY_UID)
    create_key_file(keys / "keys.json")
    create_signing_key(issuer / "signing.pem", keys / "jwks.json", LOCAL_KEY_ID)
    create_signing_key(keys / "proof.pem", keys / "proof-keys.json", PROOF_KEY_ID)
    for file in (*keys.iterdir(), *issuer.iterdir()):
        give(file, TEDDY_UID)


def _write(place: Path, owner: int, files: Mapping[str, str]) -> None:
    _own_folder(place, owner)
    for name, content in files.items():
        write_private(place / name, content.encode(), owner)


def _own_folder(place: Path, owner: int) -> None:
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o700)
    give(place, owner)


def _hosts(address: str) -> tuple[str, ...]:
    """Its own name, and the one under which the container asks itself."""
    host = address.partition(":")[0]
    return (host, "localhost", "127.0.0.1") if host != "127.0.0.1" else (host, "localhost")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--new-certificates", is_flag=True, help="Create all certificates again.")
def first_start(folder: Path, *, new_certificates: bool) -> None:
    """Write the secrets of the stack below FOLDER; what is there already stays as it is."""
    write_secrets(folder, Site(), utc_now(), renew=new_certificates)
    click.echo(f"secrets are in {folder}")


if __name__ == "__main__":
    run_command(first_start, "first_start", (OSError,))
