"""How much a child was taken by a conversation."""


def conversation_engagement(messages: int, minutes: float) -> float:
    """0.0 to 100.0: 5 a message and 2 a minute."""
    return round(min(100.0, 5 * messages + 2 * minutes), 1)
