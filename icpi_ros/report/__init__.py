"""What a person sees of a run: text lines, a table, a picture."""
