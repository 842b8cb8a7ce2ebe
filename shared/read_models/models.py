"""The names of the read models."""

from enum import StrEnum


class Model(StrEnum):
    CHILDREN = "children"
    CONVERSATIONS = "conversations"
    SAFETY = "safety"
    VIOLATIONS = "violations"
    ACTIVITY = "activity"
    SYSTEM = "system"
    ALERTS = "alerts"


ALL_MODELS = frozenset(Model)
