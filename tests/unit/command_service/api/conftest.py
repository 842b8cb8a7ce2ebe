"""The command API over in-memory fakes, spoken to over HTTP."""

from collections.abc import AsyncIterator

import pytest

from tests.support.command_side import (
    ADMIN,
    BEAR,
    MOTHER,
    OFFICER,
    STRANGER,
    CommandClient,
    CommandSide,
)


@pytest.fixture
def side() -> CommandSide:
    return CommandSide()


@pytest.fixture
async def mother(side: CommandSide) -> AsyncIterator[CommandClient]:
    async with side.client(MOTHER) as client:
        yield client


@pytest.fixture
async def child(mother: CommandClient) -> str:
    """The path of a child that its mother registered."""
    return f"/children/{await mother.register()}"


@pytest.fixture
async def stranger(side: CommandSide) -> AsyncIterator[CommandClient]:
    async with side.client(STRANGER) as client:
        yield client


@pytest.fixture
async def bear(side: CommandSide) -> AsyncIterator[CommandClient]:
    async with side.client(BEAR) as client:
        yield client


@pytest.fixture
async def officer(side: CommandSide) -> AsyncIterator[CommandClient]:
    async with side.client(OFFICER) as client:
        yield client


@pytest.fixture
async def admin(side: CommandSide) -> AsyncIterator[CommandClient]:
    async with side.client(ADMIN) as client:
        yield client
