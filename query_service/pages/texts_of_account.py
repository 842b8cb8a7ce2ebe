"""Which texts a child's account has, and those in English."""

from collections.abc import Mapping
from dataclasses import dataclass

from query_service.pages.texts_of_consents import CONSENTS_IN_ENGLISH, ConsentTexts
from query_service.pages.texts_of_erasures import ERASURES_IN_ENGLISH, ErasureTexts


@dataclass(frozen=True, slots=True)
class AccountTexts:
    """As Texts. `wrong`: of each field of a form; `saved`: of each kind of form."""

    edit: str
    name: str
    age: str
    learning_style: str
    interests: str
    interests_help: str
    preferences: str
    preferences_help: str
    removed_if_empty: str
    save: str
    alert_policy: str
    is_default: str
    threshold: str
    count: str
    window_hours: str
    channels: str
    consents: str
    consents_help: str
    never_given: str
    given: str
    withdrawn: str
    on_notice: str
    give: str
    give_to: str
    notice_read: str
    read_notice: str
    no_notice: str
    withdraw: str
    withdraw_from: str
    data: str
    export: str
    export_help: str
    deactivate: str
    deactivate_help: str
    reason: str
    reactivate: str
    reactivate_help: str
    erase: str
    channel_names: Mapping[str, str]
    withdrawal_effects: Mapping[str, str]
    methods: Mapping[str, str]
    saved: Mapping[str, str]
    wrong: Mapping[str, str]
    erasures: ErasureTexts
    history: ConsentTexts


ACCOUNT_IN_ENGLISH = AccountTexts(
    edit="Change profile",
    name="Name",
    age="Age",
    learning_style="How the child learns best",
    interests="Interests",
    interests_help="One a line.",
    preferences="Preferences",
    preferences_help="One a line, as in: bedtime stories: true",
    removed_if_empty="What you leave empty is removed.",
    save="Save",
    alert_policy="When you are alerted",
    is_default="These are the usual settings.",
    threshold="At once, from this severity on",
    count="Also after this many milder incidents",
    window_hours="Within this many hours",
    channels="How",
    consents="Consents",
    consents_help="Nothing is stored for a purpose without your consent.",
    never_given="not given",
    given="given {}",
    withdrawn="withdrawn {}",
    on_notice="Notice {}, {}.",
    give="Give consent",
    give_to="Give consent: {}",
    notice_read="I have read the privacy notice {}.",
    read_notice="Read the privacy notice",
    no_notice="Your provider takes consents.",
    withdraw="Withdraw",
    withdraw_from="Withdraw: {}",
    data="Your data",
    export="Download everything",
    export_help="A file with all that is stored about {}: a record a line, in JSON. Its last "
    "line says “end”; without it something is missing, so download it again.",
    deactivate="Deactivate",
    deactivate_help="The bear stops recording and is free for another child. Nothing is deleted; "
    "you "
    "can reactivate it.",
    reason="Reason",
    reactivate="Reactivate",
    reactivate_help="The account is deactivated. It can be used again, unless the bear belongs to "
    "another child by now.",
    erase="Erase all data …",
    channel_names={
        "in_app": "on these pages",
        "email": "by e-mail",
        "webhook": "to your provider's system",
    },
    withdrawal_effects={
        "account": "Withdrawing it withdraws all consents: from then on the bear records "
        "nothing and the profile cannot be changed. What is stored stays until it is "
        "erased.",
        "conversations": "From then on no conversation is recorded. What is stored stays until "
        "it is "
        "erased.",
        "personalization": "From then on no preferences, interests or learning style are stored. "
        "What "
        "is stored stays until it is erased.",
    },
    methods={
        "signed_form": "by a signed form",
        "payment_card": "by a payment card",
        "phone_call": "by phone",
        "video_call": "by a video call",
        "government_id": "by an identity card",
        "knowledge_questions": "by questions",
        "email_plus": "by e-mail",
    },
    saved={
        "profile": "The profile was changed.",
        "alert-policy": "You will be alerted like this from now on.",
        "consent": "Your consent was recorded.",
        "withdrawal": "Your consent was withdrawn.",
        "deactivation": "The account was deactivated.",
        "reactivation": "The account is active again.",
        "unchanged": "Nothing was changed.",
    },
    wrong={
        "name": "The name must have 2 to 100 visible characters.",
        "age": "The age must be a whole number from 3 to 12.",
        "learning_style": "How the child learns best must have at most 64 characters on one line.",
        "interests": "There can be at most 20 interests of at most 64 characters each.",
        "preferences": "Each preference must be a line of its own with a colon behind its name, "
        "each name once; all of them can have 8,192 bytes.",
        "threshold": "Please choose one of the severities.",
        "count": "The number of incidents must be from 2 to 100.",
        "window_hours": "The hours must be from 1 to 720.",
        "channels": "Please choose at least one way of alerting you that your provider offers.",
        "reason": "The reason must have 1 to 500 characters.",
        "notice_read": "Please read the privacy notice, and say so.",
        "notice_version": "The privacy notice has changed. Please read it again.",
        "confirmation": "That is not the name. Nothing was erased.",
    },
    erasures=ERASURES_IN_ENGLISH,
    history=CONSENTS_IN_ENGLISH,
)
