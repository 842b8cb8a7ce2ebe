"""Reports of processes in memory, as a test says they are."""

from query_service.read_store.process_reports import KnownReports


class MemoryProcessReports:
    def __init__(self) -> None:
        self.now = KnownReports()

    async def known(self) -> KnownReports:
        return self.now
