"""The local stack that is attacked: with the limits that operators get, logs that say all, and
audit heads that are signed every few seconds."""

import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import click

from deploy.local import control
from deploy.local.plans import CACHE_STORAGE, KAFKA_BOOTSTRAP, MONGO_URLS
from deploy.local.state import StackFolder
from deploy.local.supervisor import LIMITS_OF_ONE
from query_service.settings import QuerySettings

HEAD_SECONDS = "2"


def usual_limits() -> dict[str, str]:
    """A local stack has higher ones, because few subjects send everything to it."""
    fields = QuerySettings.model_fields.items()
    defaults = {f"TEDDY_{name.upper()}": str(field.default) for name, field in fields}
    return {name: defaults[name] for name in LIMITS_OF_ONE}


def own_servers_only(environment: MutableMapping[str, str]) -> list[str]:
    """Take what names servers of somebody else's out of `environment`: they are not to be attacked.
    Gives the names of the variables."""
    foreign = [
        name for name in (*MONGO_URLS, KAFKA_BOOTSTRAP, CACHE_STORAGE) if name in environment
    ]
    for name in foreign:
        del environment[name]
    return foreign


@contextmanager
def stack_for_attacks(path: Path) -> Iterator[StackFolder]:
    """Running as long as the block, in `path`."""
    folder = StackFolder(path)
    settings = {
        **usual_limits(),
        "TEDDY_LOG_LEVEL": "DEBUG",
        "TEDDY_AUDIT_HEAD_SECONDS": HEAD_SECONDS,
        "TEDDY_LOCAL_CACHE_SERVER": "true",
    }
    with mock.patch.dict(os.environ, settings):
        if foreign := own_servers_only(os.environ):
            click.echo(f"not attacked, and not used: {', '.join(foreign)}", err=True)
        try:
            control.up(folder)
            yield folder
        finally:
            control.down(folder)
