"""Handler `load`: loads Parquet, CSV or NDJSON artifacts into the operation's stage."""
