"""The worker on Kafka: its Faust app, its clients, what it measures of itself."""
