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
    async for child in _by_child(commits):
        child_id = child[0].child_id
        report.count("children")
        report.count("commits", len(child))
        _check_chain(child, report)
        _check_anchor(child, anchors.take(child_id), report)
    for child_id, anchor in anchors.left():
        what = f"deleted: all commits up to version {anchor.version} are gone"
        report.found(f"child {child_id}", what)


def _check_chain(child: list[Commit], report: Report) -> None:
    """Names every break, not only the first: each commit is checked after the one before it."""
    position = StreamPosition()
    for commit in child:
        try:
            verify_chain([commit], position)
        except ChainBroken as broken:
            missing = commit.first_version - position.version - 1
            if missing > 0:
                gone = f"deleted: versions {position.version + 1} to {commit.first_version - 1}"
                report.found(f"child {commit.child_id}", gone)
            else:
                report.found(f"child {commit.child_id}, version {broken.version}", broken.reason)
        position = commit.position


def _check_anchor(child: list[Commit], anchor: StreamPosition | None, report: Report) -> None:
    end = child[-1].position
    if anchor is None:
        report.count("children whose commits no audit record names")
        return
    where = f"child {child[0].child_id}"
    if end.version < anchor.version:
        what = f"truncated: versions {end.version + 1} to {anchor.version} are gone"
        report.found(where, what)
        return
    held = {commit.last_version: commit.hash for commit in child}
    if held.get(anchor.version) != anchor.hash:
        what = f"rewritten: version {anchor.version} is not the commit that was recorded"
        report.found(where, what)


async def _by_child(commits: Commits) -> AsyncIterator[list[Commit]]:
    child: list[Commit] = []
    async for commit in commits.scan():
        if child and child[0].child_id != commit.child_id:
            yield child
            child = []
        child.append(commit)
    if child:
        yield child
