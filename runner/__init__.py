"""Headgate's hands: migrate the database, run its chunks, show what it knows."""
