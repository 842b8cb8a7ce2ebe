"""What a caller has written, so that its next queries see it."""

from collections import OrderedDict

REMEMBERED_CHILDREN = 10_000


class SeenWrites:
    """The newest consistency token of each child, for the 10,000 children written last. Clients
    that share one see each other's writes: those of one program for several callers, as a parent
    and the bear."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[str, tuple[int, str]] = OrderedDict()

    def remember(self, child_id: str, version: int, token: str) -> None:
        """Answers may come out of order, and a repeated key gets an old one: the newest stays."""
        known = self._tokens.pop(child_id, (0, token))
        self._tokens[child_id] = known if known[0] > version else (version, token)
        if len(self._tokens) > REMEMBERED_CHILDREN:
            self._tokens.popitem(last=False)

    def token(self, child_id: str | None) -> str | None:
        """Of the child that is asked about; of the one written last when it is about many."""
        if child_id is None:
            child_id = next(reversed(self._tokens), "")
        _, token = self._tokens.get(child_id, (0, None))
        return token
