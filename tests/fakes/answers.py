"""The server of the query cache's second tier, in memory."""

from query_service.cache.answer_server import MOST_BYTES, AnswersAway


class MemoryAnswers:
    """`away`: it does not answer. Nothing ends by itself: who reads it knows when."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.away = False
        self.asked = 0

    async def get(self, key: str) -> bytes | None:
        self._ask()
        return self.values.get(key, b"")[:MOST_BYTES] or None

    async def put(self, key: str, value: bytes, milliseconds: int) -> None:
        assert milliseconds > 0
        self._ask()
        self.values[key] = value

    def _ask(self) -> None:
        self.asked += 1
        if self.away:
            raise AnswersAway
