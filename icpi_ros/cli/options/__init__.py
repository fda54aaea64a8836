"""Options of the commands, one module each: nothing heavy is imported for a --help."""
