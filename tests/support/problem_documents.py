"""What every refusal over HTTP looks like."""

from typing import Any

import httpx2


def assert_problem(
    response: httpx2.Response,
    status: int,
    code: str,
    field: str | None = None,
    limit: str | None = None,
) -> dict[str, Any]:
    """`limit`: a part of what the named field's limit says."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["code"] == code
    assert problem["type"] == f"urn:teddy:problem:{code}"
    assert problem["status"] == status
    assert problem["instance"] == response.request.url.path
    assert problem["correlation_id"] == response.headers["Correlation-Id"]
    assert problem["title"]
    assert problem["detail"]
    if field is not None:
        named = {error["field"]: error for error in problem["errors"]}
        assert field in named, problem
        assert named[field]["message"]
        if limit is not None:
            assert limit in named[field]["limit"]
    return problem
