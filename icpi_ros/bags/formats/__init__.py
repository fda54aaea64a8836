"""File formats of bags: MCAP, SQLite, compression, metadata."""
