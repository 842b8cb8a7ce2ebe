"""Passwords and certificates of one stack: made once, kept in one folder, the same ever after."""

import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import orjson

from deploy.containers.certificates import Authority, Identity

PASSWORD_BYTES = 32


@dataclass(frozen=True, slots=True)
class Certificates:
    """`authority`: what clients trust (PEM); `servers`: the identity of each server by name."""

    authority: str
    servers: Mapping[str, Identity]


def passwords(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The password of each name, from letters, digits, `-` and `_`; missing ones are made."""
    path = folder / "passwords.json"
    known: dict[str, str] = orjson.loads(path.read_bytes()) if path.exists() else {}
    missing = [name for name in names if name not in known]
    if missing:
        known |= {name: secrets.token_urlsafe(PASSWORD_BYTES) for name in missing}
        write_private(path, orjson.dumps(known, option=orjson.OPT_INDENT_2))
    return {name: known[name] for name in names}


def certificates(
    folder: Path, hosts: Mapping[str, tuple[str, ...]], now: datetime, *, renew: bool
) -> Certificates:
    """Certificates of the servers in `hosts`, made when there are none, or when `renew` says so.

    A server that is new has all of them made anew: the authority's key is not kept.
    """
    path = folder / "certificates.json"
    if not renew and path.exists():
        known = orjson.loads(path.read_bytes())
        servers = {name: Identity(**pems) for name, pems in known["servers"].items()}
        if set(servers) >= set(hosts):
            return Certificates(known["authority"], servers)
    authority = Authority(now)
    made = Certificates(
        authority.certificate, {name: authority.issue(names) for name, names in hosts.items()}
    )
    write_private(path, orjson.dumps(asdict(made), option=orjson.OPT_INDENT_2))
    return made


def write_private(path: Path, content: bytes, owner: int | None = None) -> None:
    """All of it or nothing, whenever the process is killed; for its owner only. `owner`: a user id,
    for a process that may give files away. Raises OSError."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if owner is not None:
        give(partial, owner)
    partial.replace(path)


def give(path: Path, owner: int) -> None:
    """To its reader, where this process may: in the container, which runs as root for it."""
    if os.geteuid() == 0:
        os.chown(path, owner, owner)
