"""A worker with this folder on its path has a defect: it fails at every record."""

from projection_worker import records
from projection_worker.records import Delivered, RawRecord


def _defective(raw: RawRecord) -> Delivered:
    raise ZeroDivisionError(raw.identity)


records.deliver = _defective
