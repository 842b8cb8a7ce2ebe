"""A bear belongs to one active child: its reservations, and those of earlier releases."""
