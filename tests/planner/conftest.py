"""Fixtures of the toy world of tests/db, for the planner's tests."""

from __future__ import annotations

from tests.db.conftest import _warm, _warm_toy, toy, toy_template, toys

__all__ = ["_warm", "_warm_toy", "toy", "toy_template", "toys"]
