"""Clients of the graph: operator, improvement, checklist, viewer."""
