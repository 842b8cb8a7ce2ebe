"""What a child's commits hold that only earlier releases stored: looked for in steps."""

from collections.abc import Mapping

from pymongo import ASCENDING

from shared.envelope import BEHIND_OLDER_KEYS, after_all_commits, before_all_commits
from shared.erasures.older_content import BEAR, OLDER_ALIAS, OlderContent
from shared.event_store.driver_errors import within
from shared.mongo import Collection, Document
from shared.upcasters import LABELS_IN_CLEAR, LAST_IN_CLEAR

COMMITS_A_STEP = 20_000
"""Read in some hundredths of a second: no question to the server lasts longer for a longer life."""

_BY_ID = [("_id", ASCENDING)]

_TELLING: Mapping[OlderContent, Document] = {
    OlderContent.PRINTS: {
        "$or": [
            {"idempotency.key": {"$lt": BEHIND_OLDER_KEYS}},
            {"actor.role": BEAR, "actor.subject": {"$regex": OLDER_ALIAS}},
        ]
    },
    OlderContent.LABELS: {
        "events": {
            "$elemMatch": {
                "type": {"$in": list(LABELS_IN_CLEAR)},
                "schema_version": {"$lte": LAST_IN_CLEAR},
            }
        }
    },
}


async def older_content(
    commits: Collection, child_id: str, timeout_seconds: float, step: int = COMMITS_A_STEP
) -> frozenset[OlderContent]:
    """Raises StoreUnavailable when a step takes longer than `timeout_seconds`."""
    found: set[OlderContent] = set()
    after: str | None = before_all_commits(child_id)
    while after is not None and len(found) < len(_TELLING):
        async with within(timeout_seconds):
            until = await _end_of_step(commits, after, child_id, step)
        last = {"$lt": after_all_commits(child_id)} if until is None else {"$lte": until}
        for kind in _TELLING.keys() - found:
            wanted = {"_id": {"$gt": after, **last}, **_TELLING[kind]}
            async with within(timeout_seconds):
                # by that index, whatever else the server would choose
                if await commits.find_one(wanted, {"_id": 1}, hint=_BY_ID) is not None:
                    found.add(kind)
        after = until
    return frozenset(found)


async def _end_of_step(commits: Collection, after: str, child_id: str, step: int) -> str | None:
    """The id of the last commit of a step; None where the stream ends before."""
    following = {"_id": {"$gt": after, "$lt": after_all_commits(child_id)}}
    ids = commits.find(following, {"_id": 1}).sort(_BY_ID).skip(step - 1).limit(1)
    found = await ids.to_list(None)
    return found[0]["_id"] if found else None
