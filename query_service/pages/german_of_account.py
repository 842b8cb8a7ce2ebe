"""The texts of a child's account in German."""

from query_service.pages.texts_of_account import AccountTexts
from query_service.pages.texts_of_consents import CONSENTS_IN_GERMAN
from query_service.pages.texts_of_erasures import ERASURES_IN_GERMAN

ACCOUNT_IN_GERMAN = AccountTexts(
    edit="Profil ändern",
    name="Name",
    age="Alter",
    learning_style="Wie das Kind am besten lernt",
    interests="Interessen",
    interests_help="Je Zeile eines.",
    preferences="Vorlieben",
    preferences_help="Je Zeile eine, zum Beispiel: Gutenachtgeschichten: true",
    removed_if_empty="Was Sie leer lassen, wird entfernt.",
    save="Speichern",
    alert_policy="Wann Sie benachrichtigt werden",
    is_default="Das sind die üblichen Einstellungen.",
    threshold="Sofort ab diesem Schweregrad",
    count="Auch nach so vielen leichteren Vorfällen",
    window_hours="Innerhalb so vieler Stunden",
    channels="Wie",
    consents="Einwilligungen",
    consents_help="Ohne Ihre Einwilligung wird für einen Zweck nichts gespeichert.",
    never_given="nicht erteilt",
    given="erteilt {}",
    withdrawn="widerrufen {}",
    on_notice="Hinweise {}, {}.",
    give="Einwilligen",
    give_to="Einwilligen: {}",
    notice_read="Ich habe die Datenschutzhinweise {} gelesen.",
    read_notice="Datenschutzhinweise lesen",
    no_notice="Einwilligungen nimmt Ihr Anbieter entgegen.",
    withdraw="Widerrufen",
    withdraw_from="Widerrufen: {}",
    data="Ihre Daten",
    export="Alles herunterladen",
    export_help="Eine Datei mit allem, was über {} gespeichert ist: je Zeile ein Eintrag, in "
    "JSON. In der letzten Zeile steht „end“; fehlt sie, ist die Datei unvollständig. "
    "Laden Sie sie dann noch einmal.",
    deactivate="Deaktivieren",
    deactivate_help="Der Bär zeichnet nichts mehr auf und wird für ein anderes Kind frei. Gelöscht "
    "wird nichts; Sie können es rückgängig machen.",
    reason="Grund",
    reactivate="Wieder aktivieren",
    reactivate_help="Das Konto ist deaktiviert. Es lässt sich wieder benutzen, sofern der Bär "
    "inzwischen keinem anderen Kind gehört.",
    erase="Alle Daten löschen …",
    channel_names={
        "in_app": "auf diesen Seiten",
        "email": "per E-Mail",
        "webhook": "an das System Ihres Anbieters",
    },
    withdrawal_effects={
        "account": "Ihr Widerruf gilt für alle Einwilligungen: Der Bär zeichnet dann nichts "
        "mehr auf, und das Profil lässt sich nicht ändern. Gespeichertes bleibt, bis "
        "es gelöscht wird.",
        "conversations": "Dann werden keine Gespräche mehr aufgezeichnet. Gespeichertes bleibt, "
        "bis "
        "es gelöscht wird.",
        "personalization": "Dann werden keine Vorlieben, Interessen und Lernweisen mehr "
        "gespeichert. "
        "Gespeichertes bleibt, bis es gelöscht wird.",
    },
    methods={
        "signed_form": "mit unterschriebenem Formular",
        "payment_card": "mit einer Zahlungskarte",
        "phone_call": "am Telefon",
        "video_call": "im Videogespräch",
        "government_id": "mit einem Ausweis",
        "knowledge_questions": "mit Fragen",
        "email_plus": "per E-Mail",
    },
    saved={
        "profile": "Das Profil wurde geändert.",
        "alert-policy": "So werden Sie ab jetzt benachrichtigt.",
        "consent": "Ihre Einwilligung wurde vermerkt.",
        "withdrawal": "Ihre Einwilligung wurde widerrufen.",
        "deactivation": "Das Konto wurde deaktiviert.",
        "reactivation": "Das Konto ist wieder aktiv.",
        "unchanged": "Es wurde nichts geändert.",
    },
    wrong={
        "name": "Der Name braucht 2 bis 100 sichtbare Zeichen.",
        "age": "Das Alter muss eine ganze Zahl von 3 bis 12 sein.",
        "learning_style": "Wie das Kind am besten lernt, darf höchstens 64 Zeichen in einer Zeile "
        "haben.",
        "interests": "Es können höchstens 20 Interessen mit je höchstens 64 Zeichen sein.",
        "preferences": "Jede Vorliebe braucht eine eigene Zeile mit einem Doppelpunkt hinter ihrem "
        "Namen, jeder Name nur einmal; alle zusammen dürfen 8.192 Bytes haben.",
        "threshold": "Bitte wählen Sie einen der Schweregrade.",
        "count": "Die Zahl der Vorfälle muss von 2 bis 100 sein.",
        "window_hours": "Die Stunden müssen von 1 bis 720 sein.",
        "channels": "Bitte wählen Sie mindestens einen Weg, den Ihr Anbieter eingerichtet hat.",
        "reason": "Der Grund braucht 1 bis 500 Zeichen.",
        "notice_read": "Bitte lesen Sie die Datenschutzhinweise und bestätigen Sie das.",
        "notice_version": "Die Datenschutzhinweise haben sich geändert. Bitte lesen Sie sie noch "
        "einmal.",
        "confirmation": "Das ist nicht der Name. Es wurde nichts gelöscht.",
    },
    erasures=ERASURES_IN_GERMAN,
    history=CONSENTS_IN_GERMAN,
)
