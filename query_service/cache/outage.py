"""What of the cache may be shown while the read store is away.

Until it went away every change dropped the answers that it made wrong. Since then no change is
projected and none is heard of, so what is kept may be wrong by as much as the outage is long:
docs/decisions/024-what-is-shown-while-the-read-store-is-away.md.
"""

from collections.abc import Callable, Sequence
from typing import Any

from query_service.cache.query_cache import QueryCache
from query_service.cache.tags import child_tag
from query_service.read_store.port import ReadStoreUnavailable
from query_service.scope import Scope
from shared.auth.access import Relation
from shared.keyring.keyring import Keyring


class ReadStoreOutage:
    """`away_seconds`: how long the read store has been away, None while it answers."""

    def __init__(
        self,
        away_seconds: Callable[[], float | None],
        cache: QueryCache[Any],
        keyring: Keyring,
        longest_seconds: float,
    ) -> None:
        self._away_seconds = away_seconds
        self._cache = cache
        self._keyring = keyring
        self._longest_seconds = longest_seconds

    def is_bearable(self) -> bool:
        """Whether kept answers may be shown, if the read store is away."""
        return self._cache.keeping and self._lasts() <= self._longest_seconds

    async def is_stale(self, children: Sequence[str], scope: Scope) -> bool:
        """Whether an answer from the cache, with data of these children, comes from before an
        outage that lasts. Raises ReadStoreUnavailable when it is not to be shown any more, or
        KeyStoreUnavailable when nobody knows."""
        if self._away_seconds() is None:
            return False
        if not self.is_bearable():
            raise ReadStoreUnavailable("away for too long, or without the change feed")
        if scope.relation is Relation.OWN_BEAR:
            raise ReadStoreUnavailable("whose bear it is may have changed")
        await self._require_keys(children)
        return True

    def _lasts(self) -> float:
        return self._away_seconds() or 0.0

    async def _require_keys(self, children: Sequence[str]) -> None:
        """Nothing may be heard of an erasure, but the key of an erased child is gone at once."""
        if not children:
            return
        erased = set(children) - await self._keyring.still_there(children)
        if erased:
            self._cache.invalidate([child_tag(child_id) for child_id in erased])
            raise ReadStoreUnavailable("the answer shows an erased child")
