"""The promises of the Compose stack, each of which can be seen to hold or not, without Docker."""
