"""Fixtures of the toy world of tests/db, for the planner's tests."""

from __future__ import annotations

from tests.db.conftest import _warm, toy, toy_template, toys

__all__ = ["_warm", "toy", "toy_template", "toys"]
