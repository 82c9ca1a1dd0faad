"""The files of db/ and of plans, brought into the database; and rows loaded from files."""

from typing import TYPE_CHECKING

from headgate.lazy import lazily

if TYPE_CHECKING:
    from headgate.migrate.run import Report, migrate, require_migrated

__all__ = ["Report", "migrate", "require_migrated"]
__getattr__ = lazily(__name__, dict.fromkeys(__all__, "run"))
