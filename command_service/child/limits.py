"""The limits of every field of a child account, for rules and for the API's documentation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """Smallest and largest allowed, both inclusive: a value, or a length in characters."""

    minimum: int
    maximum: int

    def __str__(self) -> str:
        return f"{self.minimum}..{self.maximum}"

    def allows(self, amount: int) -> bool:
        return self.minimum <= amount <= self.maximum


AGE = Limit(3, 12)
NAME = Limit(2, 100)
UDID = Limit(10, 128)
UDID_PATTERN = rf"[!-~]{{{UDID.minimum},{UDID.maximum}}}"
UDID_LIMIT = f"{UDID} visible ASCII characters"
LABEL = Limit(1, 64)
"""A learning style, an interest, a topic, a type or category of violation, a skill."""
LABELS = Limit(0, 20)
NOTICE_VERSION = Limit(1, 32)
DETAILS = Limit(1, 2_000)
REASON = Limit(1, 500)
WORD_COUNT = Limit(0, 10_000)
ALERT_COUNT = Limit(2, 100)
ALERT_WINDOW_HOURS = Limit(1, 720)
ALERT_CHANNELS = Limit(1, 3)
OPEN_CONVERSATIONS = 100
"""Of one child at a time: the start of one more ends the one that was left open longest."""
ENDED_AT_ONCE = 25
"""At most by one start, for a child that has more open from before this limit."""
KNOWN_ENDED_CONVERSATIONS = 5_000
KNOWN_RESOLVED_VIOLATIONS = 1_000
"""Of a child at least, the newest. What is older is forgotten, as if it had never been."""
PREFERENCES_DEPTH = 4
PREFERENCES_BYTES = 8 * 1_024
PREFERENCES_LIMIT = f"JSON of at most {PREFERENCES_DEPTH} levels and {PREFERENCES_BYTES} bytes"
