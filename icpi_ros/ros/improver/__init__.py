"""Policy improver: the node that proposes."""
