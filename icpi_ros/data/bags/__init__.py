"""Bags: recording, and reading whatever comes; see docs/bags.md."""
