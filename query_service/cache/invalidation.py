"""What a change notice does to this process: answers are dropped, who waits is woken."""

import math
from collections.abc import Iterable
from typing import Any

from query_service.cache.gates import Gates
from query_service.cache.query_cache import QueryCache
from query_service.cache.tags import EVERYTHING, child_tag, parent_tag
from shared.keyring.keyring import Keyring
from shared.read_models.notices import AlertNotice, ChangeNotice


class Invalidation:
    """Listens to the change feed. While the feed is down no notice comes: answers live a few
    seconds, and keys are asked for each time, because a child may be erased meanwhile."""

    def __init__(self, cache: QueryCache[Any], gates: Gates, keyring: Keyring) -> None:
        self._cache = cache
        self._gates = gates
        self._keyring = keyring
        keyring.keep(False)  # nothing is heard yet

    def connection_changed(self, connected: bool) -> None:
        self._keyring.keep(connected)
        if connected:
            self._cache.resume()
        else:
            self._cache.suspend()

    def received(self, notice: ChangeNotice | AlertNotice) -> None:
        if isinstance(notice, AlertNotice):
            return  # comes with the change notice of its event; alerts are not cached
        # the change may be an erasure, and another process destroyed the key
        self._keyring.forget(notice.child_id)
        self._gates.reached(notice.child_id, notice.version)
        tags = (child_tag(notice.child_id), parent_tag(notice.parent_id), EVERYTHING)
        self._cache.invalidate(tags, reached=math.inf if notice.marked else notice.version)

    def erased(self, child_ids: Iterable[str]) -> None:
        """No answer shows these children any more, whatever a store still has of them."""
        known = list(child_ids)
        self._keyring.refuse(known)
        if known:
            self._cache.invalidate([child_tag(child_id) for child_id in known])
