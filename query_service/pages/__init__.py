"""Pages for people, over the APIs: what they show and change, the APIs let them."""
