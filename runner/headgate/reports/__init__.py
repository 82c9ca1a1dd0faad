"""A run's page and its pictures (the extra `charts`)."""
