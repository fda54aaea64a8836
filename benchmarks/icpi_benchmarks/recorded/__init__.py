"""Worth of recorded trials: recovered physics, imported examples, offline ranking."""
