"""Query processes that share answers: each has its own cache and receives notices at its own pace;
the store, the keys and the server of the answers are the same."""

import asyncio
import os
from dataclasses import dataclass, field

from aiokafka import TopicPartition

from query_service.bus import Rendered
from query_service.cache.answer_server import AnswerServer
from query_service.cache.entries import child_tag, parent_tag
from query_service.cache.feeds import ChangeFeed
from query_service.cache.freshness import Invalidation, ProjectedVersions
from query_service.cache.journal import DOUBT_SECONDS, FeedJournal
from query_service.cache.query_cache import QueryCache
from query_service.cache.second_tier import Loaded
from query_service.shared_answers import SharedAnswers
from shared.kafka import READ_MODEL_CHANGES
from shared.keyring.key_file import FileKeyProvider, KeyFile
from shared.keyring.keyring import Keyring
from shared.read_models.notices import ChangeNotice
from tests.fakes.answers import MemoryAnswers
from tests.fakes.keys import MemoryKeyStore

PARENT = "weiss"
CHILDREN = ("lena", "mia")
PARTITION = {child: number for number, child in enumerate(CHILDREN)}
TTL = 1_000.0


@dataclass
class Record:
    offset: int
    value: bytes


@dataclass
class Servers:
    """`versions`: of the children in the store; `topic`: by partition, what was published."""

    answers: AnswerServer = field(default_factory=MemoryAnswers)
    keys: KeyFile = field(
        default_factory=lambda: KeyFile("k", {"k": os.urandom(32)}, os.urandom(32), os.urandom(32))
    )
    key_store: MemoryKeyStore = field(default_factory=MemoryKeyStore)
    versions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHILDREN, 1))
    topic: list[list[ChangeNotice]] = field(default_factory=lambda: [[] for _ in CHILDREN])
    now: float = 1_000_000.0
    generation: int = 1

    def change(self, child: str) -> None:
        """In the store; nobody is notified yet."""
        self.versions[child] += 1

    def publish(self, child: str, *, marked: bool = False) -> None:
        notice = ChangeNotice(child, PARENT, self.versions[child], marked)
        self.topic[PARTITION[child]].append(notice)

    async def started(self, boot: float = 7.0) -> "QueryProcess":
        """A process that follows the feed for long enough. `boot`: when its machine was started."""
        process = QueryProcess(self, boot)
        process.connect()
        self.now += DOUBT_SECONDS
        for child in CHILDREN:
            await process.keyring.create(child)
        return process


class QueryProcess:
    def __init__(self, servers: Servers, boot: float = 7.0) -> None:
        self.servers = servers
        self.keyring = Keyring(FileKeyProvider(servers.keys), servers.key_store)
        self.cache: QueryCache[Rendered] = QueryCache(100, lambda: servers.now - boot)
        self.journal = FeedJournal(lambda: servers.now)
        self.second = SharedAnswers(
            servers.answers,
            self.journal,
            self.keyring,
            servers.keys.index_key,
            lambda: servers.generation,
            self.cache.now,
        )
        self.cache.second = self.second
        versions = ProjectedVersions(self._version, self.cache.now)
        self.invalidation = Invalidation(self.cache, versions, self.keyring)
        self.loads = 0
        self.gates: list[asyncio.Event] = []
        """One for each load under way that waits behind its read; empty: none waits."""
        self.waits = False

    async def _version(self, child: str) -> int:
        return self.servers.versions[child]

    def connect(self) -> None:
        self.received = [len(partition) for partition in self.servers.topic]
        self.journal.begin(dict(enumerate(self.received)))
        self.invalidation.connection_changed(True)

    def receive(self, child: str) -> bool:
        """The next notice of the child's partition; False: there is none."""
        partition = PARTITION[child]
        at = self.received[partition]
        if at == len(self.servers.topic[partition]):
            return False
        notice = self.servers.topic[partition][at]
        self.received[partition] += 1
        self.journal.passed(partition, at, notice)
        self.invalidation.received(notice)
        return True

    def receive_record(self, value: bytes) -> None:
        """Of the first partition of the topic of changes, as the feed hands it out."""
        feed = ChangeFeed("", [self.invalidation], self.journal)
        feed.connected = True
        partition = TopicPartition(READ_MODEL_CHANGES.name, 0)
        feed._hand_out({partition: [Record(self.journal.position[0], value)]})

    def receive_all(self) -> None:
        for child in CHILDREN:
            while self.receive(child):
                pass

    async def profile(
        self, child: str = "lena", who: str = PARENT, read_after: float | None = None
    ) -> tuple[int, bool]:
        """The version that is shown, and whether it was cached."""

        async def load() -> Loaded[Rendered]:
            return await self._read((child,), self.servers.versions[child])

        tags = frozenset({child_tag(child)})
        answer, hit = await self.cache.get_or_load((who, child), TTL, tags, load, read_after)
        return int(answer.body), hit

    async def family(self) -> tuple[str, bool]:
        """The versions of all children, and whether they were cached."""
        tags = frozenset({parent_tag(PARENT)})
        answer, hit = await self.cache.get_or_load(PARENT, TTL, tags, self._family)
        return answer.body.decode(), hit

    async def _family(self) -> Loaded[Rendered]:
        return await self._read(CHILDREN, None)

    async def _read(self, children: tuple[str, ...], version: int | None) -> Loaded[Rendered]:
        self.loads += 1
        read_at = self.cache.now()
        body = "/".join(str(self.servers.versions[child]) for child in children).encode()
        if self.waits:
            gate = asyncio.Event()
            self.gates.append(gate)
            await gate.wait()
        shown = frozenset(map(child_tag, children))
        answer = Rendered(body, f'"{body!r}"', version, children, read_at=read_at)
        return Loaded(answer, shown, version, len(body))

    async def written(self) -> None:
        """What is to be shared is."""
        while self.second._writes:
            await asyncio.gather(*self.second._writes)
