"""Demonstrations without an account: plans that run against a stand-in for their provider."""

from headgate.demo.stage import DATABASE, DEMOS, QUOTA, Demo, Stage, find_demo, staged

__all__ = ["DATABASE", "DEMOS", "QUOTA", "Demo", "Stage", "find_demo", "staged"]
