"""Every text of the pages, one object a language: a missing one is an error of types."""

from collections.abc import Mapping
from dataclasses import dataclass

MOST_HEADER_CHARACTERS = 200
"""Of `Accept-Language`; what comes behind is not read."""


@dataclass(frozen=True, slots=True)
class Texts:
    """`{}` stands for a value. Mappings are from what the API says; what is not in one, is shown as
    the API says it."""

    language: str
    title: str
    sign_in: str
    sign_out: str
    token: str
    token_help: str
    not_signed_in: str
    dashboard: str
    back: str
    alerts: str
    no_alerts: str
    acknowledge: str
    acknowledged: str
    no_children: str
    no_children_help: str
    unreadable: str
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
    consents: str
    given: str
    withdrawn: str
    no_consents: str
    completeness: str
    bear: str
    member_since: str
    day: str
    violations: str
    not_saved: str
    for_parents: str
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


ENGLISH = Texts(
    language="en",
    title="Teddy",
    sign_in="Sign in",
    sign_out="Sign out",
    token="Access token",  # noqa: S106 - a label
    token_help="The token that your provider gave you. It is kept until it expires.",  # noqa: S106
    not_signed_in="This token is not valid, or it has expired.",
    dashboard="Your children",
    back="All children",
    alerts="Alerts",
    no_alerts="No alerts. When something needs your attention, it appears here at once.",
    acknowledge="I have seen it",
    acknowledged="Seen",
    no_children="No children yet",
    no_children_help="A child appears here as soon as its bear is registered.",
    unreadable="Name cannot be read",
    years="{} years",
    age="Age",
    score="Safety",
    score_of="{} of 100",
    engagement="Engagement",
    open_violations="Open incidents",
    unread_alerts="New alerts",
    last_activity="Last activity",
    never="never",
    conversations="Conversations",
    messages="Messages",
    minutes="{} min",
    goes_on="now",
    recent="Last conversations",
    no_conversations="No conversations yet.",
    topic="Topic",
    when="When",
    duration="Duration",
    more="More",
    first_page="First page",
    stale="Incomplete since {}. Your provider has been told.",
    late="The latest data cannot be read at the moment. This is what was known before.",
    offline="The connection was lost. Trying again …",
    as_of="Everything until {}.",
    safety="Safety",
    advice="Recommendations",
    trend="Trend",
    timeline="Incidents",
    no_violations="Nothing was reported.",
    resolved="Resolved",
    still_open="Open",
    activity="Activity a day",
    activity_help="Minutes of conversation, the last {} days.",
    topics="Topics",
    no_topics="No topics yet.",
    account="Account",
    consents="Consents",
    given="given {}",
    withdrawn="withdrawn {}",
    no_consents="No consents are on record.",
    completeness="Profile complete",
    bear="Bear",
    member_since="Registered",
    day="Day",
    violations="Incidents",
    not_saved="That could not be saved. Please try again.",
    for_parents="This page is for parents. You are signed in with another role.",
    errors={
        400: "This page cannot be shown.",
        403: "You may not see this.",
        404: "There is nothing here.",
        429: "That was too often. Please wait a moment.",
        500: "Something went wrong here. It has been noted.",
        503: "We cannot show this at the moment. Please try again soon.",
    },
    statuses={
        "excellent": "excellent",
        "good": "good",
        "fair": "fair",
        "needs_attention": "needs attention",
        "active": "active",
        "deactivated": "deactivated",
    },
    engagement_levels={
        "new": "new",
        "learning": "learning",
        "engaged": "engaged",
        "active": "active",
    },
    severities={"low": "low", "medium": "medium", "high": "high", "critical": "critical"},
    outcomes={"confirmed": "confirmed", "false_positive": "was nothing"},
    trends={"improving": "improving", "stable": "stable", "declining": "declining"},
    advices={},
    purposes={
        "account": "Account",
        "conversations": "Conversations",
        "personalization": "Personalization",
    },
    months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    date="{day} {month} {year}",
)

