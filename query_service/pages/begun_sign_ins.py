"""A sign-in between its two steps: on the way to the provider, in a cookie of the browser.

Nothing is kept here but which were finished, so any process can finish what another began. The
cookie is sealed: its content is neither read nor made elsewhere. It is `SameSite=Lax`, as a
`Strict` one would not come along when the provider sends the browser back; it opens nothing, and
lives for ten minutes.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import asdict, dataclass

import orjson
from cryptography.fernet import Fernet, InvalidToken
from starlette.requests import Request
from starlette.responses import Response

from shared.clock import unix_seconds

COOKIE, OVER_TLS_COOKIE = "teddy_sign_in", "__Host-teddy_sign_in"
SECONDS = 600
MOST_CHARACTERS = 2_048
MOST_TAKEN = 10_000
"""Sign-ins that a process remembers to have finished; beyond that it forgets the oldest."""


@dataclass(frozen=True, slots=True)
class Begun:
    """`state`: what the provider's answer must bring; `nonce`: what its ID token must; `verifier`:
    what shows the provider that who began also finishes (RFC 7636); `back`: where to go then."""

    state: str
    nonce: str
    verifier: str
    back: str

    def has_state(self, state: str) -> bool:
        return hmac.compare_digest(state.encode(), self.state.encode())


class BegunSignIns:
    """`secret`: the same in all processes."""

    def __init__(
        self, secret: bytes, *, behind_tls: bool, now: Callable[[], float] = unix_seconds
    ) -> None:
        key = hashlib.blake2b(digest_size=32, key=secret, person=b"sign-in").digest()
        self._box = Fernet(base64.urlsafe_b64encode(key))
        self._behind_tls = behind_tls
        self._cookie = OVER_TLS_COOKIE if behind_tls else COOKIE
        self._now = now
        self._taken: dict[bytes, float] = {}

    def of(self, request: Request) -> Begun | None:
        """What this browser began in the last ten minutes, and has not finished."""
        sealed = request.cookies.get(self._cookie, "")
        if not 0 < len(sealed) <= MOST_CHARACTERS:
            return None
        try:
            opened = self._box.decrypt_at_time(sealed, SECONDS, int(self._now()))
            return Begun(**orjson.loads(opened))
        except (InvalidToken, ValueError, TypeError):  # forged, too old, or of another release
            return None

    def take(self, begun: Begun) -> bool:
        """Whether it is now the caller's to finish: once, in this process."""
        now, state = self._now(), _digest(begun)
        while self._taken:
            oldest, until = next(iter(self._taken.items()))
            if until > now and len(self._taken) < MOST_TAKEN:
                break
            del self._taken[oldest]
        if state in self._taken:
            return False
        self._taken[state] = now + SECONDS
        return True

    def give_back(self, begun: Begun) -> None:
        """It was not finished, and may be again."""
        self._taken.pop(_digest(begun), None)

    def keep(self, begun: Begun, response: Response) -> None:
        """In place of what the browser began before."""
        sealed = self._box.encrypt_at_time(orjson.dumps(asdict(begun)), int(self._now()))
        self._set(response, sealed.decode(), SECONDS)

    def end(self, response: Response) -> None:
        self._set(response, "", 0)

    def _set(self, response: Response, value: str, seconds: int) -> None:
        response.set_cookie(
            self._cookie,
            value,
            max_age=seconds,
            secure=self._behind_tls,
            httponly=True,
            samesite="lax",
        )


def _digest(begun: Begun) -> bytes:
    return hashlib.blake2b(begun.state.encode(), digest_size=16).digest()
