"""Whose records `audit show --device` asks for."""

import click

from shared.audit.bears import Bear
from shared.auth.aliases import older_alias
from shared.event_store.port import ClaimStore
from shared.keyring.search_index import SearchIndex
from shared.subjects import in_one_case


async def bear_of(claims: ClaimStore, index_key: bytes, device_id: str) -> Bear:
    """By its reservation; on stderr how it was found. Raises StoreUnavailable."""
    held = await claims.find(SearchIndex(index_key).device_key(in_one_case(device_id)))
    if held is None or held.released:
        found, child_id = "no child has this bear now; shown is what earlier releases named", None
    else:
        found, child_id = f"it is the bear of child {held.child_id}", held.child_id
    click.echo(f"teddy: {found}", err=True)
    return Bear(child_id, older_alias(index_key, device_id))
