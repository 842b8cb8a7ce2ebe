"""Apache Kafka on this machine, without Docker and without a Java of the machine's own.

One node for `make up`, three for `make test-kafka`: jars.py brings the jars, java.py finds what
runs them, node.py writes a node's configuration and its command lines.
"""
