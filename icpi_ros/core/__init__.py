"""Foundations: values, parameter space, errors, registry, files; imports nothing above it."""
