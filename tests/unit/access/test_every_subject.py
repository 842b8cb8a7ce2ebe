"""Whatever subject a token may carry, its family is on every route what it is to the domain."""

import string
from urllib.parse import quote

import pytest

from shared.auth.principal import Principal, Role
from shared.subjects import is_subject
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


@pytest.mark.parametrize("subject", SUBJECTS)
async def test_a_parent_of_any_subject_reads_its_own_family(subject: str) -> None:
    # given
    side, parent = QuerySide(), Principal(subject, Role.PARENT)
    await side.child("lena", parent_id=subject)
    async with side.client(parent) as client:
        for place in ("children", "alerts"):
            # when
            answer = await client.get(f"/v1/parents/{quote(subject, safe='')}/{place}")
            # then
            assert answer.status_code == 200, answer.text
        family = await client.get(f"/v1/parents/{quote(subject, safe='')}/children")
        assert [child["child_id"] for child in family.json()["children"]] == ["lena"]


async def test_a_parent_of_any_subject_registers_a_child_and_changes_it() -> None:
    # given
    side = CommandSide()
    for number, subject in enumerate(SUBJECTS):
        async with side.client(Principal(subject, Role.PARENT)) as mother:
            # when
            child_id = await mother.register(udid=f"TEDDY-{number:08}", device_id=subject)
            changed = await mother.send("PATCH", f"/children/{child_id}/profile", {"age": 8})
            # then
            assert changed.status_code == 200, subject
