"""Ids in paths: one documented pattern each; whatever else stands there never reaches a handler."""

import re
from collections.abc import Mapping
from typing import Annotated

from fastapi import Path

from shared.http.problems import FieldProblem, Problem, ProblemRaised
from shared.subjects import SUBJECT

ID_PATTERN = "^[A-Za-z0-9-]{1,64}$"
SUBJECT_PATTERN = f"^{SUBJECT}$"
"""A parent's id is what the token issuer calls its subject."""

ChildId = Annotated[str, Path(pattern=ID_PATTERN, description="As the registration answered it.")]
ConversationId = Annotated[str, Path(pattern=ID_PATTERN)]
ViolationId = Annotated[str, Path(pattern=ID_PATTERN)]
ParentId = Annotated[str, Path(pattern=SUBJECT_PATTERN, description="The parent's subject.")]

_ID = re.compile(ID_PATTERN.strip("^$"))


def check_ids(ids: Mapping[str, str]) -> None:
    """Raises the problem 422 that names each id which is none."""
    wrong = [name for name, value in ids.items() if not _ID.fullmatch(value)]
    if wrong:
        limit = "1..64 of A-Z a-z 0-9 -"
        problems = [FieldProblem(name, f"must be {limit}", limit) for name in wrong]
        detail = "The path holds what is no id."
        raise ProblemRaised(Problem(422, "invalid-request", "Invalid request", detail, problems))
