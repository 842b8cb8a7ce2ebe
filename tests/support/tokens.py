"""Verifiers over keys in memory, and tokens that only look like good ones."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.auth.keys import KeySet, parse_key_set
from shared.auth.tokens import LOCAL_KEY_ID, Expected, TokenVerifier
from shared.signing import public_jwks

WEEK = 7 * 86_400
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""Of base64url."""


class FixedKeys:
    """A key set that changes only when a test says so; counts the looks for unknown keys."""

    def __init__(self, *keys: Ed25519PrivateKey) -> None:
        self.looks = 0
        self.serve(*keys)

    def serve(self, *keys: Ed25519PrivateKey) -> None:
        """The first is `local-1`, the next `local-2`, ..."""
        listed = [
            public_jwks(key, f"local-{number}")["keys"][0] for number, key in enumerate(keys, 1)
        ]
        self._keys = parse_key_set(orjson.dumps({"keys": listed})) if listed else {}

    async def current(self) -> KeySet:
        return self._keys

    async def after_unknown_key(self) -> KeySet:
        self.looks += 1
        return self._keys


def verifier_of(key: Ed25519PrivateKey, issuer: str, audience: str) -> TokenVerifier:
    return TokenVerifier(FixedKeys(key), Expected(issuer, audience))


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Forger:
    """Makes tokens of an admin for the issuer and audience of a verifier whose key it has."""

    def __init__(self, key: Ed25519PrivateKey, issuer: str, audience: str) -> None:
        self.key = key
        self.issuer = issuer
        self.audience = audience

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Good ones but for `changes`; None leaves a claim out."""
        now = datetime.now(UTC)
        claims = {
            "sub": "admin-1",
            "role": "admin",
            "iss": self.issuer,
            "aud": self.audience,
            "nbf": int((now - timedelta(seconds=10)).timestamp()),
            "exp": int((now + timedelta(hours=1)).timestamp()),
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Signed with the good key."""
        return self.signed({"alg": "EdDSA", **(header or {})}, self.claims(**changes), self.key)

    def signed(self, header: dict[str, Any], claims: Any, key: Any) -> str:
        """Put together here: the library refuses to make some of what attackers send."""
        full = {"typ": "JWT", "kid": LOCAL_KEY_ID, **header}
        known = {name: value for name, value in full.items() if value is not None}
        algorithm = jwt.get_algorithm_by_name(known["alg"])
        content = f"{base64url(orjson.dumps(known))}.{base64url(orjson.dumps(claims))}"
        return f"{content}.{base64url(algorithm.sign(content.encode(), key))}"

    def of_bytes(self, header: bytes, claims: bytes) -> str:
        """Signed with the good key, whatever the two are."""
        content = f"{base64url(header)}.{base64url(claims)}"
        return f"{content}.{base64url(self.key.sign(content.encode()))}"

    def unsigned(self, header: dict[str, Any], signature: str = "") -> str:
        full = {"typ": "JWT", "kid": LOCAL_KEY_ID, **header}
        parts = (orjson.dumps(part) for part in (full, self.claims()))
        return ".".join([*map(base64url, parts), signature])

    def public_forms(self) -> list[bytes]:
        """Every form in which the public key could be mistaken for a shared secret."""
        public = self.key.public_key()
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        return [
            public.public_bytes_raw(),
            public.public_bytes(serialization.Encoding.PEM, spki),
            public.public_bytes(serialization.Encoding.DER, spki),
            orjson.dumps(public_jwks(self.key, LOCAL_KEY_ID)["keys"][0]),
        ]


def attacks(forger: Forger) -> dict[str, list[str]]:
    """Name to the values of the Authorization headers that are sent."""
    good = forger.token()
    forged = {
        **_of_other_keys(forger),
        **_without_signature(forger),
        **_with_the_public_key_as_secret(forger),
        **_with_a_header_that_asks_for_more(forger),
        **_with_wrong_claims(forger),
        **_of_wrong_shape(forger),
        **_that_can_be_read_in_two_ways(forger),
    }
    return {name: [f"Bearer {token}"] for name, token in forged.items()} | {
        "no header": [],
        "empty header": [""],
        "no token": ["Bearer"],
        "another scheme": [f"Token {good}"],
        "basic": ["Basic YWRtaW46YWRtaW4="],
        "two good headers": [f"Bearer {good}", f"Bearer {good}"],
        "a good and a bad header": [f"Bearer {good}", "Bearer a"],
        "two tokens in one header": [f"Bearer {good}, Bearer {good}"],
        "a letter from elsewhere": ["Bearer \xff\xfe.a.b"],
    }


def _of_other_keys(forger: Forger) -> dict[str, str]:
    claims = forger.claims()
    own = Ed25519PrivateKey.generate()
    own_jwk = public_jwks(own, LOCAL_KEY_ID)["keys"][0]
    p256, p384 = (ec.generate_private_key(curve) for curve in (ec.SECP256R1(), ec.SECP384R1()))
    rsa_key = rsa.generate_private_key(65_537, 2_048)
    elsewhere = {"jku": "https://attacker.example/jwks"}
    return {
        "EdDSA": forger.signed({"alg": "EdDSA"}, claims, own),
        "ES256": forger.signed({"alg": "ES256"}, claims, p256),
        "ES384": forger.signed({"alg": "ES384"}, claims, p384),
        "RS256": forger.signed({"alg": "RS256"}, claims, rsa_key),
        "PS256": forger.signed({"alg": "PS256"}, claims, rsa_key),
        "jwk in the header": forger.signed({"alg": "EdDSA", "jwk": own_jwk}, claims, own),
        "jku in the header": forger.signed({"alg": "EdDSA", **elsewhere}, claims, own),
    }


