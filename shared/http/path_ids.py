"""Ids in paths: one documented pattern each; whatever else stands there never reaches a handler."""

import re
from collections.abc import Mapping
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator

from shared.field_wording import refused
from shared.http.problems import FieldProblem, Problem, ProblemRaised
from shared.subjects import SUBJECT

ID_PATTERN = "^[A-Za-z0-9-]{1,64}$"
SUBJECT_PATTERN = f"^{SUBJECT}$"
"""A parent's id is what the token issuer calls its subject."""

ID_LIMIT = "1..64 of A-Z a-z 0-9 -"
SUBJECT_LIMIT = "1..128 visible ASCII characters"


def _of(pattern: str, limit: str) -> AfterValidator:
    of_one = re.compile(pattern.removeprefix("^").removesuffix("$"))

    def check(given: str) -> str:
        if not of_one.fullmatch(given):
            raise refused(f"must be {limit}", limit)
        return given

    return AfterValidator(check)


IS_ID, IS_SUBJECT = _of(ID_PATTERN, ID_LIMIT), _of(SUBJECT_PATTERN, SUBJECT_LIMIT)
IDS, SUBJECTS = {"pattern": ID_PATTERN}, {"pattern": SUBJECT_PATTERN}

ChildId = Annotated[
    str, IS_ID, Path(description="As the registration answered it.", json_schema_extra=IDS)
]
ConversationId = Annotated[
    str, IS_ID, Path(description="Of a conversation of the child.", json_schema_extra=IDS)
]
ViolationId = Annotated[
    str, IS_ID, Path(description="As the report of it was answered.", json_schema_extra=IDS)
]
ParentId = Annotated[
    str, IS_SUBJECT, Path(description="The parent's subject.", json_schema_extra=SUBJECTS)
]

_ID = re.compile(ID_PATTERN.strip("^$"))


def check_ids(ids: Mapping[str, str]) -> None:
    """Raises the problem 422 that names each id which is none."""
    wrong = [name for name, value in ids.items() if not _ID.fullmatch(value)]
    if wrong:
        problems = [FieldProblem(name, f"must be {ID_LIMIT}", ID_LIMIT) for name in wrong]
        detail = "The path holds an invalid id."
        raise ProblemRaised(Problem(422, "invalid-request", "Invalid request", detail, problems))