GERMAN = Texts(
    language="de",
    title="Teddy",
    sign_in="Anmelden",
    sign_out="Abmelden",
    token="Zugangstoken",  # noqa: S106 - a label
    token_help="Das Token Ihres Anbieters. Es gilt, bis es abläuft.",  # noqa: S106
    not_signed_in="Dieses Token ist ungültig oder abgelaufen.",
    dashboard="Ihre Kinder",
    back="Alle Kinder",
    alerts="Hinweise",
    no_alerts="Keine Hinweise. Was Ihre Aufmerksamkeit braucht, erscheint hier sofort.",
    acknowledge="Gesehen",
    acknowledged="Gesehen",
    no_children="Noch keine Kinder",
    no_children_help="Ein Kind erscheint hier, sobald sein Bär registriert ist.",
    unreadable="Name nicht lesbar",
    years="{} Jahre",
    age="Alter",
    score="Sicherheit",
    score_of="{} von 100",
    engagement="Beteiligung",
    open_violations="Offene Vorfälle",
    unread_alerts="Neue Hinweise",
    last_activity="Zuletzt aktiv",
    never="nie",
    conversations="Gespräche",
    messages="Nachrichten",
    minutes="{} Min.",
    goes_on="jetzt",
    recent="Letzte Gespräche",
    no_conversations="Noch keine Gespräche.",
    topic="Thema",
    when="Wann",
    duration="Dauer",
    more="Mehr",
    first_page="Erste Seite",
    stale="Unvollständig seit {}. Ihr Anbieter weiß Bescheid.",
    late="Die neuesten Daten sind gerade nicht lesbar. Dies ist der Stand davor.",
    offline="Die Verbindung ist unterbrochen. Neuer Versuch …",
    as_of="Alles bis {}.",
    safety="Sicherheit",
    advice="Empfehlungen",
    trend="Entwicklung",
    timeline="Vorfälle",
    no_violations="Es wurde nichts gemeldet.",
    resolved="Geklärt",
    still_open="Offen",
    activity="Aktivität je Tag",
    activity_help="Minuten im Gespräch, die letzten {} Tage.",
    topics="Themen",
    no_topics="Noch keine Themen.",
    account="Konto",
    consents="Einwilligungen",
    given="erteilt {}",
    withdrawn="widerrufen {}",
    no_consents="Keine Einwilligungen vermerkt.",
    completeness="Profil vollständig",
    bear="Bär",
    member_since="Registriert",
    day="Tag",
    violations="Vorfälle",
    not_saved="Das konnte nicht gespeichert werden. Bitte versuchen Sie es noch einmal.",
    for_parents="Diese Seite ist für Eltern. Sie sind mit einer anderen Rolle angemeldet.",
    errors={
        400: "Diese Seite kann nicht angezeigt werden.",
        403: "Das dürfen Sie nicht sehen.",
        404: "Hier ist nichts.",
        429: "Das war zu oft. Bitte warten Sie einen Moment.",
        500: "Hier ist etwas schiefgegangen. Es wurde vermerkt.",
        503: "Das können wir gerade nicht zeigen. Bitte versuchen Sie es bald noch einmal.",
    },
    statuses={
        "excellent": "ausgezeichnet",
        "good": "gut",
        "fair": "mäßig",
        "needs_attention": "braucht Aufmerksamkeit",
        "active": "aktiv",
        "deactivated": "deaktiviert",
    },
    engagement_levels={
        "new": "neu",
        "learning": "lernt kennen",
        "engaged": "dabei",
        "active": "aktiv",
    },
    severities={"low": "gering", "medium": "mittel", "high": "hoch", "critical": "kritisch"},
    outcomes={"confirmed": "bestätigt", "false_positive": "war nichts"},
    trends={"improving": "wird besser", "stable": "gleichbleibend", "declining": "wird schlechter"},
    advices={
        "review-topics-and-filters": "Sehen Sie die erlaubten Themen und die Filter durch.",
        "enable-immediate-notifications": "Schalten Sie sofortige Hinweise ein: Ein schwerer "
        "Vorfall wurde nicht sofort gemeldet.",
        "repeated-category": "Sehen Sie sich {category} an: Es wurde mehrmals gemeldet.",
        "review-flagged-content": "Sehen Sie sich markierte Inhalte an: Keiner davon wurde als "
        "Vorfall gemeldet.",
        "resolve-open-violations": "Einige gemeldete Vorfälle sind noch nicht geklärt.",
        "all-is-well": "Alles in Ordnung: Es ist nichts zu tun.",
        "picture-is-incomplete": "Dieser Bericht ist unvollständig. Ihr Anbieter weiß Bescheid.",
    },
    purposes={
        "account": "Konto",
        "conversations": "Gespräche",
        "personalization": "Personalisierung",
    },
    months=(
        "Jan.",
        "Feb.",
        "März",
        "Apr.",
        "Mai",
        "Juni",
        "Juli",
        "Aug.",
        "Sep.",
        "Okt.",
        "Nov.",
        "Dez.",
    ),
    date="{day}. {month} {year}",
)

LANGUAGES: Mapping[str, Texts] = {"en": ENGLISH, "de": GERMAN}


def texts_for(accept_language: str) -> Texts:
    """The first language of `Accept-Language` (RFC 9110, by weight) that there is; else English."""
    weighed = [_weighed(part) for part in accept_language[:MOST_HEADER_CHARACTERS].split(",")]
    for _, language in sorted(weighed, key=lambda one: -one[0]):
        if language in LANGUAGES:
            return LANGUAGES[language]
    return ENGLISH


def _weighed(part: str) -> tuple[float, str]:
    language, _, weight = part.partition(";q=")
    try:
        number = float(weight) if weight else 1.0
    except ValueError:
        number = 0.0
    return number, language.strip().partition("-")[0].lower()
