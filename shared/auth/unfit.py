"""Why a token that its issuer just gave out is not one of ours: for whoever set the issuer up.

A caller who shows a bad token is never told why. A token that came from the issuer itself, on a
connection of our own, is another matter: what is wrong with it is a setting of the issuer.
"""

from typing import Any, Literal

import jwt

from shared.auth.access import Role, is_subject
from shared.auth.tokens import Expected, key_id_of

Unfit = Literal["form", "issuer", "audience", "role", "subject", "life", "signature"]
"""`form`: no JWT, or one whose header asks for more than is done here. `life`: no `exp`, neither
`nbf` nor `iat`, or too long between them. `signature`: nothing of these, so its key is unknown, or
the clocks differ."""


def unfit(token: str, expected: Expected) -> Unfit:
    """The first thing about a refused `token` that is not as `expected`; nothing is verified."""
    try:
        key_id_of(token)
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return "form"
    audience = claims.get("aud")
    if claims.get("iss") != expected.issuer:
        return "issuer"
    if expected.audience not in (audience if isinstance(audience, list) else [audience]):
        return "audience"
    if claims.get("role") not in [role.value for role in Role]:
        return "role"
    if not isinstance(subject := claims.get("sub"), str) or not is_subject(subject):
        return "subject"
    return "signature" if _lives_as_it_may(claims, expected.most_life_seconds) else "life"


def _lives_as_it_may(claims: dict[str, Any], most_seconds: float) -> bool:
    """Has an end, and one that is not too far from its beginning."""
    begin, end = claims.get("nbf", claims.get("iat")), claims.get("exp")
    numbers = (int, float)
    if not isinstance(begin, numbers) or not isinstance(end, numbers):
        return False
    return end - begin <= most_seconds
