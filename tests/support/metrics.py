"""What a process tells at /metrics."""

import httpx2
from prometheus_client.parser import text_string_to_metric_families

OPERATOR = "127.0.0.3"
"""Where it is asked from: an address of the loopback network that no caller of a test has."""


async def sample(url: str, name: str, **labels: str) -> float | None:
    """The value of one sample; None while there is none."""
    apart = httpx2.AsyncHTTPTransport(local_address=OPERATOR)
    async with httpx2.AsyncClient(transport=apart) as http:
        text = (await http.get(f"{url}/metrics")).text
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            if one.name == name and one.labels == labels:
                return one.value
    return None
