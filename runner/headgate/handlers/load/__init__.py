"""Handler `load`: artifacts of Parquet, CSV or NDJSON become rows of the operation's stage."""
