"""What each answer is held against: the document, and the table of access for who asks."""

from collections.abc import Mapping
from typing import Any

import schemathesis
from fastapi import FastAPI
from schemathesis.config import SchemathesisConfig

from shared.auth.access import ACCESS, Relation, Role
from tests.support.routes import routes_of

Case = schemathesis.Case[Any]
Answer = Any
"""Schemathesis's own."""

CONFIG: dict[str, Any] = {
    "seed": 20261123,
    # the documents' own links: the library would guess more by names, and follow those as often
    "phases": {"stateful": {"inference": {"algorithms": []}}},
    "checks": {
        # 304 to who has the answer; 410 of an erased child; 422 by what no schema states, see
        # `refused_for_a_reason`
        "positive_data_acceptance": {
            "expected-statuses": ["2xx", "304", "401", "403", "404", "409", "410", "422"]
        },
        # the library knows 400, 401, 403, 404, 422; the edge refuses by kind, too
        "negative_data_rejection": {
            "expected-statuses": ["400", "401", "403", "404", "410", "413", "414", "415", "422"]
        },
    },
}
UNSTATED = (
    "must not contain",  # characters that nobody sees
    "must have",  # a length, after trimming
    "must contain only 64-bit integers",
    "must be an integer",  # 7.0 is one to a schema
    "must lie between 2000-01-01 and",  # a schema has no bounds of dates
    "must be later than `from`",
    "must end a period of at most",  # two dates, each of which fits
    "must contain each purpose at most once",
    "must be left out: it belongs to the kind",  # a field of another kind of operation
    "must be left out: each command has its own",  # the idempotency key of a batch
    "must not be below age_min",
    "this idempotency key was used for a different request",
    "must be one SELECT",  # of SQL
    "must be done with",
    "not a cursor of this list",  # one that a link carried to a list with other conditions
)
"""How the rules begin that an OpenAPI document cannot state: all for which 422 is an answer to a
request that fits it."""

FORBIDDEN, NOT_FOUND, INVALID = 403, 404, 422


def document_of(app: Any) -> Any:
    """Every operation but the streams, which end when their token does."""
    config = SchemathesisConfig.from_dict(CONFIG)
    document = schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
    return document.exclude(path_regex=".*/stream$")


def operations_of(*apps: FastAPI) -> Mapping[str, str]:
    """Method and path to the operation of the table; routes for operators are not in it."""
    return {
        f"{route.method} {route.path}": route.operation
        for app in apps
        for route in routes_of(app)
        if route.operation in ACCESS
    }


def is_good(case: Case) -> bool:
    return bool(case.meta and case.meta.generation.mode.is_positive)


def refused_for_a_reason(answer: Answer) -> bool:
    """Whether a 422 is by rules that the document cannot state; other answers are judged by it."""
    if answer.status_code != INVALID:
        return True
    return all(error["message"].startswith(UNSTATED) for error in answer.json()["errors"])


def may(operation: str, role: Role, *, own: bool) -> bool:
    """`own`: the child or family that the request names, if it names one, is the caller's."""
    relation = ACCESS[operation].of(role)
    if relation in (Relation.OWN_FAMILY, Relation.OWN_BEAR):
        return own
    return relation is not Relation.NONE


def check_refused(operation: str, role: Role, case: Case, answer: Answer) -> None:
    """Who may not: 403 where the role never may, 404 where it is another's; a request that is
    invalid besides may be told so instead. Never a success, whatever the request."""
    reported = f"{role} {operation}: {answer.status_code}"
    assert answer.status_code not in range(200, 400), reported
    if is_good(case):
        never = ACCESS[operation].of(role) is Relation.NONE
        expected = {FORBIDDEN} if never else {NOT_FOUND}
        assert answer.status_code in {*expected, INVALID}, reported
        assert refused_for_a_reason(answer), reported
