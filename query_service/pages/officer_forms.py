"""What the form of a safety officer stands for: a command, or what is wrong with the form."""

from query_service.pages.commands import Sent
from query_service.pages.site import VERSION, Form
from shared.client.calls import path_of
from shared.events.child import Outcome

MOST_NOTE, MOST_REASON = 2_000, 500
"""Characters, as the command API has it."""

OUTCOMES = frozenset(outcome.value for outcome in Outcome)
ME, NOBODY = "me", "nobody"


class NotFilledIn(Exception):
    """`code`: why the form is no command, as the texts name it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def resolution(child: str, violation: str, form: Form) -> Sent:
    """Raises NotFilledIn."""
    outcome, note = form.get("outcome", ""), _text(form, "note", MOST_NOTE)
    if outcome not in OUTCOMES:
        raise NotFilledIn("outcome-missing")
    key = _key("resolve", violation, form)
    body = {"outcome": outcome} | ({"note": note} if note else {})
    return Sent("POST", _path(child, violation, "resolution"), key, body)


def reopening(child: str, violation: str, form: Form) -> Sent:
    """Raises NotFilledIn."""
    reason = _text(form, "reason", MOST_REASON)
    if not reason:
        raise NotFilledIn("reason-missing")
    key = _key("reopen", violation, form)
    return Sent("POST", _path(child, violation, "reopening"), key, {"reason": reason})


def assignment(child: str, violation: str, form: Form, subject: str) -> Sent:
    """To `subject`, who sends it, or to nobody; from whoever has it on the page that the form was
    on (`instead_of`, empty: nobody). Raises NotFilledIn."""
    chosen = form.get("assignee")
    if chosen not in (ME, NOBODY) or "instead_of" not in form:
        raise NotFilledIn("form-incomplete")
    body = {
        "assignee": subject if chosen == ME else None,
        "instead_of": form["instead_of"] or None,
    }
    return Sent("PUT", _path(child, violation, "assignee"), body=body)


def _path(child: str, violation: str, what: str) -> str:
    return path_of("children", child, "safety-violations", violation, what)


def _key(what: str, violation: str, form: Form) -> str:
    """The same however often this form is sent. What was reopened may be resolved again: by then
    the page shows another version of the child, and its form has another key."""
    version = form.get("version", "")
    if VERSION.fullmatch(version) is None:
        raise NotFilledIn("form-incomplete")
    return f"{what}-{violation}-{version}"


def _text(form: Form, name: str, most: int) -> str:
    text = form.get(name, "").strip()
    if len(text) > most:
        raise NotFilledIn(f"{name}-too-long")
    return text
