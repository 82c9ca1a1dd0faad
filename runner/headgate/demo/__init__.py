"""Demonstrations without an account: stand-ins for providers, and pipelines that run on them."""
