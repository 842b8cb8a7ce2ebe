"""What can be shown to others: statements signed by the operator, verified without the system."""
