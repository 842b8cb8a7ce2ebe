"""Tokens that must open nothing, sent to both APIs."""

import time
from dataclasses import dataclass
from pathlib import Path

import httpx2
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from query_service.api.streams import HEARTBEAT_SECONDS
from shared.signing import public_jwks
from tests.attack.row import Broken, Deed, Refused, Row, Seen
from tests.attack.wire import request, send
from tests.attack.world import AUDIENCE, ISSUER, World, following
from tests.support.tokens import Forger, attacks
from tests.support.waiting import eventually

PATHS = {"command": "/v1/commands", "query": "/v1/queries"}
"""For admins, as whom every forgery comes."""

UNAUTHENTICATED = Refused(401, "unauthenticated")
CI = frozenset(
    (
        *("alg none", "HS256, form 1", "EdDSA", "expired", "a life of a hundred years"),
        *("two of role", "kid is a path", "kid is a URL", "claims of another token"),
    )
)
NEXT = "local-2"
"""The id of a second key."""

FOLLOWED_SECONDS = 10.0
STREAM_SECONDS = 4


@dataclass(frozen=True, slots=True)
class Forgery:
    """One of tests/support/tokens.py, at both APIs."""

    name: str
    expected: Refused
    ci: bool

    @property
    def tried(self) -> str:
        return "GET " + ", ".join(PATHS.values())

    async def attempt(self, world: World) -> Seen:
        lines = [f"Authorization: {offered}" for offered in world.forged[self.name]]
        reported = []
        for api, path in PATHS.items():
            answer = await send(world.address(api), request("GET", path, lines))
            reported.append(str(answer))
            if not self.expected.holds(answer, world.words):
                return Seen(False, f"{api}: {answer}")
        return Seen(True, ", ".join(sorted(set(reported))))


def _names() -> tuple[str, ...]:
    return tuple(attacks(Forger(Ed25519PrivateKey.generate(), ISSUER, AUDIENCE)))


async def _good(world: World) -> str:
    """Or else every forgery would be refused for another reason than its own."""
    for api, path in PATHS.items():
        bearer = f"Authorization: Bearer {world.forger.token()}"
        answer = await send(world.address(api), request("GET", path, [bearer]))
        if answer.status != httpx2.codes.OK:
            raise Broken(f"{api}: {answer}")
    return "200"


async def _role_of_a_parent(world: World) -> str:
    """The claims of an admin over the signature of a parent's own token."""
    head, _, signature = world.bearers["family"].split(".")
    claims = world.forger.token().split(".")[1]
    line = f"Authorization: Bearer {head}.{claims}.{signature}"
    answer = await send(world.address("query"), request("GET", "/v1/cache", [line]))
    if answer.status != httpx2.codes.UNAUTHORIZED:
        raise Broken(str(answer))
    return str(answer)


async def _after_its_key_left(world: World) -> str:
    """A token and the live stream that it opened, once its key is in the set no more."""
    file = Path(world.state.environment["TEDDY_JWKS_FILE"])
    before, key = file.read_bytes(), Ed25519PrivateKey.generate()
    stranger = world.words["stranger"]
    bearer = Forger(key, ISSUER, AUDIENCE).token({"kid": NEXT}, sub=stranger, role="parent")
    alerts = request("GET", f"/v1/parents/{stranger}/alerts", [f"Authorization: Bearer {bearer}"])

    async def is_answered(status: int) -> bool:
        return (await send(world.address("query"), alerts)).status == status

    both = {"keys": orjson.loads(before)["keys"] + public_jwks(key, NEXT)["keys"]}
    try:
        file.write_bytes(orjson.dumps(both))
        await eventually(lambda: is_answered(httpx2.codes.OK), FOLLOWED_SECONDS)
        async with following(world, bearer, stranger) as stream:
            file.write_bytes(before)
            await eventually(lambda: is_answered(httpx2.codes.UNAUTHORIZED), FOLLOWED_SECONDS)
            await stream.ends(HEARTBEAT_SECONDS + FOLLOWED_SECONDS)
    except TimeoutError:
        raise Broken("the token or its stream goes on, or the key was never taken") from None
    finally:
        file.write_bytes(before)
    return "200, then 401; the stream ended"


async def _stream_beyond_its_token(world: World) -> str:
    stranger = world.words["stranger"]
    soon = int(time.time()) + STREAM_SECONDS
    bearer = world.forger.token(sub=stranger, role="parent", exp=soon)
    async with following(world, bearer, stranger) as stream:
        try:
            await stream.ends(STREAM_SECONDS + FOLLOWED_SECONDS)
        except TimeoutError:
            raise Broken("the stream goes on") from None
    return "the stream ended"


FORGERIES: tuple[Row, ...] = tuple(Forgery(name, UNAUTHENTICATED, name in CI) for name in _names())
DEEDS: tuple[Row, ...] = (
    Deed(
        "a good token", "GET, both APIs, by the issuer's own key", "200: the control", _good, True
    ),
    Deed(
        "a parent's signature under an admin's claims",
        "GET /v1/cache",
        "401",
        _role_of_a_parent,
        ci=True,
    ),
    Deed(
        "a key that left the set",
        "a token and a stream by it, before and after",
        "401 within seconds, the stream ends",
        _after_its_key_left,
    ),
    Deed(
        "a stream beyond its token",
        f"a stream by a token of {STREAM_SECONDS} s",
        "the stream ends with the token",
        _stream_beyond_its_token,
    ),
)
ROWS = (*DEEDS, *FORGERIES)
