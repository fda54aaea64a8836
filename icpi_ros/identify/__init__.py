"""Hidden physics from recorded trials: what simulation explains this table."""
