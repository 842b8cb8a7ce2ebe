"""Tokens that are good, for how long, and what is remembered of them; and names of bears.

What is refused: tests/unit/access/test_access_table.py."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.auth import tokens as tokens_module
from shared.auth.access import Principal, Role
from shared.auth.bears import Pseudonyms, older_alias
from shared.auth.tokens import (
    LOCAL_KEY_ID,
    Expected,
    Grant,
    TokenIssuer,
    TokenRefused,
    TokenVerifier,
)
from shared.clock import unix_seconds, utc_now
from tests.support.child_facts import REGISTER
from tests.support.command_side import ADMIN, BEAR, KEYS, MOTHER, CommandSide
from tests.support.tokens import FixedKeys, Forger

KEY, NEXT_KEY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
FORGER = Forger(KEY, "issuer", "teddy")


class Signatures:
    """A verifier that counts how often a signature is checked; its clock runs ahead."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.checked = 0
        self.ahead = 0.0
        self.keys = FixedKeys(KEY)
        decode: Callable[..., Any] = jwt.decode

        def counting(*arguments: Any, **options: Any) -> Any:
            self.checked += 1
            return decode(*arguments, **options)

        monkeypatch.setattr(jwt, "decode", counting)
        expected = Expected("issuer", "teddy")
        self.verifier = TokenVerifier(self.keys, expected, lambda: unix_seconds() + self.ahead)


@pytest.fixture
def signatures(monkeypatch: pytest.MonkeyPatch) -> Signatures:
    return Signatures(monkeypatch)


async def test_a_token_of_the_local_issuer_is_good_and_names_its_key(signatures: Signatures):
    token = TokenIssuer(KEY, "issuer", "teddy").issue(ADMIN, utc_now(), timedelta(hours=1))
    assert (await signatures.verifier.verify(token)).principal == ADMIN
    assert jwt.get_unverified_header(token)["kid"] == LOCAL_KEY_ID


async def test_the_signature_of_a_token_is_checked_once(signatures: Signatures):
    token = FORGER.token()
    verified = [await signatures.verifier.verify(token) for _ in range(3)]
    assert [one.principal for one in verified] == [ADMIN, ADMIN, ADMIN]
    assert signatures.checked == 1


async def test_a_remembered_token_is_good_only_until_it_expires(signatures: Signatures):
    token = FORGER.token()
    await signatures.verifier.verify(token)
    signatures.ahead = 3_601
    await signatures.verifier.verify(token)
    # then it is checked again, which is where an expired one is refused
    assert signatures.checked == 2


@pytest.mark.parametrize("served", [(), (NEXT_KEY,)], ids=["no key", "another key by its name"])
async def test_a_remembered_token_is_forgotten_when_the_set_has_its_key_no_more(
    signatures: Signatures, served: tuple[Ed25519PrivateKey, ...]
):
    token = FORGER.token()
    await signatures.verifier.verify(token)
    signatures.keys.serve(*served)
    with pytest.raises(TokenRefused):
        await signatures.verifier.verify(token)


async def test_after_a_rotation_the_tokens_of_both_keys_are_good(signatures: Signatures):
    # given
    signatures.keys.serve(KEY, NEXT_KEY)
    # when / then
    assert (await signatures.verifier.verify(FORGER.token())).principal == ADMIN
    of_next = FORGER.signed({"alg": "EdDSA", "kid": "local-2"}, FORGER.claims(), NEXT_KEY)
    assert (await signatures.verifier.verify(of_next)).principal == ADMIN
    # and a key verifies nothing under the name of another
    mixed = FORGER.signed({"alg": "EdDSA", "kid": "local-2"}, FORGER.claims(), KEY)
    with pytest.raises(TokenRefused):
        await signatures.verifier.verify(mixed)


async def test_a_token_that_differs_in_one_character_is_not_remembered(signatures: Signatures):
    token = FORGER.token()
    await signatures.verifier.verify(token)
    other = "A" if token[-5] != "A" else "B"
    with pytest.raises(TokenRefused):
        await signatures.verifier.verify(token[:-5] + other + token[-4:])


async def test_a_refusal_is_not_remembered_and_does_not_say_why(signatures: Signatures):
    reasons = set()
    for token in (FORGER.token(aud="another"), FORGER.token(kid="no"), "not.a.token") * 2:
        try:
            await signatures.verifier.verify(token)
        except TokenRefused as refused:
            reasons.add(str(refused))
    assert reasons == {"the bearer token is not valid"}


async def test_only_so_many_tokens_are_remembered(
    signatures: Signatures, monkeypatch: pytest.MonkeyPatch
):
    # given room for two
    monkeypatch.setattr(tokens_module, "REMEMBERED_TOKENS", 2)
    several = [FORGER.token(sub=f"p{n}") for n in range(3)]
    for token in (*several, several[2], several[0]):
        await signatures.verifier.verify(token)
    # then only the oldest had to be checked again
    assert signatures.checked == 4


async def test_a_token_is_looked_for_anew_only_when_its_key_is_unknown(signatures: Signatures):
    with pytest.raises(TokenRefused):
        await signatures.verifier.verify(FORGER.token(aud="another"))
    assert signatures.keys.looks == 0
    with pytest.raises(TokenRefused):
        await signatures.verifier.verify(FORGER.token({"kid": "unknown"}))
    assert signatures.keys.looks == 1


