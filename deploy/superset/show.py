"""Shows the database's figures in Superset, on 127.0.0.1, until Ctrl-C: `make bi`.

It runs in Headgate's environment and calls Superset's commands in theirs. Superset connects as the
reader by libpq's environment variables, so that no password is in its own database.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from headgate import files
from headgate.cli.commands.console import open_database, ready_settings
from headgate.database import READER, dsn_of
from headgate.errors import HeadgateError
from headgate.settings import Settings

HERE = Path(__file__).resolve().parent
USER = "admin"
OTHERS_URI = "postgresql+psycopg2://headgate_reader@localhost:5432/headgate"
"""The address in the export, for whoever imports it by hand and edits it then."""
OURS_URI = "postgresql+psycopg2://"
"""Without server, login and password: libpq reads them from its environment variables."""


def main() -> int:
    """Prepare Superset at the first start, import the dashboard, and serve it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--superset", type=Path, required=True, help="Superset's command.")
    parser.add_argument("--port", type=int, default=8088)
    arguments = parser.parse_args()
    settings = ready_settings()
    home = settings.home.resolve() / "superset"
    environ = _environ(settings, home)
    superset = Superset(arguments.superset.absolute(), home, environ)
    superset.prepare()
    superset.show()
    return superset.serve(arguments.port)


class Superset:
    """Superset's commands and the folder with its own data."""

    def __init__(self, command: Path, home: Path, environ: dict[str, str]) -> None:
        self._command = command
        self._home = home
        self._environ = environ

    def prepare(self) -> None:
        """Make Superset's own database and its only user, at the first start."""
        ready = self._home / "ready"
        if ready.exists():
            return
        _say("preparing Superset, which takes a minute or two ...")
        self._run("db", "upgrade")
        self._run("init")
        password = secret(self._home / "password")
        self._run(
            *("fab", "create-admin", "--username", USER, "--firstname", "Headgate"),
            *("--lastname", "Admin", "--email", "admin@localhost"),
            answers=f"{password}\n{password}\n",  # others see a command's arguments
        )
        files.write(ready, "")

    def show(self) -> None:
        """Import the dashboard; charts that Superset has already stay as they are."""
        path = self._home / "dashboard.zip"
        pack(path)
        self._run("import-dashboards", "--path", str(path), "--username", USER)

    def serve(self, port: int) -> int:
        """Serve the pages until Ctrl-C or SIGTERM; return the exit code."""
        command = [
            str(self._command.with_name("gunicorn")),
            *("--bind", f"127.0.0.1:{port}", "--threads", "8", "--timeout", "120"),
            *("--log-level", "warning", "superset.app:create_app()"),
        ]
        process = subprocess.Popen(command, env=self._environ, cwd=self._home)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: process.terminate())
        _say(
            f"http://127.0.0.1:{port}/superset/dashboard/headgate/   "
            f"user {USER}, password {secret(self._home / 'password')}; Ctrl-C stops it"
        )
        code = process.wait()
        _say("Superset has stopped")
        return code

    def _run(self, *arguments: str, answers: str = "") -> None:
        """Run one of Superset's commands; its output is shown only if it fails.

        Without a terminal of its own it reads the answers to its questions from stdin.
        """
        done = subprocess.run(
            [str(self._command), *arguments],
            env=self._environ,
            cwd=self._home,
            input=answers,
            capture_output=True,
            text=True,
            start_new_session=True,
        )
        if done.returncode:
            raise HeadgateError(
                f"superset {arguments[0]} failed: {(done.stdout + done.stderr)[-2000:]}",
                hint=f"remove {self._home} to start anew",
            )


def _environ(settings: Settings, home: Path) -> dict[str, str]:
    """Return the environment of Superset's processes: its home, and the reader's connection."""
    files.private_folder(home)
    secret(home / "secret_key")
    known = {x.keyword.decode(): x.envvar for x in Conninfo.get_defaults()}
    given = conninfo_to_dict(dsn_of(settings, role=READER))
    connection = {name.decode(): str(value) for key, value in given.items() if (name := known[key])}
    with open_database(settings, "bi") as session:
        row = session.execute("select current_user as acting, session_user as login").fetchone()
    if row and row["acting"] != row["login"]:
        connection["PGOPTIONS"] = f"-c role={row['acting']}"
    return {
        **os.environ,
        **connection,
        "PGAPPNAME": "headgate bi",
        "SUPERSET_HOME": str(home),
        "SUPERSET_CONFIG_PATH": str(HERE / "superset_config.py"),
        "FLASK_APP": "superset.app:create_app()",
        "SCARF_ANALYTICS": "false",
    }


def secret(path: Path) -> str:
    """Return a secret, made at the first use and kept in a file that only this user reads."""
    if not path.exists():
        files.write(path, secrets.token_urlsafe(42))
    return path.read_text()


def pack(path: Path) -> None:
    """Write the dashboard's folder as the ZIP file that Superset imports."""
    folder = HERE / "dashboard"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.yaml")):
            text = file.read_text().replace(OTHERS_URI, OURS_URI)
            archive.writestr(f"dashboard/{file.relative_to(folder)}", text)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except HeadgateError as exc:
        print(f"{exc}\nhint: {exc.hint}", file=sys.stderr)
        sys.exit(1)
