"""Settings that an operator gives to a local stack's services, and those that it gives a shell."""

import hashlib
import os
import shlex
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from command_service.settings import CommandSettings, RelaySettings
from deploy.local import plans
from deploy.local.readiness import mongo_url
from deploy.local.settings import LocalStackSettings
from projection_worker.settings import WorkerSettings
from query_service.settings import QuerySettings
from shared.mongo import has_password
from shared.settings import ObservabilitySettings, TopicSettings, load_settings

GROUPS: tuple[type[BaseSettings], ...] = (
    CommandSettings,
    RelaySettings,
    WorkerSettings,
    QuerySettings,
)

ANY_ADDRESS, ANY_FILE = f"{plans.LOOPBACK}:1", "any"
ANY_MONGO = mongo_url(ANY_ADDRESS)
PAGE_URLS = ("TEDDY_PAGES_COMMAND_URL", "TEDDY_PAGES_PUBLIC_URL")
KEY_FILES = ("TEDDY_KEY_FILE", "TEDDY_JWKS_FILE", "TEDDY_PROOF_KEY_FILE", "TEDDY_PROOF_KEYS_FILE")
"""What the stack makes and sets, whatever its operator's environment says."""


def check_settings(*, servers_only: bool = False) -> None:
    """End the process with exit code 2 and one line, as a service would, where the stack or, unless
    `servers_only`, a service of it would not start with the environment and what the stack sets."""
    for group in (TopicSettings, LocalStackSettings):
        load_settings(group)
    if not servers_only:
        _check_services(os.environ)


def _check_services(environment: Mapping[str, str]) -> None:
    urls = dict.fromkeys(plans.MONGO_URLS, ANY_MONGO) | {plans.KAFKA_BOOTSTRAP: ANY_ADDRESS}
    started = {name: url for name, url in urls.items() if not environment.get(name)}
    others = dict.fromkeys(KEY_FILES, ANY_FILE) | dict.fromkeys(PAGE_URLS, f"http://{ANY_ADDRESS}")
    set_by_stack = {**started, **others}
    given = {name.removeprefix("TEDDY_").lower(): value for name, value in set_by_stack.items()}
    for group in GROUPS:
        load_settings(group, **given)


def kept(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables of the services in `environment`, by name; files by their absolute path.

    Without secrets, and without what is of no use unless a secret is given as well: a command
    would refuse a channel of alerts that lacks its password.
    """
    found = {name: environment[name] for name in _KEPT if name in environment}
    return {
        name: str(Path(value).absolute()) if name.endswith("_FILE") else value
        for name, value in found.items()
        if not has_password(value)
    }


def _fields(group: type[BaseSettings]) -> frozenset[str]:
    return frozenset(group.model_fields)


def _beside_secrets(group: type[BaseSettings]) -> frozenset[str]:
    """Fields of those parts of `group` that hold a secret of their own."""
    parts = [part for part in group.__mro__ if issubclass(part, ObservabilitySettings)]
    with_secrets = [
        part
        for part in parts
        if any(
            name in part.__annotations__ and SecretStr.__name__ in str(field.annotation)
            for name, field in part.model_fields.items()
        )
    ]
    of_them = frozenset[str]().union(*map(_fields, with_secrets))
    return of_them - _fields(ObservabilitySettings)


_KEPT = sorted(
    f"TEDDY_{field.upper()}"
    for field in frozenset[str]().union(*map(_fields, GROUPS))
    - frozenset[str]().union(*map(_beside_secrets, GROUPS))
)


STACK = "TEDDY_LOCAL_STACK"
SETTINGS = "TEDDY_LOCAL_STACK_SETTINGS"
FINGERPRINT_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Exported:
    """What a shell has of the local stack in `folder`: the names of its settings."""

    folder: Path
    names: frozenset[str]

    def __str__(self) -> str:
        return (
            f"ignoring the settings in this shell that belong to the local stack in {self.folder}"
        )


def set_aside(environment: MutableMapping[str, str]) -> Exported | None:
    """Take what was exported from a local stack out of `environment`, and the mark; None where
    there is no mark.

    The mark names the stack's folder and has a fingerprint of each value: what was set otherwise
    since is the user's own.
    """
    folder, marked = environment.pop(STACK, None), environment.pop(SETTINGS, "")
    if folder is None:
        return None
    names = frozenset(
        name
        for name, _, fingerprint in (one.partition(":") for one in marked.split(","))
        if name in environment and _fingerprint(environment[name]) == fingerprint
    )
    for name in names:
        del environment[name]
    return Exported(Path(folder), names)


def exports(folder: Path, settings: Mapping[str, str], before: Collection[str]) -> Iterator[str]:
    """Lines for a shell that set and mark `settings`; of `before`, which an earlier call set, they
    unset what is not set anew."""
    for name in sorted(set(before) - settings.keys()):
        yield f"unset {name}"
    fingerprints = (f"{name}:{_fingerprint(value)}" for name, value in sorted(settings.items()))
    marks = {STACK: str(folder.absolute()), SETTINGS: ",".join(fingerprints)}
    for name, value in sorted({**settings, **marks}.items()):
        yield export(name, value)


def export(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fingerprint(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:FINGERPRINT_CHARACTERS]
