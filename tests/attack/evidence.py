"""History and audit trail in the hands of somebody with the database's password, but no signing
key: whatever is altered is named, and nothing is deleted because of it."""

from datetime import timedelta

from shared.audit.process import AuditProcess
from shared.audit.record import AuditRecord
from shared.audit.settings import AuditSettings
from shared.clock import new_id, utc_now
from tests.attack.proofs import (
    Altered,
    edited_actor,
    edited_event,
    end_cut_off,
    of_another_violation,
    of_json,
    span_left_out,
    view_removed,
)
from tests.attack.row import Broken, Deed, Row
from tests.attack.tampering import (
    LONG_AGO,
    PURGE,
    VERIFY,
    Tampering,
    by_somebody_else,
    clean,
    each,
    edited,
    events_exchanged,
    exchanged,
    first,
    forged,
    of_the_child,
    one_deleted,
    tampered,
    truncated,
    with_field,
    without,
)
from tests.attack.world import World

COMMITS, HEADS = ("write", "commits"), ("audit", "audit_heads")
BESIDE = "edited beside its records"
TAMPERINGS: tuple[Row, ...] = (
    Tampering(
        "records of today made to look old",
        each(since=LONG_AGO, until=LONG_AGO),
        f"{BESIDE}: since, until",
        command=PURGE,
        ci=True,
    ),
    Tampering(
        "records of today made to end long ago",
        each(until=LONG_AGO),
        f"{BESIDE}: until",
        command=PURGE,
    ),
    Tampering("blocks made to look old", each(since=LONG_AGO), f"{BESIDE}: since"),
    Tampering(
        "records hidden from the index",
        each(children=[], subjects=[], operations=[]),
        f"{BESIDE}: children, subjects, operations",
        ci=True,
    ),
    *(
        Tampering(f"`{name}` of a block", first(with_field(name, value)), named)
        for name, value, named in (
            ("first", 77, f"{BESIDE}: first"),
            ("last", 78, f"{BESIDE}: last"),
            ("hash", "0" * 64, "edited: its hash does not match its digests"),
            ("digests", ["0" * 64], "edited: its hash does not match its digests"),
            ("lines", ['{"no": "record"}'], "deleted or edited"),
        )
    ),
    Tampering("a record edited", first(edited), "record 1: edited", ci=True),
    Tampering("a block deleted", without(slice(1, 2)), "deleted"),
    Tampering("two blocks exchanged", exchanged, "does not match its digests"),
    Tampering("all blocks deleted", without(slice(None)), "are missing"),
    Tampering("a head forged", first(forged), "the signature does not match", HEADS, ci=True),
    Tampering("a head deleted", without(slice(0, 1)), "head 1: deleted", HEADS),
    Tampering(
        "all heads deleted, then the purge",
        without(slice(None)),
        "head 1: deleted from the database",
        HEADS,
        PURGE,
    ),
    Tampering(
        "a commit by somebody else",
        of_the_child(by_somebody_else),
        "content differs from hash",
        COMMITS,
        ci=True,
    ),
    Tampering(
        "two commits exchanged",
        of_the_child(events_exchanged),
        "content differs from hash",
        COMMITS,
    ),
    Tampering("a commit deleted", of_the_child(one_deleted), "deleted: versions", COMMITS),
    Tampering("the last commit deleted", of_the_child(truncated), "are missing", COMMITS),
    Tampering("all commits of a child deleted", of_the_child(list.clear), "are missing", COMMITS),
    Tampering(
        "read models made to look old",
        lambda found: [*found, {"_id": "horizon", "activity": "2100-01-01"}],
        "read_model_horizon is later than any setting",
        ("read", "read_model_horizon"),
        PURGE,
    ),
)
FILES: tuple[Row, ...] = (
    Altered("an event of the evidence", "evidence", of_json(edited_event), ": edited", ci=True),
    Altered("who did it, in the evidence", "evidence", of_json(edited_actor), ": edited"),
    Altered("a look, taken out of the evidence", "evidence", of_json(view_removed), "altered"),
    Altered(
        "evidence of another violation",
        "evidence",
        of_json(of_another_violation),
        "no event of the file is about it",
    ),
    Altered("a span left out of an export", "export", span_left_out, "altered"),
    Altered("the end cut off an export", "export", end_cut_off, "its end is missing"),
)


async def _hidden_from_evidence(world: World) -> str:
    """Looks that the index does not name are in the file all the same, and it says so."""
    await clean(world)
    out = world.folder.path / f"{new_id()}.evidence"
    about = ("--child", world.words["child"], "--violation", world.words["violation"])
    hide = each(children=[], subjects=[], operations=[])
    async with tampered(world, ("audit", "audit_blocks"), hide):
        said = await world.teddy("evidence", "export", *about, "--out", str(out))
    verified = await world.teddy("evidence", "verify", str(out))
    reported = f"exit codes {said.code}, {verified.code}"
    if (said.code, verified.code) != (1, 1) or world.words["family"] not in verified.out:
        raise Broken(f"{reported}: {verified.out.strip()[:200]!r}")
    return f"{reported}, the looks are in it"


async def _unsigned_for_long(world: World) -> str:
    """A process that was killed before it signed: its records can be rewritten by anybody."""
    await clean(world)
    named = {f"TEDDY_{name}".upper(): name for name in AuditSettings.model_fields}
    given = world.state.environment.items()
    own = {named[variable]: value for variable, value in given if variable in named}
    settings = AuditSettings.model_validate({**own, "audit_strict": True})
    killed = AuditProcess(settings, "killed")
    record = AuditRecord(
        at=utc_now() - timedelta(minutes=3),
        subject=world.words["stranger"],
        role="parent",
        operation="GetChildProfile",
        outcome="answered",
        address="127.0.0.1",
        correlation_id=new_id(),
        children=(world.words["child"],),
    )
    await killed.trail.record(record)
    await killed.mongo.close()
    said = await world.teddy(*VERIFY)
    for name in ("audit_blocks", "audit_segments"):
        async with world.collection("audit", name) as documents:
            segment = {"$in": [killed.trail.segment]}
            await documents.delete_many({"$or": [{"segment": segment}, {"_id": segment}]})
    if said.code != 1 or "not signed, the oldest since" not in said.out:
        raise Broken(f"exit code {said.code}: {said.out.strip()[-200:]!r}")
    return "exit code 1, named"


DEEDS: tuple[Row, ...] = (
    Deed(
        "records hidden from the evidence",
        "audit_blocks, then `teddy evidence export` and `verify`",
        "exit code 1, the looks are in it",
        _hidden_from_evidence,
    ),
    Deed(
        "records that nobody signed",
        "a process killed 3 minutes ago, `teddy audit verify`",
        "exit code 1, named",
        _unsigned_for_long,
    ),
)
ROWS: tuple[Row, ...] = (*TAMPERINGS, *FILES, *DEEDS)
