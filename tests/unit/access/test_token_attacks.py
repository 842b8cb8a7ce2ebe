"""Tokens that must not open anything, sent to both APIs: always 401, always the same words."""

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.auth.keys import KeySet, KeysUnavailable
from tests.support.command_side import CommandSide
from tests.support.query_side import QuerySide
from tests.support.refusals import same_refusal
from tests.support.tokens import FixedKeys, Forger, attacks

NAMES = list(attacks(Forger(Ed25519PrivateKey.generate(), "issuer", "audience")))
PATHS = {"command": "/v1/commands", "query": "/v1/queries"}


class Target:
    def __init__(self, api: str) -> None:
        self.side = CommandSide() if api == "command" else QuerySide()
        self.forger = self.side.forger
        self.attacks = attacks(self.forger)
        self._path = PATHS[api]

    async def ask(self, offered: list[str]) -> httpx2.Response:
        headers = [(b"Authorization", value.encode("latin-1")) for value in offered]
        async with self.side.bare_client() as client:
            return await client.get(self._path, headers=headers)


@pytest.fixture(scope="module", params=list(PATHS))
def target(request: pytest.FixtureRequest) -> Target:
    return Target(request.param)


@pytest.mark.parametrize("name", NAMES)
async def test_a_forged_token_is_refused_as_none_at_all(target: Target, name: str):
    without = await target.ask([])
    answer = await target.ask(target.attacks[name])
    assert answer.status_code == 401, name
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert same_refusal(answer, without)


async def test_the_token_that_the_forgeries_are_made_from_is_good(target: Target):
    # or else every forgery would be refused for another reason than its own
    for good in (
        target.forger.token(),
        target.forger.token({"typ": None}),
        target.forger.token({"typ": "at+jwt"}),
        target.forger.token({"x5t": "thumbprint"}),
        target.forger.token(aud=[target.forger.audience, "another"]),
    ):
        for scheme in ("Bearer", "bearer", "BEARER"):
            assert (await target.ask([f"{scheme} {good}"])).status_code == 200


async def test_a_token_is_good_for_its_own_role_only(target: Target):
    answer = await target.ask([f"Bearer {target.forger.token(role='parent')}"])
    assert answer.status_code == 403


async def test_while_no_key_can_be_had_tokens_are_not_refused_but_unjudged(
    target: Target, monkeypatch: pytest.MonkeyPatch
):
    # given
    async def unavailable(_: FixedKeys) -> KeySet:
        raise KeysUnavailable

    monkeypatch.setattr(FixedKeys, "current", unavailable)
    # when
    answer = await target.ask([f"Bearer {target.forger.token()}"])
    # then
    assert answer.status_code == 503
    assert answer.json()["code"] == "token-keys-unavailable"
    assert answer.headers["Retry-After"] == "5"
