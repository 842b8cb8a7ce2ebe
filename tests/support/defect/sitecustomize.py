"""A worker with this folder on its path has a defect: it fails at every record."""

from projection_worker import delivery
from projection_worker.delivery import Delivered, RawRecord


def _defective(raw: RawRecord) -> Delivered:
    raise ZeroDivisionError(raw.identity)


delivery.deliver = _defective
