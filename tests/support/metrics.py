"""What a process tells at /metrics."""

import httpx2
from prometheus_client.parser import text_string_to_metric_families


async def sample(url: str, name: str, **labels: str) -> float | None:
    """The value of one sample; None while there is none."""
    async with httpx2.AsyncClient() as http:
        text = (await http.get(f"{url}/metrics")).text
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            if one.name == name and one.labels == labels:
                return one.value
    return None
