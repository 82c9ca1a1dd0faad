"""The guide's job done by Headgate and by dlt, beside each other."""
