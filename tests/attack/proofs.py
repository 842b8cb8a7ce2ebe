"""Files that prove something to others: receipts, evidence, exports. Whoever alters one is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.clock import new_id
from shared.signing import PROOF_KEY_ID
from tests.attack.row import Broken, Seen
from tests.attack.world import World
from tests.support.tokens import base64url

EVER = ("--from", "2000-01-01", "--to", "2100-01-01")
Bundle = Any


@dataclass(frozen=True, slots=True)
class Altered:
    """A file of this `kind` after `alter`: its verification ends with another exit code than 0, and
    says `named`."""

    name: str
    kind: str
    alter: Callable[[bytes], bytes]
    named: str
    ci: bool = False

    @property
    def tried(self) -> str:
        return f"`teddy {' '.join(VERIFICATIONS[self.kind])}` of an altered file"

    @property
    def expected(self) -> str:
        return f"exit code 1 or 2, {self.named!r}"

    async def attempt(self, world: World) -> Seen:
        file = world.folder.path / f"{new_id()}.{self.kind}"
        keys = ("--keys", world.state.environment["TEDDY_PROOF_KEYS_FILE"])
        verify = (*VERIFICATIONS[self.kind], str(file), *keys)
        content = await _made(world, self.kind)
        file.write_bytes(content)
        untouched = await world.teddy(*verify)
        if untouched.code:
            raise Broken(f"untouched, it is refused: {untouched.out[-200:]}{untouched.err[-200:]}")
        file.write_bytes(self.alter(content))
        said = await world.teddy(*verify)
        reported = said.out + said.err
        if said.code and self.named in reported:
            return Seen(True, f"exit code {said.code}, named")
        return Seen(False, f"exit code {said.code}: {reported.strip()[-200:]!r}")


VERIFICATIONS = {
    "receipt": ("erase", "verify"),
    "evidence": ("evidence", "verify"),
    "export": ("audit", "verify-export"),
}


async def _made(world: World, kind: str) -> bytes:
    out = world.folder.path / f"{new_id()}.{kind}"
    about = ("--child", world.words["child"], "--violation", world.words["violation"])
    made = {
        "receipt": ("erase", "receipt", world.words["erased"]),
        "evidence": ("evidence", "export", *about, "--out", str(out)),
        "export": ("audit", "export", *EVER, str(out)),
    }
    said = await world.teddy(*made[kind])
    if said.code:
        raise Broken(f"`teddy {' '.join(made[kind][:2])}`: {said.err.strip()[-200:]}")
    return said.out.encode() if kind == "receipt" else out.read_bytes()


def of_json(alter: Callable[[Bundle], None]) -> Callable[[bytes], bytes]:
    def altered(content: bytes) -> bytes:
        bundle = orjson.loads(content)
        alter(bundle)
        return orjson.dumps(bundle)

    return altered


def edited_event(bundle: Bundle) -> None:
    event = bundle["commits"][0]["body"]["events"][0]
    event[3] = event[3].replace("high", "low")


def edited_actor(bundle: Bundle) -> None:
    bundle["commits"][0]["body"]["actor"][0] = "somebody-else"


def view_removed(bundle: Bundle) -> None:
    blocks = next(span["blocks"] for span in bundle["audit"] if span["blocks"])
    next(one for one in reversed(blocks) if "lines" in one)["lines"].pop()


def of_another_violation(bundle: Bundle) -> None:
    bundle["violation_id"] = "another"


def span_left_out(content: bytes) -> bytes:
    title, _, *others = content.splitlines(keepends=True)
    return b"".join([title, *others])


def end_cut_off(content: bytes) -> bytes:
    return b"".join(content.splitlines(keepends=True)[:-1])


def of_another_child(content: bytes) -> bytes:
    return _receipt(content, child_id=new_id())


def _receipt(content: bytes, **changes: Any) -> bytes:
    """The statement changed, its signature left."""
    head, claims, signature = content.decode().strip().split(".")
    statement = jwt.utils.base64url_decode(claims)
    changed = base64url(orjson.dumps(orjson.loads(statement) | changes))
    return f"{head}.{changed}.{signature}".encode()


def signed_by_another_key(content: bytes) -> bytes:
    """With a key of one's own under the name of the operator's."""
    head, claims, _ = content.decode().strip().split(".")
    typ = orjson.loads(jwt.utils.base64url_decode(head))["typ"]
    key = Ed25519PrivateKey.generate()
    own = base64url(orjson.dumps({"alg": "EdDSA", "kid": PROOF_KEY_ID, "typ": typ}))
    return f"{own}.{claims}.{base64url(key.sign(f'{own}.{claims}'.encode()))}".encode()


def of_another_kind(content: bytes) -> bytes:
    """Another kind of statement, as a receipt."""
    head, claims, signature = content.decode().strip().split(".")
    other = orjson.loads(jwt.utils.base64url_decode(head)) | {"typ": "teddy-audit-head"}
    return f"{base64url(orjson.dumps(other))}.{claims}.{signature}".encode()
