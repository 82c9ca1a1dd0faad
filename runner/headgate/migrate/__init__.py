"""The files of db/ and of plans, brought into the database; and rows loaded from files."""
