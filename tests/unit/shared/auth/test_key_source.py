"""When keys are looked up again, and what holds when they cannot be."""

import asyncio

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.auth import keys
from shared.auth.keys import RENEWED_BESIDE, CachedKeys, Freshness, KeysUnavailable
from shared.signing import public_jwks
from tests.support.waiting import until

LIFE, COOLDOWN, MAX_AGE = 300.0, 30.0, 3_600.0


def key_set(*key_ids: str) -> bytes:
    listed = [public_jwks(Ed25519PrivateKey.generate(), name)["keys"][0] for name in key_ids]
    return orjson.dumps({"keys": listed})


class Issuer:
    """Serves `content` (None: it is away) when `answering`; counts who asks. It has a clock."""

    def __init__(self) -> None:
        self.content: bytes | None = key_set("first")
        self.asked = 0
        self.now = 1_000.0
        self.answering = asyncio.Event()
        self.answering.set()
        freshness = Freshness(LIFE, COOLDOWN, MAX_AGE)
        self.keys = CachedKeys(self._fetch, freshness, lambda: self.now)

    async def _fetch(self) -> bytes:
        self.asked += 1
        await self.answering.wait()
        if self.content is None:
            raise OSError("the issuer is away")
        return self.content

    async def known(self) -> list[str]:
        return sorted(await self.keys.current())

    async def settled(self) -> None:
        """When the look-up beside the requests is over."""
        lookup = self.keys._lookup
        assert lookup is not None
        await until(lookup.done)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


async def test_keys_are_fetched_once_in_their_life(issuer: Issuer):
    for _ in range(5):
        assert await issuer.known() == ["first"]
    assert issuer.asked == 1


async def test_requests_that_come_together_share_one_fetch(issuer: Issuer):
    issuer.answering.clear()
    waiting = [asyncio.create_task(issuer.known()) for _ in range(20)]
    await until(lambda: issuer.asked == 1)
    issuer.answering.set()
    assert await asyncio.gather(*waiting) == [["first"]] * 20
    assert issuer.asked == 1


async def test_one_who_waits_and_leaves_ends_the_fetch_of_nobody_else(issuer: Issuer):
    issuer.answering.clear()
    leaving, staying = (asyncio.create_task(issuer.known()) for _ in range(2))
    await until(lambda: issuer.asked == 1)
    leaving.cancel()
    issuer.answering.set()
    assert await staying == ["first"]


async def test_keys_past_their_life_are_renewed_before_they_are_used(issuer: Issuer):
    # given an issuer that took a key back
    await issuer.known()
    issuer.content = key_set("second")
    issuer.now += LIFE
    # then it opens not one more request
    assert await issuer.known() == ["second"]
    assert issuer.asked == 2


async def test_an_issuer_that_hangs_delays_one_request_only(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
):
    # given
    monkeypatch.setattr(keys, "FETCH_SECONDS", 0.05)
    await issuer.known()
    issuer.answering.clear()
    issuer.now += LIFE
    # when
    assert await issuer.known() == ["first"]
    # then the next look-ups are beside the requests
    monkeypatch.undo()
    issuer.now += COOLDOWN
    assert await issuer.known() == ["first"]
    await until(lambda: issuer.asked == 3)
    # until it answers again
    issuer.content = key_set("second")
    issuer.answering.set()
    await issuer.settled()
    assert await issuer.known() == ["second"]


async def test_keys_that_get_old_serve_while_new_ones_are_fetched(issuer: Issuer):
    # given
    await issuer.known()
    issuer.content = key_set("second")
    issuer.now += RENEWED_BESIDE * LIFE
    issuer.answering.clear()
    # when the issuer is slow
    assert await issuer.known() == ["first"]
    issuer.answering.set()
    await issuer.settled()
    # then
    assert await issuer.known() == ["second"]
    assert issuer.asked == 2


async def test_an_unknown_key_is_looked_for_once_a_cooldown(issuer: Issuer):
    # given
    await issuer.known()
    issuer.now += COOLDOWN
    issuer.content = key_set("first", "second")
    # when many ask for it at once, and again
    found = await asyncio.gather(*(issuer.keys.after_unknown_key() for _ in range(20)))
    for _ in range(20):
        await issuer.keys.after_unknown_key()
    # then
    assert all("second" in keys for keys in found)
    assert issuer.asked == 2
    # when the cooldown is over
    issuer.now += COOLDOWN
    await issuer.keys.after_unknown_key()
    # then
    assert issuer.asked == 3


async def test_while_the_issuer_is_away_old_keys_serve_until_they_are_too_old(issuer: Issuer):
    # given
    await issuer.known()
    issuer.content = None
    # when
    for _ in range(10):
        issuer.now += MAX_AGE / 11
        assert await issuer.known() == ["first"]
        await issuer.settled()
    issuer.now += MAX_AGE / 10
    # then
    with pytest.raises(KeysUnavailable):
        await issuer.known()
    # and it is asked once a cooldown, however many want to know
    asked = issuer.asked
    for _ in range(10):
        with pytest.raises(KeysUnavailable):
            await issuer.known()
    assert issuer.asked == asked


async def test_keys_come_back_with_their_issuer(issuer: Issuer):
    content, issuer.content = issuer.content, None
    with pytest.raises(KeysUnavailable):
        await issuer.known()
    issuer.content = content
    issuer.now += COOLDOWN
    assert await issuer.known() == ["first"]


@pytest.mark.parametrize("nonsense", [b"", b"{}", b'{"keys": []}', b"<html>"])
async def test_nonsense_does_not_replace_good_keys(issuer: Issuer, nonsense: bytes):
    await issuer.known()
    issuer.content = nonsense
    issuer.now += LIFE
    await issuer.known()
    await issuer.settled()
    assert await issuer.known() == ["first"]


async def test_a_look_up_under_way_ends_with_the_process(issuer: Issuer):
    # given
    await issuer.known()
    issuer.now += RENEWED_BESIDE * LIFE
    issuer.answering.clear()
    await issuer.known()
    lookup = issuer.keys._lookup
    assert lookup is not None
    # when
    await issuer.keys.close()
    # then
    assert lookup.cancelled()
