"""A browser's session: its bearer token, in a cookie that no script can read.

Nothing is kept here: the session lasts as long as the token, in every process. The cookie counts on
pages only; the APIs never look at it, so no other site can make a browser use it there.
"""

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from shared.auth.access import Principal
from shared.auth.tokens import Expected, TokenRefused, TokenVerifier

COOKIE, OVER_TLS_COOKIE = "teddy_session", "__Host-teddy_session"
"""Browsers take the second from HTTPS only, and from no other host of the domain."""

FORM_TOKEN_BYTES = 16
MOST_TOKEN_CHARACTERS = 3_800
"""With its name and attributes a cookie of 4,096 bytes: what every browser keeps."""

SEEN_COOKIE = "teddy_seen"
SEEN_SECONDS = 60
"""As long as pages show what their reader did before, whatever the read models' lag."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in. `token`: what the APIs are shown; `form_token`: what a form must bring."""

    token: str
    principal: Principal
    seconds_left: float
    form_token: str


class Sessions:
    """`secret`: of the form tokens, the same in all processes. `by_link`: a link may carry a token,
    so that one click signs in; whoever sends somebody such a link signs them in as themselves."""

    def __init__(
        self, verifier: TokenVerifier, secret: bytes, *, behind_tls: bool, by_link: bool = False
    ) -> None:
        self._verifier = verifier
        self._secret = secret
        self.behind_tls = behind_tls
        self.by_link = by_link
        self._cookie = OVER_TLS_COOKIE if behind_tls else COOKIE

    @property
    def expected(self) -> Expected:
        """What a session's token must say."""
        return self._verifier.expected

    async def of(self, request: Request) -> Session | None:
        """Of the request's cookie; None without a good one. Raises KeysUnavailable."""
        token = request.cookies.get(self._cookie)
        return None if token is None else await self.begin(token)

    async def begin(self, token: str) -> Session | None:
        """A session for who shows `token`; None where it is not good. Raises KeysUnavailable."""
        if len(token) > MOST_TOKEN_CHARACTERS:
            return None
        try:
            verified = await self._verifier.verify(token)
        except TokenRefused:
            return None
        left = self._verifier.seconds_left(verified)
        return Session(token, verified.principal, left, self._form_token(token))

    def keep(self, session: Session, response: Response) -> None:
        """Have the browser send it from now on, until its token expires."""
        self._set(response, self._cookie, session.token, int(session.seconds_left))

    def keep_seen(self, seen: str, response: Response) -> None:
        """Have the browser send a command's consistency token for a minute."""
        self._set(response, SEEN_COOKIE, seen, SEEN_SECONDS)

    def end(self, response: Response) -> None:
        """Have the browser forget both."""
        for name in (self._cookie, SEEN_COOKIE):
            self._set(response, name, "", 0)

    def _set(self, response: Response, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            secure=self.behind_tls,
            httponly=True,
            samesite="strict",
        )

    def _form_token(self, token: str) -> str:
        digest = hashlib.blake2b(
            token.encode(), digest_size=FORM_TOKEN_BYTES, key=self._secret, person=b"form"
        )
        return digest.hexdigest()


def seen_by(request: Request) -> str | None:
    """The consistency token of what its reader did last, for a minute."""
    return request.cookies.get(SEEN_COOKIE)


def is_own_form(request: Request, sent: str, session: Session) -> bool:
    """Whether a form was made for this session, and sent by one of these pages."""
    return is_from_here(request) and hmac.compare_digest(sent.encode(), session.form_token.encode())


def is_from_here(request: Request) -> bool:
    """Whether one of these pages sent the request, as far as the browser says where it is from."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.headers.get("host")
    except ValueError:
        return False
