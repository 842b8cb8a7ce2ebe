"""What a command works with: the settings of the environment, then those of the running stack."""

import os

import click

from deploy.local import shell
from deploy.local.state import PREPARING, STARTING, StackFolder


def use_environment_of(folder: StackFolder) -> tuple[frozenset[str], frozenset[str]]:
    """Take over the settings of the running stack, where the environment has none of its own.
    Those that were exported from a local stack, be it this one as it was, are none of its own.

    The names of those set aside, and of those taken over.
    """
    exported = shell.set_aside(os.environ)
    state = folder.load() if folder.is_held() else None
    if state and state.status in (PREPARING, STARTING):
        raise click.UsageError(
            f"the stack in {folder.path} is {state.status}: try again when `teddy up` says it runs"
        )
    settings = state.environment if state else {}
    taken = frozenset(settings.keys() - os.environ.keys())
    os.environ.update({name: settings[name] for name in taken})
    if not any(name.startswith("TEDDY_") for name in os.environ):
        raise click.UsageError(
            f"no stack runs in {folder.path}; start one with `teddy up`"
            + (f"; {exported}" if exported else "")
        )
    return (exported.names if exported else frozenset()), taken


def setting(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise click.UsageError(f"{name} is not set, and no local stack runs that would set it")
    return value
