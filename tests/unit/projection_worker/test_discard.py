import pytest

from projection_worker.dead_letters.redrive import Verdict, verdict


@pytest.mark.parametrize(
    ("version", "gate", "last", "expected"),
    [
        (3, 3, 5, Verdict.SEEN),
        (2, 3, 5, Verdict.SEEN),
        (4, 3, 5, Verdict.NEEDED),
        (5, 3, 5, Verdict.NEEDED),
        (6, 3, 5, Verdict.NO_EVENT),
        (1, 0, 0, Verdict.NO_EVENT),
        (3, None, 5, Verdict.GENERATION_GONE),
        (None, None, 5, Verdict.GENERATION_GONE),
    ],
)
def test_a_record_is_needed_while_the_store_has_it_and_the_read_models_do_not(
    version: int | None, gate: int | None, last: int, expected: Verdict
) -> None:
    assert verdict(version, gate, last) is expected


def test_a_record_that_cannot_be_read_may_be_any_that_is_missing() -> None:
    assert verdict(None, gate=3, last=4) is Verdict.NEEDED
    assert verdict(None, gate=4, last=4) is Verdict.NO_EVENT
