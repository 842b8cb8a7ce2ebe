"""Commands as an operator calls them: in this process, or for one test of each in a process.

Both go through the entry point that the shell calls; a process only adds a second of imports.
tests/integration/containers runs every tool as a process, too.
"""

import asyncio
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from deploy import cli
from deploy.local.state import StackFolder

NARROW = {"COLUMNS": "40"}
"""Narrower than most tables: what is piped, as here, is wrapped nowhere."""


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


async def called(
    main: Callable[[], None], arguments: Sequence[str], environment: Mapping[str, str]
) -> Said:
    """`main` in a thread, with arguments, environment and output of its own."""
    return await asyncio.to_thread(call, main, arguments, environment)


async def started(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path | None = None,
) -> Said:
    """`python -m module` as a process, in `folder`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**environment, **NARROW},
    )
    out, err = await process.communicate()
    return Said(process.returncode or 0, out.decode(), err.decode())


async def teddy(folder: StackFolder, *words: str, **settings: str) -> Said:
    """`teddy`, about the stack in `folder`."""
    return await called(cli.main, _about(folder, words), {**os.environ, **settings})


async def teddy_process(folder: StackFolder, *words: str, **settings: str) -> Said:
    return await started("deploy.cli", _about(folder, words), {**os.environ, **settings})


def _about(folder: StackFolder, words: Sequence[str]) -> list[str]:
    return ["--dir", str(folder.path), *words]


def call(
    main: Callable[[], None], arguments: Sequence[str], environment: Mapping[str, str]
) -> Said:
    out, err = _Written(), _Written()
    code = 0
    with (
        _arguments(arguments),
        mock.patch.dict(os.environ, {**environment, **NARROW}, clear=True),
        _logging_as_in_a_new_process(),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return Said(code, out.text(), err.text())


class _Written(io.TextIOWrapper):
    """Takes text and bytes, as a process's output does."""

    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, encoding="utf-8", newline="")

    def text(self) -> str:
        self.flush()
        return self._bytes.getvalue().decode()


@contextmanager
def _arguments(arguments: Sequence[str]) -> Iterator[None]:
    before = sys.argv
    sys.argv = ["teddy", *arguments]
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def _logging_as_in_a_new_process() -> Iterator[None]:
    """Nobody has set it up: what is logged as a warning comes to standard error."""
    before = logging.root.handlers
    logging.root.handlers = []
    try:
        yield
    finally:
        logging.root.handlers = before
