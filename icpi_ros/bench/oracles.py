"""Improvers that know the hidden physics: bounds to compare with, never offered in a run."""

from __future__ import annotations

from typing import Any

from icpi_ros.registry import Registry

ORACLES: Registry[Any] = Registry("oracle", {})
