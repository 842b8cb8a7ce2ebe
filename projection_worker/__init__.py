"""Events to read models: batches in, one transaction out.

`consuming` takes records from Kafka, `projecting` brings them into the read models by the folds in
`projections`. What cannot be projected goes to `dead_letters`; what was raised goes to parents by
`notifications`. `replay` makes read models from the beginning, and compares them with the events.
"""
