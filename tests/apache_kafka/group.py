"""Who of the projector's consumer group has which partitions, as the brokers tell it."""

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from projection_worker.projections import registry
from projection_worker.settings import WorkerSettings
from shared.kafka import CHILD_EVENTS

GROUP = f"{WorkerSettings.model_fields['worker_group'].default}-p{registry.VERSION}"
ALL_PARTITIONS = CHILD_EVENTS.partitions


async def partitions_by_worker(bootstrap: str) -> dict[str, int]:
    """How many partitions each member has, by its lasting name. Raises KafkaError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([GROUP])
    finally:
        await admin.close()
    ((_, _, _, _, _, members, *_),) = answer.groups
    return {member_id.rpartition("-worker")[0]: _count(told) for member_id, *_, told in members}


def _count(assignment: bytes) -> int:
    if not assignment:  # it has joined, and waits for its share
        return 0
    return len(ConsumerProtocolMemberAssignment.decode(assignment).partitions())
