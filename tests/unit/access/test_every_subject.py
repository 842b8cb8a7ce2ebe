"""Whatever subject a token may carry, its family is on every route what it is to the domain."""

import string
from urllib.parse import quote

from shared.auth.access import Principal, Role, is_subject
from tests.support.command_side import CommandSide
from tests.support.query_side import QuerySide

CHARACTERS = [c for c in string.printable if is_subject(f"p{c}1")]
SUBJECTS = [f"p{c}1" for c in CHARACTERS] + [
    "auth0|5f7c",
    "a" * 128,
    "-",
    "%2F",
    "p%",
    "...",
    "a+b@c.d",
]


def test_visible_characters_but_slashes_may_stand_in_a_subject() -> None:
    assert set(CHARACTERS) == set(string.digits + string.ascii_letters + string.punctuation) - set(
        "/\\"
    )


async def test_a_parent_of_any_subject_reads_its_own_family() -> None:
    # given
    side = QuerySide()
    for number, subject in enumerate(SUBJECTS):
        await side.child(f"child-{number}", parent_id=subject)
        async with side.client(Principal(subject, Role.PARENT)) as client:
            # when
            family = await client.get(f"/v1/parents/{quote(subject, safe='')}/children")
            alerts = await client.get(f"/v1/parents/{quote(subject, safe='')}/alerts")
            # then
            assert (family.status_code, alerts.status_code) == (200, 200), subject
            assert [one["child_id"] for one in family.json()["children"]] == [f"child-{number}"]


async def test_a_parent_of_any_subject_registers_a_child_and_changes_it() -> None:
    # given
    side = CommandSide()
    for number, subject in enumerate(SUBJECTS):
        async with side.client(Principal(subject, Role.PARENT)) as mother:
            # when
            child_id = await mother.register(
                udid=f"TEDDY-{number:08}", device_id=f"{number}{subject}"[:128]
            )
            changed = await mother.send("PATCH", f"/children/{child_id}/profile", {"age": 8})
            # then
            assert changed.status_code == 200, subject
