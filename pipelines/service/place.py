"""Where a running service keeps what is its own, and who holds a data folder."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from loupan.errors import LoupanError
from loupan.settings import Settings

LOOPBACK = "127.0.0.1"
# The kernel takes 107 bytes for the path of a socket; supervisor adds its process number while it makes one.
_LONGEST_SOCKET = 95


class ServiceError(LoupanError):
    """The service cannot be started, reached or stopped; the message says why and what to do."""


@dataclass(frozen=True)
class Place:
    """Files of the service of one data folder.

    Attributes:
        folder: lock, process number, configuration; its owner's alone.
        sockets: where the control socket and that of the code server are.
        logs: one file for each program, with those rotated away.
    """

    folder: Path
    sockets: Path
    logs: Path

    @property
    def configuration(self) -> Path:
        """supervisor's configuration, written at every start."""
        return self.folder / "supervisord.conf"

    @property
    def pid_file(self) -> Path:
        """Number of the supervisor's process; to be believed only while the lock is held."""
        return self.folder / "supervisord.pid"

    @property
    def workspace(self) -> Path:
        """Dagster's list of code locations: our code server."""
        return self.folder / "workspace.yaml"

    @property
    def addresses(self) -> Path:
        """Where the programs listen, as JSON."""
        return self.folder / "addresses.json"

    @property
    def control_socket(self) -> Path:
        """Where the supervisor takes orders."""
        return self.sockets / "control.sock"

    @property
    def code_socket(self) -> Path:
        """Where the code server answers."""
        return self.sockets / "code.sock"

    def worker_socket(self, name: str) -> Path:
        """Where one of several web processes listens."""
        return self.sockets / f"{name}.sock"

    def forget_sockets(self) -> None:
        """Remove what web processes and their balancer listened on; all others do so themselves."""
        for left in (self.balancer_socket, *self.sockets.glob("web-*.sock")):
            left.unlink(missing_ok=True)

    @property
    def shared(self) -> Path:
        """Folder that several web processes share."""
        return self.folder / "web"

    @property
    def balancer_socket(self) -> Path:
        """Where the balancer in front of them takes orders."""
        return self.sockets / "balance.sock"

    @property
    def balancer_configuration(self) -> Path:
        """Configuration of the balancer, written at every start."""
        return self.folder / "haproxy.cfg"

    @property
    def starting_page(self) -> Path:
        """What the balancer answers while no process can serve."""
        return self.folder / "starting.http"

    @property
    def marker(self) -> str:
        """What every process of this service carries in its environment."""
        return sha256(str(self.folder).encode()).hexdigest()[:16]

    def write_configuration(self, text: str) -> None:
        """Write supervisor's configuration for its owner's eyes alone: it holds the password of the socket."""
        for name in (self.control_socket, self.code_socket, self.pid_file):
            name.unlink(missing_ok=True)  # of a supervisor that was killed: the lock is ours
        descriptor = os.open(self.configuration, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)

    def make(self) -> None:
        """Make the folders.

        Raises:
            ServiceError: if one cannot be made, belongs to somebody else, or cannot be written into a configuration.
        """
        if any(sign in str(self.folder) for sign in (" ;", " #", "\n", '"')):
            raise ServiceError(f"{self.folder} has signs in its name that supervisor's configuration cannot hold.")
        for folder in (self.folder, self.sockets, self.logs):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                # In the folder for temporary files anybody could have made it before us.
                found = folder.lstat()
                if found.st_uid != os.geteuid() or folder.is_symlink():
                    raise ServiceError(
                        f"{folder} belongs to somebody else. Remove it, or set TMPDIR to a folder of yours."
                    )
                folder.chmod(0o700)
            except OSError as error:
                raise ServiceError(f"{folder} cannot be used: {error.strerror}. Check LOUPAN_DATA_DIR.") from error


def place_of(settings: Settings) -> Place:
    """Return where the service of a data folder keeps its files."""
    folder = settings.data_dir / "service"
    sockets = folder
    if len(os.fsencode(folder / "control.sock")) > _LONGEST_SOCKET:
        name = f"loupan-{os.geteuid()}-{sha256(os.fsencode(folder)).hexdigest()[:12]}"
        sockets = Path(tempfile.gettempdir()) / name
    return Place(folder, sockets, settings.data_dir / "logs")


def place_alone(settings: Settings, port: int) -> tuple[Settings, Place]:
    """Return where `loupan serve` keeps the files of several processes on a port, beside a service there may be.

    The settings are those of a data folder within the data folder: what takes settings to speak to a service takes
    these to speak to it.
    """
    within = settings.model_copy(update={"data_dir": settings.data_dir / "serve" / str(port)})
    return within, place_of(within)


def _lock_path(settings: Settings) -> Path:
    return settings.data_dir / "orchestrator.lock"


@contextmanager
def held(settings: Settings, *, through_exec: bool = False) -> Iterator[None]:
    """Hold the data folder for one orchestrator: two would start every scheduled run twice.

    The operating system releases the lock of a killed process, so none is ever stale.

    Args:
        settings: name the data folder.
        through_exec: keep it in the program that replaces this process.

    Raises:
        ServiceError: if a service or `loupan orchestrate` has it.
    """
    path = _lock_path(settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ServiceError(f"{path} cannot be written: {error.strerror}. Check LOUPAN_DATA_DIR.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ServiceError(
                f"A service or `loupan orchestrate` runs on {settings.data_dir} already. Look with `loupan service "
                "status`, stop it with `loupan service stop` (or Ctrl-C), or choose another LOUPAN_DATA_DIR."
            ) from error
        os.set_inheritable(descriptor, through_exec)
        yield
    finally:
        os.close(descriptor)


def is_held(settings: Settings) -> bool:
    """Say whether a service or `loupan orchestrate` runs on the data folder."""
    try:
        with _lock_path(settings).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def running_pid(settings: Settings) -> int | None:
    """Return the number of the supervisor's process, None where no service runs."""
    if not is_held(settings):
        return None
    try:
        return int(place_of(settings).pid_file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def require_free(host: str, port: int, option: str) -> None:
    """Raise `ServiceError` if nobody can listen at an address: a supervised program would only fail again and again."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ServiceError(
                f"Cannot listen on {host}:{port}: {error.strerror}. Choose another with {option}."
            ) from error
