"""How far one machine goes: runners, rows, pipelines, and what a job costs PostgreSQL (docs/scaling.md)."""
