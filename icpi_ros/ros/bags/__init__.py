"""Recorder and replay nodes."""
