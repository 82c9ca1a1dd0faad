"""Applies the files of db/ and of plans to the database, and loads rows from files."""

from typing import TYPE_CHECKING

from headgate.lazy import lazily

if TYPE_CHECKING:
    from headgate.migrate.check import Checked, check_plans
    from headgate.migrate.files import OWNER, PLAN, plan_folders
    from headgate.migrate.load import load_rows
    from headgate.migrate.logins import set_logins, set_password
    from headgate.migrate.pgmq import grant_pgmq, has_pgmq, install_pgmq, require_new_pgmq
    from headgate.migrate.run import Report, migrate, require_migrated, require_protocol
    from headgate.migrate.setup import OLDEST, create_database, database_exists, role_exists

__all__ = [
    "OLDEST",
    "OWNER",
    "PLAN",
    "Checked",
    "Report",
    "check_plans",
    "create_database",
    "database_exists",
    "grant_pgmq",
    "has_pgmq",
    "install_pgmq",
    "load_rows",
    "migrate",
    "plan_folders",
    "require_migrated",
    "require_new_pgmq",
    "require_protocol",
    "role_exists",
    "set_logins",
    "set_password",
]
__getattr__ = lazily(
    __name__,
    {
        "Checked": "check",
        "OLDEST": "setup",
        "OWNER": "files",
        "PLAN": "files",
        "Report": "run",
        "check_plans": "check",
        "create_database": "setup",
        "database_exists": "setup",
        "grant_pgmq": "pgmq",
        "has_pgmq": "pgmq",
        "install_pgmq": "pgmq",
        "load_rows": "load",
        "migrate": "run",
        "plan_folders": "files",
        "require_migrated": "run",
        "require_new_pgmq": "pgmq",
        "require_protocol": "run",
        "role_exists": "setup",
        "set_logins": "logins",
        "set_password": "logins",
    },
)
