"""The fault harness: named, seeded faults under load, and a checker of what must hold then."""
