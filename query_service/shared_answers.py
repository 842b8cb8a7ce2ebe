"""The second tier of the query cache: answers that one query process read serve the others.

docs/decisions/036-a-second-tier-of-the-query-cache.md says why each of them is right."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

import query_service
import shared
from query_service.bus import Rendered
from query_service.cache.answer_server import MOST_BYTES, AnswersAway, AnswerServer
from query_service.cache.entries import Key, Tag
from query_service.cache.journal import FeedJournal, Position
from query_service.cache.sealed_answers import AnswerSeal
from query_service.cache.second_tier import Loaded
from shared.clock import iso, parse_iso
from shared.event_store.port import StoreUnavailable
from shared.keyring.keyring import Keyring, SealBroken

MOST_WRITES = 32
"""Under way at a time; what comes meanwhile is not written."""

LEAST_LIFE_SECONDS = 1.0
"""An answer that lives no longer is not worth writing."""


@cache
def digest_of_code() -> bytes:
    """Of the sources that make answers: processes of two releases share none."""
    digest = hashlib.blake2b(digest_size=16)
    for package in (query_service, shared):
        for file in sorted(Path(str(package.__file__)).parent.rglob("*.py")):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.digest()


@dataclass(frozen=True, slots=True)
class Header:
    """What is sealed beside an answer's body: nothing from which one could guess that. `read_at`,
    `ends_at`: seconds since the epoch."""

    position: Position
    tags: list[Tag]
    version: int | None
    read_at: float
    ends_at: float
    children: tuple[str, ...]
    as_of: str | None

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @staticmethod
    def from_json(text: bytes) -> "Header":
        content: dict[str, Any] = orjson.loads(text)
        return Header(
            **content
            | {"position": tuple(content["position"]), "children": tuple(content["children"])}
        )


class SharedAnswers:
    """A SecondTier. The server learns neither who asks nor what, nor sees an answer: an entry's key
    is a keyed digest, its value is sealed (cache/sealed_answers.py)."""

    def __init__(
        self,
        server: AnswerServer,
        journal: FeedJournal,
        keyring: Keyring,
        secret: bytes,
        generation: Callable[[], int | None],
        monotonic: Callable[[], float],
    ) -> None:
        """`secret`: one that all query processes have. `generation`: of the read models, None while
        it is not known. `monotonic`: the cache's clock."""
        self.journal = journal
        self.counts: Counter[tuple[str, str]] = Counter()
        self._server = server
        self._generation = generation
        self._monotonic = monotonic
        self._key = hashlib.blake2b(digest_of_code(), key=secret, person=b"answer's key").digest()
        self._seal = AnswerSeal(hashlib.blake2b(secret, person=b"answer's seal").digest(), keyring)
        self._writes: set[asyncio.Task[None]] = set()

    def forget(self) -> None:
        self.journal.forget()

    async def find(self, key: Key) -> Loaded[Rendered] | None:
        outcome, found = await self._look(self._place_of(key))
        self.counts["lookup", outcome] += 1
        return found

    def keep(
        self,
        key: Key,
        loaded: Loaded[Rendered],
        tags: Collection[Tag],
        life: float,
    ) -> None:
        if life < LEAST_LIFE_SECONDS or len(self._writes) >= MOST_WRITES:
            self.counts["write", "skipped"] += 1
            return
        now, answer = self.journal.now(), loaded.value
        header = Header(
            position=self.journal.position,
            tags=sorted(tags),
            version=loaded.version,
            read_at=now - max(0.0, self._monotonic() - answer.read_at),
            ends_at=now + life,
            children=answer.children,
            as_of=None if answer.as_of is None else iso(answer.as_of),
        )
        # a hash of the body confirms a guess of it: both open with the children's keys only
        body = answer.etag.encode() + b"\n" + answer.body
        write = asyncio.create_task(self._write(self._place_of(key), header, body, life))
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)

    async def _write(self, place: str, header: Header, body: bytes, life: float) -> None:
        try:
            sealed = await self._seal.seal(place, header.to_json(), body, header.children)
            if sealed is None or len(sealed) >= MOST_BYTES:
                self.counts["write", "skipped"] += 1
                return
            await self._server.put(place, sealed, int(life * 1_000))
        except (AnswersAway, StoreUnavailable):
            self.counts["write", "error"] += 1
        else:
            self.counts["write", "written"] += 1

    async def _look(self, place: str) -> tuple[str, Loaded[Rendered] | None]:
        try:
            sealed = await self._server.get(place)
            if sealed is None:
                return "miss", None
            opened = self._seal.open(place, sealed)
        except AnswersAway:
            return "error", None
        except SealBroken:
            return "unreadable", None
        header = Header.from_json(opened.header)
        if not self._is_current(header):
            return "outdated", None
        body = await self._seal.body_of(opened, header.children)
        if body is None:
            return "unreadable", None
        if not self._is_current(header):  # a change came while the keys were read
            return "outdated", None
        return "hit", self._loaded(header, body)

    def _place_of(self, key: Key) -> str:
        """Who asks for what, of which generation: a digest under a key that the server has not."""
        asked = repr((self._generation(), key)).encode()
        return hashlib.blake2b(asked, digest_size=24, key=self._key).hexdigest()

    def _is_current(self, header: Header) -> bool:
        if header.ends_at <= self.journal.now():
            return False
        return self.journal.shows(header.position, header.read_at, header.tags, header.version)

    def _loaded(self, header: Header, opened: bytes) -> Loaded[Rendered]:
        now = self.journal.now()
        etag, _, body = opened.partition(b"\n")
        answer = Rendered(
            body=body,
            etag=etag.decode(),
            version=header.version,
            children=header.children,
            as_of=None if header.as_of is None else parse_iso(header.as_of),
            read_at=self._monotonic() - max(0.0, now - header.read_at),
        )
        life = header.ends_at - now
        return Loaded(answer, frozenset(header.tags), header.version, len(body), life)