@pytest.mark.parametrize(("late", "good"), [(3, True), (8, False)])
async def test_clocks_may_differ_by_the_leeway(late: float, good: bool):
    # given a token that expired so many seconds ago, and one that begins so much later
    verifier = TokenVerifier(FixedKeys(KEY), Expected("issuer", "teddy", leeway_seconds=5))
    for token in (
        FORGER.token(exp=int(unix_seconds() - late)),
        FORGER.token(nbf=int(unix_seconds() + late + 1)),
    ):
        # when / then
        if good:
            assert (await verifier.verify(token)).principal == ADMIN
        else:
            with pytest.raises(TokenRefused):
                await verifier.verify(token)


async def test_what_a_token_opens_lasts_no_longer_than_it_and_its_key(signatures: Signatures):
    # given
    verified = await signatures.verifier.verify(FORGER.token())
    grant = Grant(signatures.verifier, verified)
    assert await grant.holds()
    # when its key leaves the set
    signatures.keys.serve(NEXT_KEY)
    # then
    assert not await grant.holds()
    # when it is back, and the token expires
    signatures.keys.serve(KEY)
    assert await grant.holds()
    signatures.ahead = 3_601
    # then
    assert not await grant.holds()
    assert grant.seconds_left < 0


async def test_an_operator_says_how_long_tokens_may_live():
    verifier = TokenVerifier(FixedKeys(KEY), Expected("issuer", "teddy", most_life_seconds=3_610))
    now = int(unix_seconds())
    assert await verifier.verify(FORGER.token(nbf=now - 10, exp=now + 3_600))
    with pytest.raises(TokenRefused):
        await verifier.verify(FORGER.token(nbf=now - 10, exp=now + 3_601))


async def test_a_token_that_does_not_say_when_it_begins_begins_when_it_was_issued():
    verifier = TokenVerifier(FixedKeys(KEY), Expected("issuer", "teddy", most_life_seconds=3_610))
    now = int(unix_seconds())
    assert await verifier.verify(FORGER.token(nbf=None, iat=now - 10, exp=now + 3_600))
    for claims in (
        {"nbf": None, "iat": now - 10, "exp": now + 3_601},
        {"nbf": now - 11, "iat": now, "exp": now + 3_600},
        {"nbf": None, "iat": now + 60, "exp": now + 3_600},
        {"nbf": None, "iat": str(now), "exp": now + 3_600},
        {"nbf": None, "iat": True, "exp": now + 3_600},
        {"nbf": None, "iat": None, "exp": now + 3_600},
    ):
        with pytest.raises(TokenRefused):
            await verifier.verify(FORGER.token(**claims))


def _name(pseudonyms: Pseudonyms, device_id: str) -> str:
    return pseudonyms.given(Principal(device_id, Role.DEVICE)).on_record


def test_a_bear_has_one_pseudonym_in_a_process_and_another_in_every_other():
    here, there = Pseudonyms(), Pseudonyms()
    assert _name(here, "bear-1") == _name(here, "bear-1")
    assert len({_name(here, "bear-1"), _name(here, "bear-2"), _name(there, "bear-1")}) == 3


def test_nobody_else_is_renamed_and_a_bear_without_a_name_is_not_told_by_its_id():
    for role in Role:
        caller = Pseudonyms().given(Principal("subject-1", role))
        assert caller.subject == "subject-1"
        assert (caller.on_record == "subject-1") is (role is not Role.DEVICE)
    assert Principal("device-1", Role.DEVICE).on_record == "bear"


def test_the_aliases_of_earlier_releases_are_still_made_and_told_from_pseudonyms():
    # as of a release that kept them
    assert older_alias(b"i" * 32, "bear-device-1") == "bear-3bdd6408a8a9dffb59c8628a"
    assert len(older_alias(b"i" * 32, "bear-1")) > len(_name(Pseudonyms(), "bear-1"))


async def test_commits_and_audit_records_name_a_bear_by_one_pseudonym():
    # given
    side = CommandSide()
    async with side.client(MOTHER) as mother:
        child_id = await mother.register()
    # when: it acts, and tries another child
    async with side.client(BEAR) as bear:
        answer = await bear.send("POST", f"/children/{child_id}/conversations", {})
        foreign = await bear.send("POST", f"/children/{REGISTER.child_id}/conversations", {})
    # then
    assert (answer.status_code, foreign.status_code) == (201, 404)
    mother_s, bear_s = [commit.actor.subject async for commit in side.database.events.scan()]
    assert mother_s == MOTHER.subject
    assert bear_s not in (BEAR.subject, older_alias(KEYS.index_key, BEAR.subject))
    assert [entry.subject for entry in side.audit.entries] == [MOTHER.subject, bear_s, bear_s]


async def test_whose_child_it_is_is_still_told_by_the_bears_own_id():
    side = CommandSide()
    await side.do(REGISTER, ADMIN)
    other = Principal(older_alias(KEYS.index_key, REGISTER.device_id or ""), Role.DEVICE)
    async with side.client(other) as stranger:
        answer = await stranger.send("POST", f"/children/{REGISTER.child_id}/conversations", {})
    assert answer.status_code == 404
