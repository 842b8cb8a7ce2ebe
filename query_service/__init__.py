"""The query API: answers from the read models, never writes."""
