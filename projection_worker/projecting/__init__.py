"""Batches of records into read models: order, decode, fold, write in one transaction."""
