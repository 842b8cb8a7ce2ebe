"""The code of an older commit, and local stacks of it and of this tree."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deploy.local.state import StackFolder, StackState
from shared.auth.access import Principal, Role
from shared.auth.tokens import TokenIssuer
from shared.clock import utc_now
from shared.signing import read_signing_key

HERE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Stack:
    """A running stack of some tree, and tokens for it."""

    state: StackState
    issuer: TokenIssuer
    folder: Path

    def address(self, api: str) -> tuple[str, int]:
        return "127.0.0.1", self.state.ports[api]

    def parent_s_bearer(self, parent: str) -> str:
        return self.issuer.issue(Principal(parent, Role.PARENT), utc_now(), timedelta(hours=1))


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """The folder of a work tree at `commit`, removed afterwards."""
    with TemporaryDirectory(prefix="teddy-before-") as path:
        tree = Path(path) / "tree"
        _git("worktree", "add", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> None:
    subprocess.run(["git", "-C", str(HERE), *arguments], check=True, capture_output=True)


@contextmanager
def stack_of(tree: Path, path: Path, settings: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """The local stack of the code in `tree`; nothing of this process's own code runs in it."""
    command = [sys.executable, "-m", "deploy.cli", "--dir", str(path)]
    environment = {**os.environ, **(settings or {}), "PYTHONPATH": str(tree)}
    place: dict[str, Any] = {"cwd": tree, "env": environment}
    subprocess.run([*command, "up"], check=True, stdout=subprocess.DEVNULL, **place)
    try:
        state = StackFolder(path).load()
        assert state is not None
        key = read_signing_key(Path(state.environment["TEDDY_SIGNING_KEY_FILE"]))
        yield Stack(state, TokenIssuer(key, "teddy-local", "teddy"), path)
    finally:
        subprocess.run([*command, "down"], check=True, stdout=subprocess.DEVNULL, **place)
