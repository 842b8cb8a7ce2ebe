"""Both APIs along the links of their documents, with a signed token of each role: Schemathesis's
state machine begins with a registration or a search and follows what the answers lead to, from one
API to the other. What a role may not execute is refused to it, then done by a role that may, to go
on: each role meets every linked operation, on children, conversations and violations that
there are."""

from typing import Any, ClassVar

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings

from shared.auth.access import Principal, Role
from shared.clock import new_id
from tests.schema.expected import (
    Answer,
    Case,
    check_refused,
    document_of,
    is_good,
    may,
    operations_of,
    refused_for_a_reason,
)
from tests.support.both_apis import BothApis
from tests.support.command_side import ADMIN, ANALYST, MOTHER, OFFICER, STRANGER
from tests.support.consents import CONSENTS

APIS = BothApis()
DOCUMENT = document_of(APIS)
OPERATIONS = operations_of(APIS.commands.app, APIS.queries.app)
MACHINE: Any = DOCUMENT.as_state_machine()
REGISTRATION = {"RANDOM__POST_v1_children": "POST /v1/children"}
LISTS = {"RANDOM__GET_v1_children": "GET /v1/children"}
LISTS |= {"RANDOM__GET_v1_safety_violations": "GET /v1/safety-violations"}
BY_THE_PARENT = "AcknowledgeSafetyViolation"
ELSEWHERE = {Role.PARENT: STRANGER, Role.DEVICE: Principal("a-strange-bear", Role.DEVICE)}
STAFF = {Role.SAFETY_OFFICER: OFFICER, Role.ANALYST: ANALYST, Role.ADMIN: ADMIN}

KEY = "Idempotency-Key"

