"""What is left of an erased child, and what proves that it is gone."""

from shared.clock import new_id
from shared.keyring.key_file import read_key_file
from tests.attack.proofs import Altered, of_another_child, of_another_kind, signed_by_another_key
from tests.attack.row import Broken, Deed, Refused, Request, Row
from tests.attack.world import World
from tests.support.guessed_child import asked_of_an_erased_child

ERASED = "/v1/children/$erased"
GONE = Refused(404, "child-not-found")
OVER = Refused(410, "child-erased")
"""To who may know that there was such a child."""

REPORT = '{"type": "content", "severity": "low"}'

ASKED: tuple[Row, ...] = tuple(
    Request(f"{who}: {sent.replace('$', '')}", sent, expected, who, body, ci=who == "family")
    for who, sent, expected, body in (
        ("family", f"GET {ERASED}", GONE, None),
        ("family", f"GET {ERASED}/safety-report", GONE, None),
        ("family", f"GET {ERASED}/analytics", GONE, None),
        ("family", f"GET {ERASED}/export", GONE, None),
        ("officer", f"GET {ERASED}", GONE, None),
        ("admin", f"GET {ERASED}", GONE, None),
        ("family", f"PATCH {ERASED}/profile", OVER, '{"name": "Back"}'),
        ("admin", f"POST {ERASED}/reactivation", OVER, "{}"),
        ("officer", f"POST {ERASED}/safety-violations", OVER, REPORT),
        ("stranger", f"PATCH {ERASED}/profile", GONE, '{"name": "Back"}'),
        ("bear", f"POST {ERASED}/safety-violations", GONE, REPORT),
    )
)


async def _left_behind(world: World) -> str:
    """Something of an erased child that was kept, or put back from a backup."""
    receipt = world.folder.path / f"{new_id()}.receipt"
    erased = world.words["erased"]
    receipt.write_text((await world.teddy("erase", "receipt", erased)).out)
    async with world.collection("write", "claims") as claims:
        await claims.insert_one({"_id": f"TEDDY-{new_id()}", "child_id": erased})
        said = await world.teddy("erase", "verify", str(receipt))
        await claims.delete_many({"child_id": erased})
    clean = await world.teddy("erase", "verify", str(receipt))
    if (said.code, clean.code) != (1, 0):
        raise Broken(
            f"exit code {said.code}, then {clean.code}: {said.out[-200:]}{clean.out[-200:]}"
        )
    return "exit code 1, named"


async def _guessed(world: World) -> str:
    """Right guesses, the key file, every database but the oplog, and every topic."""
    keys = read_key_file(world.folder.keys / "keys.json")
    if reported := await asked_of_an_erased_child(world.state, keys):
        raise Broken(f"confirmed: {', '.join(sorted(reported))}")
    return "nothing is confirmed"


FILES: tuple[Row, ...] = (
    Altered("a receipt of another child", "receipt", of_another_child, "signature", ci=True),
    Altered("a receipt signed by another key", "receipt", signed_by_another_key, "signature"),
    Altered("another statement as a receipt", "receipt", of_another_kind, "kind"),
)
DEEDS: tuple[Row, ...] = (
    Deed(
        "something left of an erased child",
        "a reservation put back, `teddy erase verify`",
        "exit code 1, named; 0 without it",
        _left_behind,
        ci=True,
    ),
    Deed(
        "guesses about an erased child",
        "name, ids, words and requests, with the key file, on all databases and topics",
        "nothing is confirmed",
        _guessed,
        ci=True,
    ),
)
ROWS: tuple[Row, ...] = (*ASKED, *FILES, *DEEDS)
