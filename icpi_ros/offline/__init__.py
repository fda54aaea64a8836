"""A bag examined without a robot and without a graph; see docs/replay.md."""
