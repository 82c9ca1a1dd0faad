"""Handlers `convert_formats` and `process_data`: files of records made others."""
