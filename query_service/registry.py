"""Every query with its handler, on the bus."""

from dataclasses import dataclass
from datetime import timedelta

from query_service.bus import QueryBus, ReadStoreOutage, Rendered
from query_service.cache.query_cache import QueryCache
from query_service.metrics import QueryMetrics
from query_service.protection import Protection
from query_service.queries.consent_reads import ConsentReads
from query_service.queries.cursors import Cursors
from query_service.queries.export_child import ExportChild, ExportChildHandler
from query_service.queries.get_alert_policy import GetAlertPolicy, GetAlertPolicyHandler
from query_service.queries.get_alerts import GetAlerts, GetAlertsHandler
from query_service.queries.get_child_analytics import GetChildAnalytics, GetChildAnalyticsHandler
from query_service.queries.get_child_audit_records import (
    GetChildAuditRecords,
    GetChildAuditRecordsHandler,
)
from query_service.queries.get_child_consents import GetChildConsents, GetChildConsentsHandler
from query_service.queries.get_child_conversations import (
    GetChildConversations,
    GetChildConversationsHandler,
)
from query_service.queries.get_child_profile import GetChildProfile, GetChildProfileHandler
from query_service.queries.get_child_safety_report import (
    GetChildSafetyReport,
    GetChildSafetyReportHandler,
)
from query_service.queries.get_child_series import GetChildSeries, GetChildSeriesHandler
from query_service.queries.get_children_by_parent import (
    GetChildrenByParent,
    GetChildrenByParentHandler,
)
from query_service.queries.get_erasure_receipt import GetErasureReceipt, GetErasureReceiptHandler
from query_service.queries.get_operations import GetOperations, GetOperationsHandler
from query_service.queries.get_safety_violations import (
    GetSafetyViolations,
    GetSafetyViolationsHandler,
)
from query_service.queries.get_system_analytics import GetSystemAnalytics, GetSystemAnalyticsHandler
from query_service.queries.get_system_processes import (
    GetSystemProcesses,
    GetSystemProcessesHandler,
)
from query_service.queries.get_system_protection import (
    GetSystemProtection,
    GetSystemProtectionHandler,
)
from query_service.queries.get_system_series import GetSystemSeries, GetSystemSeriesHandler
from query_service.queries.get_system_status import GetSystemStatus, GetSystemStatusHandler
from query_service.queries.search_children import SearchChildren, SearchChildrenHandler
from query_service.queries.visible_children import VisibleChildren
from query_service.read_store.port import ReadModelDatabase
from query_service.read_store.process_reports import ProcessReports
from query_service.read_store.recent_figures import RecentFigures
from query_service.read_store.whole_child import WholeChild
from query_service.settings import QuerySettings
from query_service.sql.daily import DailySeries
from query_service.sql.snapshots import MakeSnapshot
from shared.audit.port import ReadableTrail
from shared.audit.record import AuditTrail
from shared.audit.signed_trail import OpenSignedTrail
from shared.clock import Clock
from shared.event_store.port import EventStore
from shared.keyring.erased_list import ErasedList
from shared.keyring.key_file import KeyFile
from shared.keyring.keyring import Keyring
from shared.keyring.search_index import SearchIndex
from shared.process_reports.documents import ProcessKind
from shared.process_reports.reporter import process_name
from shared.signing import StatementSigner

UNSIGNED_INTERVALS = 5
"""Between two signed heads, for which records may be unsigned."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What the queries need from outside."""

    store: ReadModelDatabase
    whole: WholeChild
    events: EventStore
    keyring: Keyring
    keys: KeyFile
    erased: ErasedList
    proofs: StatementSigner
    clock: Clock
    sql_snapshot: MakeSnapshot
    trail: ReadableTrail
    signed_trail: OpenSignedTrail
    record: AuditTrail
    reports: ProcessReports
    protection: Protection


def query_bus(
    settings: QuerySettings,
    ports: Ports,
    cache: QueryCache[Rendered],
    metrics: QueryMetrics,
    outage: ReadStoreOutage,
    daily: DailySeries,
    figures: RecentFigures,
) -> QueryBus:
    bus = QueryBus(cache, metrics, as_of=ports.store.projected_through, outage=outage)
    children = VisibleChildren(ports.store, ports.keyring)
    _register_cached(bus, ports, children, settings)
    _register_uncached(bus, ports, children)
    _register_of_the_system(bus, ports, settings, daily, figures)
    return bus


