"""Benchmarks: programs that measure, never timed tests."""
