"""The bus as the query API runs it: every query with its handler."""

from dataclasses import dataclass

from query_service.cache.outage import ReadStoreOutage
from query_service.cache.query_cache import QueryCache
from query_service.metrics import QueryMetrics
from query_service.queries.cursors import Cursors
from query_service.queries.export_child import ExportChild, ExportChildHandler, Exporter
from query_service.queries.export_cursor import ExportCursors
from query_service.queries.get_alerts import GetAlerts, GetAlertsHandler
from query_service.queries.get_child_analytics import GetChildAnalytics, GetChildAnalyticsHandler
from query_service.queries.get_child_conversations import (
    GetChildConversations,
    GetChildConversationsHandler,
)
from query_service.queries.get_child_profile import GetChildProfile, GetChildProfileHandler
from query_service.queries.get_child_safety_report import (
    GetChildSafetyReport,
    GetChildSafetyReportHandler,
)
from query_service.queries.get_children_by_parent import (
    GetChildrenByParent,
    GetChildrenByParentHandler,
)
from query_service.queries.get_erasure_receipt import (
    GetErasureReceipt,
    GetErasureReceiptHandler,
)
from query_service.queries.get_system_analytics import GetSystemAnalytics, GetSystemAnalyticsHandler
from query_service.queries.search_children import SearchChildren, SearchChildrenHandler
from query_service.queries.visible_children import VisibleChildren
from query_service.query_bus import QueryBus, Rendered
from query_service.read_store.port import ReadModelDatabase
from query_service.read_store.whole_child import WholeChild
from shared.clock import Clock
from shared.event_store.port import EventStore
from shared.keyring.erased_list import ErasedList
from shared.keyring.key_file import KeyFile
from shared.keyring.keyring import Keyring
from shared.keyring.search_index import SearchIndex
from shared.proofs.statements import StatementSigner
from shared.settings import QuerySettings


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


def default_bus(
    settings: QuerySettings,
    ports: Ports,
    cache: QueryCache[Rendered],
    metrics: QueryMetrics,
    outage: ReadStoreOutage,
) -> QueryBus:
    children = VisibleChildren(ports.store, ports.keyring)
    bus = QueryBus(cache, metrics, as_of=ports.store.projected_through, is_stale=outage.is_stale)
    _register_of_a_child(bus, ports, children, settings)
    _register_lists(bus, ports, children, settings)
    _register_uncached(bus, ports, children)
    return bus


def _register_of_a_child(
    bus: QueryBus, ports: Ports, children: VisibleChildren, settings: QuerySettings
) -> None:
    store, signature_key = ports.store, ports.keys.signature_key
    bus.register_cached(
        GetChildProfile, GetChildProfileHandler(children, settings.ttl_child_profile_seconds)
    )
    violations = Cursors(signature_key, "violations")
    bus.register_cached(
        GetChildSafetyReport,
        GetChildSafetyReportHandler(
            store, children, violations, settings.ttl_safety_report_seconds
        ),
    )
    conversations = Cursors(signature_key, "conversations")
    bus.register_cached(
        GetChildConversations,
        GetChildConversationsHandler(
            store,
            children,
            conversations,
            ports.clock,
            settings.ttl_child_conversations_seconds,
        ),
    )
    bus.register_cached(
        GetChildAnalytics,
        GetChildAnalyticsHandler(
            store, children, ports.clock, settings.ttl_child_analytics_seconds
        ),
    )


def _register_lists(
    bus: QueryBus, ports: Ports, children: VisibleChildren, settings: QuerySettings
) -> None:
    """Of several children, and numbers of all."""
    bus.register_cached(
        GetChildrenByParent,
        GetChildrenByParentHandler(
            ports.store, children, ports.clock, settings.ttl_children_by_parent_seconds
        ),
    )
    bus.register_cached(
        SearchChildren,
        SearchChildrenHandler(
            ports.store,
            children,
            SearchIndex(ports.keys.index_key),
            Cursors(ports.keys.signature_key, "children"),
            settings.ttl_search_seconds,
        ),
    )
    bus.register_cached(
        GetSystemAnalytics,
        GetSystemAnalyticsHandler(ports.store, settings.ttl_system_analytics_seconds),
    )


def _register_uncached(bus: QueryBus, ports: Ports, children: VisibleChildren) -> None:
    """Alerts, and what a family may take with it."""
    cursors = Cursors(ports.keys.signature_key, "alerts")
    bus.register(GetAlerts, GetAlertsHandler(ports.store, cursors))
    receipts = GetErasureReceiptHandler(ports.store, ports.erased, ports.proofs, ports.clock)
    bus.register(GetErasureReceipt, receipts)
    exports = ExportChildHandler(children, ports.events, ports.clock)
    bus.register(ExportChild, exports)


def exporter_of(ports: Ports) -> Exporter:
    """Writes what an ExportChild begins."""
    cursors = ExportCursors(ports.keys.signature_key)
    return Exporter(ports.whole, ports.events, ports.keyring, cursors)
