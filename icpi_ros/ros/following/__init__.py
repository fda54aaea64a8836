"""Following of an approved motion, and its stop."""
