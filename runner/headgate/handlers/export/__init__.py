"""Handler `export`: the rows of an input function become files of Parquet, CSV, JSON or Excel."""
