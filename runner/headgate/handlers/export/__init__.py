"""Handler `export`: writes the rows of an input function to Parquet, CSV, JSON or Excel files."""
