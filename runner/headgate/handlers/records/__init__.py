"""Handlers `convert_formats` and `process_data`: convert and clean files of JSON records."""