LEAST_ROUNDS, MOST_ROUNDS = 2, 10
LISTS_BEGIN_ROUNDS = 2
"""Behind these only registrations begin, and scenarios come deeper: a reopening is the fourth."""
BOUNDED = settings(
    max_examples=20,
    stateful_step_count=20,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
LINKED = {
    linked
    for path, operations in APIS.document["paths"].items()
    for method, operation in operations.items()
    for response in operation["responses"].values()
    for name in response.get("links", ())
    for linked in (name, OPERATIONS[f"{method.upper()} {path}"])
}
"""Operations that a link leads to or comes from.
tests/unit/access/test_openapi_documents.py follows each."""


class Flow(MACHINE):  # type: ignore[misc]  # Schemathesis makes the class of the document
    """One scenario, as `role`."""

    role: ClassVar[Role]
    done: ClassVar[set[str]]
    refused: ClassVar[set[str]]

    def setup(self) -> None:
        """What an answer is depends on its scenario alone: the library draws by the answers."""
        APIS.forget_the_children()
        self.bears: dict[str, Principal] = {}
        self.name = new_id()

    def before_call(self, case: Case) -> None:
        """Nobody of elsewhere, and no role that may not, does anything to what is there."""
        if KEY in case.headers:  # of this scenario alone: what its command did is kept
            case.headers[KEY] = f"{self.name}{case.headers[KEY]}"
        if is_good(case):
            self._make_possible(case)
        operation, caller = _operation(case), self._caller(case)
        if not may(operation, self.role, own=True):
            self._refused(case, operation, caller)
            self.refused.add(operation)
        elif self.role in ELSEWHERE and operation != "SearchChildren":  # that finds nothing then
            self._refused(case, operation, ELSEWHERE[self.role])

    def get_call_kwargs(self, case: Case) -> dict[str, Any]:
        """By the role, where it may; and else by who may."""
        return {"headers": _bearer(case, self._doer(case))}

    def after_call(self, response: Answer, case: Case) -> None:
        super().after_call(response, case)
        operation = _operation(case)
        if is_good(case):  # others may come without a token, too
            assert response.status_code not in (401, 403), f"{operation}: {response.text}"
            assert refused_for_a_reason(response), response.text
        if response.status_code not in range(200, 300):
            return
        if self._doer(case).role is self.role:
            self.done.add(operation)
        if operation == "RegisterChild":
            body: Any = case.body
            self.bears[response.json()["child_id"]] = Principal(body["device_id"], Role.DEVICE)

    def _make_possible(self, case: Case) -> None:
        """Generators make no signed text, and hardly a child that may talk to a bear."""
        APIS.drop_what_nobody_signed(case.headers, case.query)
        if KEY in case.headers:
            case.headers[KEY] = case.headers[KEY][:128]
        body: Any = _as_meant(case.body)
        if _operation(case) == "RegisterChild":
            own = {"udid": new_id(), "device_id": new_id(), "parent_id": MOTHER.subject}
            body |= {**own, "name": "Ada", "consents": CONSENTS}
        elif "device_id" in (body if isinstance(body, dict) else {}):
            bear = self.bears.get(str(case.path_parameters["child_id"]))
            body["device_id"] = new_id() if bear is None else bear.subject
        elif _operation(case) == "ReportSafetyViolation":
            body["severity"] = "high"  # so that there are alerts
        elif _operation(case) == "GetAlerts":
            case.query["limit"] = 1  # so that there is a next page
        case.body = body

    def _refused(self, case: Case, operation: str, caller: Principal) -> None:
        answer = case.call_and_validate(headers=_bearer(case, caller))
        check_refused(operation, caller.role, case, answer)

    def _doer(self, case: Case) -> Principal:
        operation = _operation(case)
        if may(operation, self.role, own=True):
            return self._caller(case)
        return MOTHER if operation == BY_THE_PARENT else ADMIN

    def _caller(self, case: Case) -> Principal:
        if self.role is Role.PARENT:
            return MOTHER
        if self.role is Role.DEVICE:
            child_id = str(case.path_parameters.get("child_id"))
            return self.bears.get(child_id, Principal("a-bear-of-no-child", Role.DEVICE))
        return STAFF[self.role]


@pytest.mark.parametrize("role", list(Role))
def test_each_role_may_along_the_links_what_the_table_says(role: Role) -> None:
    # given
    Flow.role, Flow.done, Flow.refused = role, set(), set()
    may_do = {one for one in LINKED if may(one, role, own=True)}
    # when
    for round_of_scenarios in range(MOST_ROUNDS):
        lists = LISTS if round_of_scenarios < LISTS_BEGIN_ROUNDS else {}
        flow: Any = type("Flow", (Flow,), _begun_by(REGISTRATION | lists))
        hypothesis.seed(round_of_scenarios)(flow).run(settings=BOUNDED)
        if Flow.done | Flow.refused == LINKED and round_of_scenarios + 1 >= LEAST_ROUNDS:
            break
    # then: it met every operation
    assert (Flow.done, Flow.refused) == (may_do, LINKED - may_do)


def _begun_by(beginnings: dict[str, str]) -> dict[str, Any]:
    """Without the rules that begin with an id of nobody: most scenarios would end there. The
    library has no setting for it."""
    return {
        **dict.fromkeys(MACHINE.root_rules - beginnings.keys()),
        "root_rules": frozenset(beginnings),
        "_root_labels": frozenset(beginnings.values()),
    }


def _as_meant(value: Any) -> Any:
    """A generated value within the rules that no schema states: whole numbers, characters that can
    be seen. What is refused otherwise is for tests/schema/test_documents.py."""
    match value:
        case dict():
            return {name: _as_meant(each) for name, each in value.items()}
        case list():
            return [_as_meant(each) for each in value]
        case float():
            return int(value)
        case str():
            return "".join(each for each in value if each.isascii() and each.isprintable()) or "a"
    return value


def _operation(case: Case) -> str:
    return OPERATIONS[case.operation.label]


def _bearer(case: Case, principal: Principal) -> dict[str, str]:
    return {"Authorization": APIS.bearer(principal, case.method, case.formatted_path)}
