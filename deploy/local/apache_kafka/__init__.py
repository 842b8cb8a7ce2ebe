"""Apache Kafka on this machine: one node for `make up`, three for `make test-kafka`."""
