"""Every child's commit chain, and whether it still holds what the audit trail saw of it."""

from collections.abc import AsyncIterator
from typing import Protocol

from shared.audit.findings import Report
from shared.envelope import Commit, StreamPosition
from shared.hash_chain import ChainBroken, verify_chain


class Commits(Protocol):
    def scan(self, after_child: str | None = None) -> AsyncIterator[Commit]: ...


class Anchors:
    """Where each child's stream ended at its newest accepted command. The hash covers all before,
    so the newest is enough: about 250 bytes of memory a child."""

    def __init__(self) -> None:
        self._by_child: dict[str, StreamPosition] = {}
        self._contradicted: set[tuple[str, int]] = set()

    def add(self, child_id: str, version: int, commit_hash: str) -> None:
        known = self._by_child.get(child_id)
        if known is None or known.version < version:
            self._by_child[child_id] = StreamPosition(version, commit_hash)
        elif known.version == version and known.hash != commit_hash:
            self._contradicted.add((child_id, version))

    def contradicted(self) -> list[tuple[str, int]]:
        """Child and version of which the trail tells two commits: one record was forged."""
        return sorted(self._contradicted)

    def take(self, child_id: str) -> StreamPosition | None:
        return self._by_child.pop(child_id, None)

    def left(self) -> list[tuple[str, StreamPosition]]:
        return sorted(self._by_child.items())


async def check_commits(commits: Commits, anchors: Anchors, report: Report) -> None:
    for child_id, version in anchors.contradicted():
        what = "two audit records tell of different commits"
        report.found(f"child {child_id}, version {version}", what)
    child: _Child | None = None
    async for commit in commits.scan():
        if child is None or child.child_id != commit.child_id:
            if child is not None:
                child.end(report)
            child = _Child(commit.child_id, anchors.take(commit.child_id))
            report.count("children")
        child.take(commit, report)
    if child is not None:
        child.end(report)
    for child_id, anchor in anchors.left():
        what = f"deleted: all commits up to version {anchor.version} are gone"
        report.found(f"child {child_id}", what)


class _Child:
    """One child's commits, of which only the newest is in memory. Names every break, not only the
    first: each commit is checked after the one before it."""

    def __init__(self, child_id: str, anchor: StreamPosition | None) -> None:
        self.child_id = child_id
        self._anchor = anchor
        self._position = StreamPosition()
        self._has_the_anchored = False

    def take(self, commit: Commit, report: Report) -> None:
        report.count("commits")
        try:
            verify_chain([commit], self._position)
        except ChainBroken as broken:
            missing = commit.first_version - self._position.version - 1
            if missing > 0:
                gone = f"deleted: versions {self._position.version + 1} to "
                report.found(f"child {self.child_id}", f"{gone}{commit.first_version - 1}")
            else:
                report.found(f"child {self.child_id}, version {broken.version}", broken.reason)
        self._position = commit.position
        self._has_the_anchored = self._has_the_anchored or commit.position == self._anchor

    def end(self, report: Report) -> None:
        if self._anchor is None:
            report.count("children whose commits no audit record names")
            return
        where, version = f"child {self.child_id}", self._anchor.version
        if self._position.version < version:
            what = f"truncated: versions {self._position.version + 1} to {version} are gone"
            report.found(where, what)
        elif not self._has_the_anchored:
            what = f"rewritten: version {version} is not the commit that was recorded"
            report.found(where, what)
