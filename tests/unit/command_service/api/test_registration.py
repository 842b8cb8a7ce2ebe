"""POST /v1/children."""

from typing import Any

import pytest

from tests.support.command_side import MOTHER, QUERY_URL, CommandClient, CommandSide
from tests.support.consents import BORN, CONSENTS, REGISTRATION
from tests.support.problem_documents import assert_problem

GOOD: dict[str, Any] = {
    "consents": CONSENTS,
    "name": "Ada",
    "age": 7,
    "udid": "TEDDY-0000-0042",
    "device_id": "bear-device-1",
    "preferences": {"stories": True},
    "learning_style": "visual",
    "interests": ["space"],
}
REQUEST = "2f1b0c7e-6a0d-4a57-9f3c-5b1e8d4c2a10"


async def test_a_registration_answers_where_the_child_is(side: CommandSide, mother: CommandClient):
    # when
    response = await mother.send("POST", "/children", GOOD)
    # then
    assert response.status_code == 201
    answer = response.json()
    assert answer == {"child_id": answer["child_id"], "version": BORN, "events": [*REGISTRATION]}
    assert response.headers["Location"] == f"{QUERY_URL}/v1/children/{answer['child_id']}"
    token = side.tokens.read(response.headers["Consistency-Token"])
    assert (token.child_id, token.version) == (answer["child_id"], BORN)
    assert response.headers["Correlation-Id"]


async def test_where_nobody_said_how_clients_reach_the_query_api_no_address_is_named():
    side = CommandSide(query_url=None)
    async with side.client() as mother:
        registered = await mother.send("POST", "/children", GOOD)
        child = f"/children/{registered.json()['child_id']}"
        erased = await mother.send("DELETE", f"{child}/personal-data")
    assert (registered.status_code, erased.status_code) == (201, 200)
    assert not {"location", "link"} & {*registered.headers, *erased.headers}


async def test_what_is_stored_tells_who_asked_and_hides_what_is_personal(
    side: CommandSide, mother: CommandClient
):
    # given
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"Correlation-Id": REQUEST, "traceparent": trace}
    # when
    response = await mother.send("POST", "/children", GOOD, headers=headers)
    # then
    (commit,) = await side.database.events.load(response.json()["child_id"])
    assert (commit.actor.subject, commit.actor.role) == (MOTHER.subject, "parent")
    assert commit.causality.correlation_id == REQUEST
    assert commit.causality.traceparent == trace
    assert not any(value in str(commit) for value in ("Ada", "TEDDY", "bear-device", "stories"))


async def test_a_parent_is_the_parent(side: CommandSide, mother: CommandClient):
    await mother.register(parent_id=MOTHER.subject)
    assert_problem(
        await mother.send("POST", "/children", {**GOOD, "parent_id": "parent-bob"}),
        404,
        "parent-not-found",
    )
    assert await side.stored_events() == [*REGISTRATION]


async def test_an_admin_names_the_parent(side: CommandSide, admin: CommandClient):
    refused = await admin.send("POST", "/children", GOOD)
    assert_problem(refused, 422, "invalid-request", "parent_id", "1..128 visible ASCII")
    accepted = await admin.send("POST", "/children", {**GOOD, "parent_id": "parent-ada"})
    assert accepted.status_code == 201


@pytest.mark.parametrize(
    ("changes", "field", "limit"),
    [
        ({"age": 2}, "age", "3..12"),
        ({"age": "7"}, "age", None),
        ({"age": 7.0}, "age", None),
        ({"age": True}, "age", None),
        ({"age": None}, "age", None),
        ({"name": "A"}, "name", "2..100"),
        ({"name": 7}, "name", None),
        ({"name": "A\x07da"}, "name", "visible characters"),
        ({"udid": "short"}, "udid", "10..128"),
        ({"device_id": ""}, "device_id", "1..128"),
        ({"preferences": []}, "preferences", None),
        ({"preferences": {"a": {"b": {"c": {"d": {}}}}}}, "preferences", "4 levels"),
        ({"preferences": {"a": "x" * 9_000}}, "preferences", "8192 bytes"),
        ({"learning_style": ""}, "learning_style", "1..64"),
        ({"interests": "space"}, "interests", None),
        ({"interests": [1]}, "interests.0", None),
        ({"interests": ["x" * 65]}, "interests.0", "1..64"),
        ({"interests": ["x"] * 21}, "interests", "0..20"),
        ({"nickname": "Addie"}, "nickname", None),
    ],
)
async def test_what_breaks_a_rule_is_refused_and_leaves_no_trace(
    side: CommandSide, mother: CommandClient, changes: dict[str, Any], field: str, limit: str | None
):
    response = await mother.send("POST", "/children", {**GOOD, **changes})
    assert_problem(response, 422, "invalid-request", field, limit)
    assert await side.stored_events() == []
    again = await mother.send("POST", "/children", GOOD)
    assert again.status_code == 201, "the refused registration left the bear reserved"


