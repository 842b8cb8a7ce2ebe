"""A provider at which readers sign in."""

from collections.abc import AsyncIterator

import pytest

from tests.support.openid_provider import OpenIdProvider, openid_provider
from tests.support.provider_side import ProviderSide
from tests.support.query_side import QuerySide
from tests.support.tokens import Forger


@pytest.fixture
async def provider(side: QuerySide) -> AsyncIterator[OpenIdProvider]:
    """Its access tokens are those of `side`, but for what a test says of them."""
    async with openid_provider(Forger(side.forger.key, "", "teddy")) as provider:
        provider.forger.issuer = provider.issuer
        yield provider


@pytest.fixture
async def at_provider(side: QuerySide, provider: OpenIdProvider) -> ProviderSide:
    await side.child("lena", parent_id="weiss")
    return ProviderSide(side, provider)
