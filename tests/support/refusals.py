"""Two refusals, as a stranger sees them."""

from typing import Any

import httpx2

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
