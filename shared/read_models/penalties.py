"""What a safety violation costs a child's safety score."""

PENALTY_POINTS = {"low": 5.0, "medium": 10.0, "high": 20.0, "critical": 40.0}

_WEIGHT_OF_OUTCOME = {None: 1.0, "confirmed": 0.5, "false_positive": 0.0}


def penalty(severity: str, outcome: str | None) -> float:
    """Points of one violation: in full while open, half once confirmed, none when false."""
    return PENALTY_POINTS[severity] * _WEIGHT_OF_OUTCOME[outcome]