def _register_cached(
    bus: QueryBus, ports: Ports, children: VisibleChildren, settings: QuerySettings
) -> None:
    store, clock = ports.store, ports.clock

    def cursors(of_list: str) -> Cursors:
        return Cursors(ports.keys.signature_key, of_list)

    profile = GetChildProfileHandler(children, settings.ttl_child_profile_seconds)
    report = GetChildSafetyReportHandler(
        store, children, cursors("violations"), settings.ttl_safety_report_seconds
    )
    policy = GetAlertPolicyHandler(store, children, settings.ttl_alert_policy_seconds)
    conversations = GetChildConversationsHandler(
        store, children, cursors("conversations"), clock, settings.ttl_child_conversations_seconds
    )
    analytics = GetChildAnalyticsHandler(
        store, children, clock, settings.ttl_child_analytics_seconds
    )
    series = GetChildSeriesHandler(store, children, clock, settings.ttl_child_series_seconds)
    family = GetChildrenByParentHandler(
        store, children, cursors("family"), clock, settings.ttl_children_by_parent_seconds
    )
    index = SearchIndex(ports.keys.index_key)
    search = SearchChildrenHandler(
        store, children, index, cursors("children"), settings.ttl_search_seconds
    )
    bus.register_cached(GetChildProfile, profile)
    bus.register_cached(GetChildSafetyReport, report)
    bus.register_cached(GetAlertPolicy, policy)
    bus.register_cached(GetChildConversations, conversations)
    bus.register_cached(GetChildAnalytics, analytics)
    bus.register_cached(GetChildSeries, series)
    bus.register_cached(GetChildrenByParent, family)
    bus.register_cached(SearchChildren, search)


def _register_of_the_system(
    bus: QueryBus,
    ports: Ports,
    settings: QuerySettings,
    daily: DailySeries,
    figures: RecentFigures,
) -> None:
    """What keeps itself what its answers are made from."""
    bus.register(GetSystemSeries, GetSystemSeriesHandler(daily, ports.clock))
    analytics = GetSystemAnalyticsHandler(
        ports.store, figures, ports.clock, settings.ttl_system_analytics_seconds
    )
    bus.register_cached(GetSystemAnalytics, analytics)
    processes = GetSystemProcessesHandler(
        ports.reports,
        ports.clock,
        process_name(ProcessKind.QUERY, settings.query_port),
        ports.clock(),
    )
    bus.register(GetSystemProcesses, processes)
    unsigned = UNSIGNED_INTERVALS * timedelta(seconds=settings.audit_head_seconds)
    protection = GetSystemProtectionHandler(ports.protection, ports.clock, unsigned)
    bus.register_apart(GetSystemProtection, protection)


def _register_uncached(bus: QueryBus, ports: Ports, children: VisibleChildren) -> None:
    """Alerts, the queue of violations, who looked at a child, a child's consents, the system's
    state, and what a family may take with it."""
    store, clock = ports.store, ports.clock
    alerts = Cursors(ports.keys.signature_key, "alerts")
    bus.register(GetAlerts, GetAlertsHandler(store, alerts))
    queue = Cursors(ports.keys.signature_key, "violation queue")
    bus.register(GetSafetyViolations, GetSafetyViolationsHandler(store, children, queue))
    looks = Cursors(ports.keys.signature_key, "audit records")
    bus.register(GetChildAuditRecords, GetChildAuditRecordsHandler(ports.trail, looks))
    consents = Cursors(ports.keys.signature_key, "consents")
    reads = ConsentReads(ports.events, clock)
    bus.register(GetChildConsents, GetChildConsentsHandler(reads, children, consents))
    receipts = GetErasureReceiptHandler(store, ports.erased, ports.proofs, clock)
    bus.register(GetErasureReceipt, receipts)
    bus.register(GetSystemStatus, GetSystemStatusHandler(store, ports.reports, clock))
    bus.register(GetOperations, GetOperationsHandler(store))
    bus.register(ExportChild, ExportChildHandler(children, ports.events, clock))
