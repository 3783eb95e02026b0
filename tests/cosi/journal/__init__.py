"""What the journal remembers, and what it forgets."""
