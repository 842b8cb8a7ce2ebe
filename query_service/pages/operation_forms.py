"""What a form of the console stands for: an operation that a worker is asked for."""

from typing import Any

from query_service.pages.commands import Sent
from query_service.pages.site import Form
from shared.auth.access import is_uuid
from shared.client.calls import path_of

KINDS = frozenset({"rebuild", "redrive-children", "redrive-notifications", "clear-caches"})


class NotAnOperation(Exception):
    """The form was not one of the console's."""


def operation(form: Form) -> Sent:
    """`once`: an id of the form as it was shown, so that a form which is sent twice is one
    operation. `child_id`: of a redrive, one child alone. Raises NotAnOperation."""
    kind, once, child = form.get("kind", ""), form.get("once", ""), form.get("child_id", "")
    if kind not in KINDS or not is_uuid(once) or (child and not is_uuid(child)):
        raise NotAnOperation
    body: dict[str, Any] = {"kind": kind}
    if child:
        body["child_ids"] = [child]
    return Sent("POST", path_of("operations"), f"{kind}-{once}", body)
