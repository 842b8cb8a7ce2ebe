"""Records of a bear. Its device id is in none of them, so they are found by its child."""

from dataclasses import dataclass

from shared.audit.record import Record
from shared.auth.principal import Role
from shared.mongo import Document


@dataclass(frozen=True, slots=True)
class Bear:
    """`child_id`: of the child that has the bear now; None: none has. `older_alias`: under which
    earlier releases recorded it, whichever child it had then."""

    child_id: str | None
    older_alias: str

    def is_of(self, record: Record) -> bool:
        """Whether this bear, or an earlier one of its child, asked."""
        is_bear = record["role"] == Role.DEVICE.value
        return record["subject"] == self.older_alias or (
            is_bear and self.child_id is not None and self.child_id in record["children"]
        )

    def blocks(self) -> Document:
        """Those that may hold a record of it, as their index says."""
        of_child = [] if self.child_id is None else [{"children": self.child_id}]
        return {"$or": [{"subjects": self.older_alias}, *of_child]}