def _without_signature(forger: Forger) -> dict[str, str]:
    signature = forger.token().rpartition(".")[2]
    return {
        "alg none": forger.unsigned({"alg": "none"}),
        "alg None, with a capital": forger.unsigned({"alg": "None"}),
        "alg none with a signature": forger.unsigned({"alg": "none"}, signature),
        "no alg": forger.unsigned({}, signature),
        "signature cut off": forger.token().rpartition(".")[0] + ".",
    }


def _with_the_public_key_as_secret(forger: Forger) -> dict[str, str]:
    forged = {}
    for number, secret in enumerate(forger.public_forms()):
        content = forger.unsigned({"alg": "HS256"}).rstrip(".")
        signature = jwt.get_algorithm_by_name("HS256").sign(content.encode(), secret)
        forged[f"HS256, form {number}"] = f"{content}.{base64url(signature)}"
    return forged


def _with_a_header_that_asks_for_more(forger: Forger) -> dict[str, str]:
    """All signed with the good key."""
    headers: dict[str, dict[str, Any]] = {
        "good key, jwk": {"jwk": public_jwks(forger.key, LOCAL_KEY_ID)["keys"][0]},
        "good key, jku": {"jku": "https://attacker.example/jwks"},
        "good key, x5u": {"x5u": "https://attacker.example/pem"},
        "good key, x5c": {"x5c": ["AAAA"]},
        "good key, crit": {"crit": ["exp"], "exp": 1},
        "good key, b64": {"b64": False},
        "good key, another typ": {"typ": "receipt+jws"},
        "no kid": {"kid": None},
        "empty kid": {"kid": ""},
        "kid is a path": {"kid": "../../../../dev/null"},
        "kid is a URL": {"kid": "https://attacker.example/keys.json"},
        "kid is SQL": {"kid": "x' UNION SELECT 'secret' --"},
        "kid is an operator": {"kid": {"$ne": None}},
        "kid is a number": {"kid": 1},
        "kid has a NUL": {"kid": f"{LOCAL_KEY_ID}\x00"},
        "kid is very long": {"kid": "k" * 4_000},
    }
    return {name: forger.token(header) for name, header in headers.items()}


def _with_wrong_claims(forger: Forger) -> dict[str, str]:
    """All signed with the good key."""
    soon = int(datetime.now(UTC).timestamp()) + 3_600
    claims: dict[str, dict[str, Any]] = {
        "expired": {"exp": 1_000_000_000},
        "not yet valid": {"nbf": 4_000_000_000},
        "exp is a text": {"exp": "4000000000"},
        "exp is true": {"exp": True},
        "exp is a list": {"exp": [4_000_000_000]},
        "a life of a hundred years": {"exp": 4_900_000_000},
        "a life a second too long": {"nbf": soon - WEEK, "exp": soon + 1},
        "wrong audience": {"aud": "another"},
        "wrong issuer": {"iss": "another"},
        "issuer is a list": {"iss": [forger.issuer]},
        "unknown role": {"role": "emperor"},
        "role in capitals": {"role": "ADMIN"},
        "role is a list": {"role": ["admin"]},
        "empty subject": {"sub": ""},
        "subject is a number": {"sub": 1},
        "subject is very long": {"sub": "s" * 129},
        "subject that changes when it is trimmed": {"sub": "admin-1 "},
        "subject in another script": {"sub": "\u0430dmin-1"},
        "subject in wide letters": {"sub": "\uff41dmin-1"},
        "subject of two segments": {"sub": "admin-1/admin-2"},
        "subject that is a step up": {"sub": ".."},
        "subject with a line break": {"sub": "admin-1\nadmin-2"},
        **{f"without {claim}": {claim: None} for claim in forger.claims()},
    }
    return {name: forger.token(**changes) for name, changes in claims.items()}


def _of_wrong_shape(forger: Forger) -> dict[str, str]:
    header, _, signature = (good := forger.token()).split(".")
    other_claims = forger.token(sub="admin-2").split(".")[1]
    return {
        "huge token": forger.token(padding="x" * 20_000),
        "not JSON": f"{base64url(b'{')}.{base64url(b'{')}.AAAA",
        "deep header": f"{base64url(b'[' * 5_000)}.e30.AAAA",
        "header is a list": f"{base64url(b'[]')}.e30.AAAA",
        "five parts": f"{good}.AAAA.AAAA",
        "a word": "a",
        "claims of another token": f"{header}.{other_claims}.{signature}",
    }


def _that_can_be_read_in_two_ways(forger: Forger) -> dict[str, str]:
    """All signed with the good key. Of a name given twice some take the first value, some the
    last."""
    claims, good = orjson.dumps(forger.claims()), forger.token()
    header = orjson.dumps({"alg": "EdDSA", "typ": "JWT", "kid": LOCAL_KEY_ID})
    text = claims.decode()
    names = {
        f"two of {name}": forger.of_bytes(header, claims[:-1] + f',"{name}":{value}}}'.encode())
        for name, value in (("sub", '"admin-1"'), ("role", '"admin"'), ("nbf", "0"))
    }
    encodings = {
        f"claims in {encoding}": forger.of_bytes(header, text.encode(encoding))
        for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
    }
    last = ALPHABET[ALPHABET.index(good[-1]) + 1]  # its lowest bits say nothing
    return {
        **names,
        **encodings,
        "two of kid": forger.of_bytes(header[:-1] + b',"kid":"local-1"}', claims),
        "two of a name of nobody's": forger.of_bytes(header, claims[:-1] + b',"a":1,"a":1}'),
        "a surrogate": forger.of_bytes(header, claims[:-1] + b',"a":"\xed\xa0\x80"}'),
        "not a number": forger.of_bytes(header, claims[:-1] + b',"a":NaN}'),
        "another spelling of its signature": good[:-1] + last,
    }
