"""The texts of signing in at an OpenID provider, in each language."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignInTexts:
    """As Texts. `denied` to `unfit`: why nobody is signed in; `form` to `length`: what is wrong
    with the provider's access token, for whoever runs the service."""

    at_provider: str
    or_paste: str
    signed_in: str
    go_on: str
    failed: str
    again: str
    other_way: str
    denied: str
    unknown: str
    refused: str
    distrusted: str
    away: str
    unfit: str
    form: str
    issuer: str
    audience: str
    role: str
    subject: str
    life: str
    signature: str
    length: str


SIGN_IN_IN_ENGLISH = SignInTexts(
    at_provider="Sign in at your provider",
    or_paste="Or with an access token",
    signed_in="You are signed in",
    go_on="Continue",
    failed="You are not signed in",
    again="Try again",
    other_way="Sign in another way",
    denied="Your provider did not let you in, or you cancelled.",
    unknown="This sign-in was not begun in this browser, took more than ten minutes, or was used "
    "before.",
    refused="Your provider did not confirm this sign-in.",
    distrusted="Your provider's answer does not belong to this sign-in.",
    away="Your provider cannot be reached. Please try again in a moment.",
    unfit="Your provider knows you, but its access token is not made for this service. Please tell "
    "whoever runs it:",
    form="The access token is not a JWT that can be read here.",
    issuer="The access token names another issuer (iss) than the one that is set.",
    audience="The access token is for another audience (aud).",
    role="The access token has no role, or an unknown one (role).",
    subject="The access token has no valid subject (sub).",
    life="The access token lacks its times (exp, nbf or iat), or is valid for too long.",
    signature="The access token is signed with an unknown key, or the clocks differ.",
    length="The access token is too long to be kept by a browser.",
)

SIGN_IN_IN_GERMAN = SignInTexts(
    at_provider="Bei Ihrem Anbieter anmelden",
    or_paste="Oder mit einem Zugangstoken",
    signed_in="Sie sind angemeldet",
    go_on="Weiter",
    failed="Sie sind nicht angemeldet",
    again="Noch einmal versuchen",
    other_way="Anders anmelden",
    denied="Ihr Anbieter hat Sie nicht angemeldet, oder Sie haben abgebrochen.",
    unknown="Diese Anmeldung wurde nicht in diesem Browser begonnen, dauerte über zehn Minuten "
    "oder ist schon verwendet.",
    refused="Ihr Anbieter hat diese Anmeldung nicht bestätigt.",
    distrusted="Die Antwort Ihres Anbieters gehört nicht zu dieser Anmeldung.",
    away="Ihr Anbieter ist nicht erreichbar. Bitte versuchen Sie es gleich noch einmal.",
    unfit="Ihr Anbieter kennt Sie, aber sein Zugangstoken ist nicht für diesen Dienst gemacht. "
    "Bitte sagen Sie es dem Betreiber:",
    form="Das Zugangstoken ist kein JWT, das hier gelesen werden kann.",
    issuer="Das Zugangstoken nennt einen anderen Aussteller (iss) als den eingestellten.",
    audience="Das Zugangstoken ist für einen anderen Empfänger (aud).",
    role="Das Zugangstoken hat keine oder eine unbekannte Rolle (role).",
    subject="Das Zugangstoken hat keine gültige Kennung (sub).",
    life="Dem Zugangstoken fehlen seine Zeiten (exp, nbf oder iat), oder es gilt zu lange.",
    signature="Das Zugangstoken ist mit einem unbekannten Schlüssel unterschrieben, oder die Uhren "
    "gehen verschieden.",
    length="Das Zugangstoken ist zu lang, als dass ein Browser es aufbewahrt.",
)
