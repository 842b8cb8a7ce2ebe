"""Keys: what seals personal data, what finds it, and what makes it unreadable for good."""
