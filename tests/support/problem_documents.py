"""What every refusal over HTTP looks like, and how two of them look to a stranger."""

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


OF_THE_REQUEST = ("instance", "correlation_id")


def same_refusal(one: httpx2.Response, another: httpx2.Response) -> bool:
    """Alike but for what the request itself said, its path and its correlation id, and when it was
    answered."""
    return _seen(one) == _seen(another)


def _seen(response: httpx2.Response) -> tuple[Any, ...]:
    problem = response.json()
    for name in OF_THE_REQUEST:
        del problem[name]
    headers = {
        name: value
        for name, value in response.headers.items()
        if name not in ("correlation-id", "content-length", "ratelimit", "date")
    }
    return response.status_code, problem, headers
