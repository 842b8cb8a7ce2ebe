"""Ids in paths: one documented pattern each; whatever else stands there never reaches a handler."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator

from shared.auth.principal import SUBJECT, SUBJECT_LIMIT, is_subject
from shared.field_wording import refused
from shared.http.problems import FieldProblem, Problem, ProblemRaised

_ID = re.compile("[A-Za-z0-9-]{1,64}")
ID_PATTERN = f"^{_ID.pattern}$"
SUBJECT_PATTERN = f"^{SUBJECT}$"
"""A parent's id is what the token issuer calls its subject."""

ID_LIMIT = "1..64 of A-Z a-z 0-9 -"


def _is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def _must_be(is_one: Callable[[str], bool], limit: str) -> AfterValidator:
    def check(given: str) -> str:
        if not is_one(given):
            raise refused(f"must be {limit}", limit)
        return given

    return AfterValidator(check)


IS_ID, IS_SUBJECT = _must_be(_is_id, ID_LIMIT), _must_be(is_subject, SUBJECT_LIMIT)
IDS, SUBJECTS = {"pattern": ID_PATTERN}, {"pattern": SUBJECT_PATTERN}

ChildId = Annotated[
    str, IS_ID, Path(description="As returned by the registration.", json_schema_extra=IDS)
]
ConversationId = Annotated[
    str, IS_ID, Path(description="Of a conversation of the child.", json_schema_extra=IDS)
]
ViolationId = Annotated[
    str, IS_ID, Path(description="As returned by its report.", json_schema_extra=IDS)
]
ParentId = Annotated[
    str, IS_SUBJECT, Path(description="The parent's subject.", json_schema_extra=SUBJECTS)
]


def check_ids(ids: Mapping[str, str]) -> None:
    """Raises the problem 422 that names each id which is none."""
    wrong = [name for name, value in ids.items() if not _is_id(value)]
    if wrong:
        problems = [FieldProblem(name, f"must be {ID_LIMIT}", ID_LIMIT) for name in wrong]
        detail = "The path contains an invalid id."
        raise ProblemRaised(Problem(422, "invalid-request", "Invalid request", detail, problems))
