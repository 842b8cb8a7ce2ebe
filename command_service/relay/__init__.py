"""The relay: carries what the event store committed to Kafka, in order, at least once."""