@pytest.mark.parametrize("missing", ["name", "age", "udid", "consents"])
async def test_missing_fields_are_named(mother: CommandClient, missing: str):
    body = {name: value for name, value in GOOD.items() if name != missing}
    response = await mother.send("POST", "/children", body)
    problem = assert_problem(response, 422, "invalid-request", missing)
    assert problem["errors"] == [{"field": missing, "message": "required"}]


@pytest.mark.parametrize(
    ("given", "missing"), [([], "account"), (["account", "conversations"], "personalization")]
)
async def test_a_consent_that_is_missing_is_named_and_no_address_of_a_child_that_is_none(
    side: CommandSide, mother: CommandClient, given: list[str], missing: str
):
    consents = [each for each in CONSENTS if each["purpose"] in given]
    response = await mother.send("POST", "/children", {**GOOD, "consents": consents})
    problem = assert_problem(response, 409, "consent-required", "consents", missing)
    assert f"purpose {missing}." in problem["detail"]
    assert "/v1/children/" not in response.text
    assert await side.stored_events() == []


async def test_everything_wrong_is_reported_at_once(mother: CommandClient):
    response = await mother.send("POST", "/children", {**GOOD, "name": "A", "age": 2, "udid": "x"})
    problem = assert_problem(response, 422, "invalid-request")
    assert {error["field"] for error in problem["errors"]} == {"name", "age", "udid"}


@pytest.mark.parametrize(
    "raw", [b"{", b'{"name": "Ada",}', b"\xff\xfe", b"name=Ada", b'{"name": "\\ud800"}']
)
async def test_what_is_not_json_is_refused(side: CommandSide, mother: CommandClient, raw: bytes):
    response = await mother.send("POST", "/children", raw=raw)
    assert_problem(response, 400, "invalid-json", "body")
    assert await side.stored_events() == []


@pytest.mark.parametrize("raw", [b"[]", b"null", b'"Ada"', b""])
async def test_a_body_that_is_no_registration_is_refused(mother: CommandClient, raw: bytes):
    assert_problem(await mother.send("POST", "/children", raw=raw), 422, "invalid-request")


async def test_numbers_that_json_does_not_know_are_refused(mother: CommandClient):
    raw = b'{"name": "Ada", "age": 7, "udid": "TEDDY-0000-0042", "preferences": {"a": NaN}}'
    response = await mother.send("POST", "/children", raw=raw, key="key-with-nan")
    assert_problem(response, 400, "invalid-json", "body")


async def test_a_body_over_64_kib_is_refused(side: CommandSide, mother: CommandClient):
    largest = b" " * (64 * 1024 - 2) + b"{}"
    assert_problem(await mother.send("POST", "/children", raw=largest), 422, "invalid-request")
    response = await mother.send("POST", "/children", raw=largest + b" ")
    assert_problem(response, 413, "body-too-large", "body", "65536 bytes")
    assert await side.stored_events() == []


async def test_a_refusal_never_repeats_what_was_given(mother: CommandClient):
    secrets = {"name": "Zaphod\u202e", "age": 4711, "udid": "BXR-77", "favourite": "Trillian"}
    for changes in ({**GOOD, **secrets}, {**GOOD, "name": ["Zaphod"]}, secrets):
        response = await mother.send("POST", "/children", changes)
        assert response.status_code == 422
        assert not any(text in response.text for text in ("Zaphod", ": 4711", "BXR-77", "Trillian"))


async def test_a_bear_is_registered_once(
    side: CommandSide, mother: CommandClient, stranger: CommandClient
):
    await mother.register("TEDDY-0000-0042")
    response = await stranger.send("POST", "/children", {**GOOD, "udid": "teddy-0000-0042"})
    assert_problem(response, 409, "udid-taken", "udid")
    assert await side.stored_events() == [*REGISTRATION]


async def test_a_registration_without_a_key_gets_a_random_id(mother: CommandClient):
    first = await mother.register("TEDDY-0000-0001")
    second = await mother.register("TEDDY-0000-0002")
    assert first != second
