"""Passwords and certificates of one stack: made once, kept in one folder, the same ever after."""

import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

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
        _keep(path, known)
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
    _keep(path, asdict(made))
    return made


def _keep(path: Path, content: Mapping[str, Any]) -> None:
    """All of it or nothing, whenever the process is killed; for its owner only."""
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(orjson.dumps(content, option=orjson.OPT_INDENT_2))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
