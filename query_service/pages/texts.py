"""Which texts the pages have: each language is one object, a missing text an error of types."""

from collections.abc import Mapping
from dataclasses import dataclass

from query_service.pages.texts_of_account import AccountTexts
from query_service.pages.texts_of_analytics import AnalyticsTexts
from query_service.pages.texts_of_console import ConsoleTexts
from query_service.pages.texts_of_processes import ProcessTexts
from query_service.pages.texts_of_requests import RequestsTexts
from query_service.pages.texts_of_safety import SafetyTexts
from query_service.pages.texts_of_sign_in import SignInTexts


@dataclass(frozen=True, slots=True)
class Texts:
    """`{}` stands for a value. Mappings are from what the API says; what is not in one, is shown as
    the API says it."""

    language: str
    title: str
    sign_in: str
    sign_out: str
    access: str
    access_help: str
    not_signed_in: str
    provider: SignInTexts
    dashboard: str
    home: str
    back: str
    alerts: str
    no_alerts: str
    acknowledge: str
    acknowledged: str
    no_children: str
    no_children_help: str
    unreadable: str
    field_unreadable: str
    partly_unreadable: str
    years: str
    age: str
    score: str
    score_of: str
    engagement: str
    open_violations: str
    unread_alerts: str
    last_activity: str
    never: str
    conversations: str
    messages: str
    minutes: str
    goes_on: str
    recent: str
    no_conversations: str
    topic: str
    when: str
    duration: str
    more: str
    first_page: str
    stale: str
    late: str
    lacks_own: str
    offline: str
    as_of: str
    safety: str
    advice: str
    trend: str
    timeline: str
    no_violations: str
    resolved: str
    still_open: str
    activity: str
    activity_help: str
    topics: str
    no_topics: str
    account: str
    completeness: str
    bear: str
    member_since: str
    day: str
    violations: str
    not_saved: str
    outcome_unknown: str
    other_role: str
    safety_desk: SafetyTexts
    console_desk: ConsoleTexts
    requests_desk: RequestsTexts
    refusals: Mapping[str, str]
    errors: Mapping[int, str]
    statuses: Mapping[str, str]
    engagement_levels: Mapping[str, str]
    severities: Mapping[str, str]
    outcomes: Mapping[str, str]
    trends: Mapping[str, str]
    advices: Mapping[str, str]
    purposes: Mapping[str, str]
    months: tuple[str, ...]
    date: str
    analytics_desk: AnalyticsTexts
    account_forms: AccountTexts
    processes: ProcessTexts
