"""An SFTP server: the newest complete file of a folder, from a server whose key a person has confirmed."""

import fnmatch
import io
import logging
import posixpath
import socket
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from connectors.base import LandedFile, SourceAccess, SourceFacts
from connectors.sources.archive import archive_fetched
from connectors.sources.first_look import LOOKED_AT, judged
from connectors.sources.folder import UNFINISHED
from core.errors import Misconfigured, Temporary

CONNECT_SECONDS = 5.0
SILENCE = 30.0
"""Seconds the server may say nothing."""
TOTAL = 900.0
CHUNK = 256 * 1024
MOST_FILES = 50_000
IN_FLIGHT = 64
"""Pieces of 32 kB asked for ahead: enough for a slow line, and 2 MB of memory."""
AFTER = ("keep", "move", "delete")

logging.getLogger("paramiko").setLevel(logging.CRITICAL)
# It logs whole tracebacks of what reaches the owner as one sentence.

_KINDS: tuple[tuple[type, Callable[..., paramiko.PKey]], ...] = (
    (ed25519.Ed25519PrivateKey, paramiko.Ed25519Key),
    (ec.EllipticCurvePrivateKey, paramiko.ECDSAKey),
    (rsa.RSAPrivateKey, paramiko.RSAKey),
)
Traits = tuple[float, int]
"""When a file was last changed, in seconds of the server's clock, and its size in bytes."""


class SftpFolder:
    """The newest complete file of `path` whose name matches `pattern`.

    A file is complete when its size and time are the same at two looks `pause` seconds apart, and still after it was
    read. `fingerprint` ("SHA256:…", as `ssh-keygen -l` prints it) pins the server's key: without it no credentials are sent.
    What is remembered is the file taken last; once it is recorded it may be moved into `move_to` or deleted, as
    `after` says. `wait` and `seconds` (the longest silence) are replaced in tests.
    """

    many = True

    def __init__(
        self,
        host: str,
        user: str,
        path: str = ".",
        pattern: str = "*",
        port: int = 22,
        fingerprint: str | None = None,
        after: str = "keep",
        move_to: str = "taken",
        *,
        access: SourceAccess,
        pause: float = 1.0,
        wait: Callable[[float], None] = time.sleep,
        seconds: float = SILENCE,
    ) -> None:
        if after not in AFTER:
            raise Misconfigured(f"After taking a file {after!r} is not known; there are {', '.join(AFTER)}.")
        self._host, self._port, self._user = host, port, user
        self._path, self._pattern, self._pinned = path, pattern, fingerprint
        self._after, self._move_to, self._access = after, move_to, access
        self._pause, self._wait, self._seconds = pause, wait, seconds
        self._name = f"The SFTP server {host}"
        self._taken: Mapping[str, Any] = access.state.get("taken") or {}

    @property
    def remembered(self) -> dict[str, Any]:
        """The file taken last: {"taken": {"name", "bytes", "mtime"}}, with "aside" once it was moved or deleted."""
        return {"taken": dict(self._taken)} if self._taken else {}

    def fetch(self, into: Path, last: str | None) -> LandedFile | None:
        """The newest complete file, copied into the archive `into`; None where none is newer than the one taken last."""
        with self._opened() as sftp:
            if last is not None:
                self._put_aside(sftp)
            first = self._news(sftp)
            if not first:
                return None
            self._wait(self._pause)
            second = self._news(sftp)
            for name, traits in second.items():
                if first.get(name) != traits:
                    continue
                landed = self._take(sftp, name, traits, into)
                if landed is not None:
                    mtime, size = traits
                    self._taken = {"name": name, "bytes": size, "mtime": mtime}
                    return None if landed.sha256 == last else landed
        return None

    def test(self) -> SourceFacts:
        """First contact: only the server's fingerprint, nothing is sent. Once that is pinned: the newest file."""
        if self._pinned is None:
            with self._transport() as transport:
                return SourceFacts(
                    fingerprint=_fingerprint(transport),
                    warnings=(
                        "Compare the fingerprint with what the supplier told you, then pin it: before that no password is sent.",
                    ),
                )
        with self._opened() as sftp:
            files = self._files(sftp)
            if not files:
                return SourceFacts(
                    fingerprint=self._pinned,
                    warnings=(f"The folder is there, and no file in it matches {self._pattern}.",),
                )
            name, (mtime, size) = next(iter(files.items()))
            with sftp.open(posixpath.join(self._path, name), "rb") as file:
                looks, start, warning = judged(file.read(LOOKED_AT))
        return SourceFacts(
            name=name, bytes=size, changed_at=datetime.fromtimestamp(mtime, UTC), looks=looks, start=start,
            fingerprint=self._pinned, warnings=(warning,) if warning else (),
        )  # fmt: skip

    def _files(self, sftp: paramiko.SFTPClient) -> dict[str, Traits]:
        """Every finished-looking file that matches, the newest first."""
        found: dict[str, Traits] = {}
        for count, entry in enumerate(sftp.listdir_iter(self._path), 1):
            if count > MOST_FILES:
                raise Misconfigured(
                    f"{self._name} has more than {MOST_FILES:,} entries in {self._path}; have old files removed."
                )
            name = entry.filename
            hidden = name.startswith(".") or any(fnmatch.fnmatch(name.lower(), mask) for mask in UNFINISHED)
            if hidden or "/" in name or not fnmatch.fnmatchcase(name, self._pattern):
                continue
            if stat.S_ISREG(entry.st_mode or 0):
                found[name] = float(entry.st_mtime or 0), int(entry.st_size or 0)
        return dict(sorted(found.items(), key=lambda pair: (pair[1][0], pair[0]), reverse=True))

    def _news(self, sftp: paramiko.SFTPClient) -> dict[str, Traits]:
        """The files that came after the one taken last; what is older than that is old news."""
        if not self._taken:
            return self._files(sftp)
        name, mark = self._taken["name"], (self._taken["mtime"], self._taken["name"])
        known: Traits = (self._taken["mtime"], self._taken["bytes"])
        return {
            file: traits
            for file, traits in self._files(sftp).items()
            if (file == name and traits != known) or (file != name and (traits[0], file) > mark)
        }

    def _take(self, sftp: paramiko.SFTPClient, name: str, traits: Traits, into: Path) -> LandedFile | None:
        """Lands one file; None where it changed while it was read."""
        path = posixpath.join(self._path, name)
        mtime, size = traits
        try:
            with sftp.open(path, "rb") as file:
                file.prefetch(size, IN_FLIGHT)
                landed = archive_fetched(
                    self._pieces(file),
                    into,
                    _plain(name),
                    self._access.limit,
                    datetime.fromtimestamp(mtime, UTC),
                )
            now = sftp.stat(path)
        except FileNotFoundError:
            return None
        same = (float(now.st_mtime or 0), int(now.st_size or 0)) == traits and landed.bytes == size
        return landed if same else None

    def _pieces(self, file: paramiko.SFTPFile) -> Iterator[bytes]:
        ends = time.monotonic() + TOTAL
        try:
            while piece := file.read(CHUNK):
                yield piece
                if time.monotonic() > ends:
                    raise Temporary(f"{self._name} took longer than {TOTAL:g} s for one file.")
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._lost(error) from None

    def _put_aside(self, sftp: paramiko.SFTPClient) -> None:
        """Moves or deletes the file taken last, which is recorded by now, unless another one bears its name."""
        if self._after == "keep" or not self._taken or self._taken.get("aside"):
            return
        path = posixpath.join(self._path, self._taken["name"])
        try:
            now = sftp.stat(path)
            if (float(now.st_mtime or 0), int(now.st_size or 0)) == (
                self._taken["mtime"],
                self._taken["bytes"],
            ):
                self._remove(sftp, path)
        except FileNotFoundError:
            pass  # somebody else has put it away
        except OSError as error:
            raise Misconfigured(
                f"{self._name} does not let the hub {self._after} {_plain(self._taken['name'])} ({_words(error)}); "
                "ask for the right, or choose to leave files where they are."
            ) from None
        self._taken = {**self._taken, "aside": True}

    def _remove(self, sftp: paramiko.SFTPClient, path: str) -> None:
        if self._after == "delete":
            sftp.remove(path)
            return
        folder = posixpath.join(self._path, self._move_to)
        try:
            sftp.stat(folder)
        except FileNotFoundError:
            sftp.mkdir(folder)
        sftp.posix_rename(path, posixpath.join(folder, self._taken["name"]))

    @contextmanager
    def _opened(self) -> Iterator[paramiko.SFTPClient]:
        """An SFTP session with a server that showed the pinned key."""
        if self._pinned is None:
            raise Misconfigured(
                f"{self._name} is not confirmed yet: test the source, compare the fingerprint it shows, and pin it."
            )
        with self._transport() as transport:
            shown = _fingerprint(transport)
            if shown != self._pinned:
                raise Misconfigured(
                    f"{self._name} shows another key ({shown}) than the one pinned ({self._pinned}). Nothing was sent to "
                    "it. Ask the supplier whether he changed it; then test the source and pin the new one."
                )
            self._log_in(transport)
            sftp = paramiko.SFTPClient.from_transport(transport)
            if sftp is None or (channel := sftp.get_channel()) is None:
                raise Misconfigured(f"{self._name} lets the hub in but offers no SFTP.")
            channel.settimeout(self._seconds)
            yield sftp

    @contextmanager
    def _transport(self) -> Iterator[paramiko.Transport]:
        """An encrypted connection; nobody is logged in yet. Turns what breaks in the block into our own errors."""
        try:
            connection = self._access.guard.connect(self._host, self._port, CONNECT_SECONDS)
        except OSError as error:
            raise Temporary(f"{self._name} cannot be reached ({_words(error)}).") from None
        transport = paramiko.Transport(connection)
        try:
            transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = self._seconds
            transport.start_client(timeout=self._seconds)
            yield transport
        except FileNotFoundError:
            raise Misconfigured(
                f"{self._name} has no folder {self._path}; check it, or ask the supplier."
            ) from None
        except PermissionError:
            raise Misconfigured(
                f"{self._name} does not let the hub read {self._path}; ask for the right."
            ) from None
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._lost(error) from None
        finally:
            transport.close()

    def _log_in(self, transport: paramiko.Transport) -> None:
        """Raises Misconfigured where the server does not take password or key."""
        secret, pem = self._access.secret.get("secret", ""), self._access.secret.get("private_key", "")
        if not secret and not pem:
            raise Misconfigured(f"{self._name} needs a password or a private key, and none is stored.")
        try:
            if pem:
                transport.auth_publickey(self._user, private_key(pem, secret))
            else:
                transport.auth_password(self._user, secret)
        except paramiko.BadAuthenticationType as error:
            ways = ", ".join(error.allowed_types)
            raise Misconfigured(f"{self._name} lets nobody in this way; it takes: {ways}.") from None
        except paramiko.AuthenticationException:
            what = "key" if pem else "password"
            raise Misconfigured(
                f"{self._name} does not accept the user {self._user} with this {what}."
            ) from None
        if not transport.is_authenticated():
            raise Misconfigured(f"{self._name} asks for more than one way to log in, which the hub has not.")

    def _lost(self, error: BaseException) -> Temporary:
        if isinstance(error, TimeoutError | socket.timeout):
            return Temporary(f"{self._name} was silent for {self._seconds:g} s.")
        if isinstance(error, paramiko.SSHException) and "banner" in str(error).lower():
            return Temporary(
                f"{self._name} did not greet as an SSH server within {self._seconds:g} s; check the port {self._port}, else wait."
            )
        return Temporary(f"{self._name} broke the connection ({_words(error)}); the hub looks again later.")


def private_key(pem: str, passphrase: str = "") -> paramiko.PKey:
    """A private key from its PEM, PKCS#8 or OpenSSH text. Raises Misconfigured where it is none, or the passphrase is wrong."""
    text = "\n".join(line.strip() for line in pem.strip().splitlines()) + "\n"  # a form sends CR LF
    if text.startswith("PuTTY"):
        raise Misconfigured(
            "The private key is PuTTY's own form: export it with PuTTYgen as an OpenSSH key, and enter that."
        )
    load = (
        serialization.load_ssh_private_key
        if "OPENSSH PRIVATE" in text
        else serialization.load_pem_private_key
    )
    for password in (passphrase.encode() or None, None):  # a passphrase that no key needs does no harm
        try:
            opened = load(text.encode(), password)
            plain = opened.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            )
            kind = next(kind for family, kind in _KINDS if isinstance(opened, family))
            return kind(file_obj=io.StringIO(plain.decode()))
        except TypeError:  # with a password for an open key, or without one for a locked one
            if password is None and not passphrase:
                raise Misconfigured("The private key has a passphrase; enter it as well.") from None
        except (ValueError, StopIteration, UnsupportedAlgorithm, paramiko.SSHException):
            break
    raise Misconfigured(
        "The private key cannot be used: it must be an Ed25519, ECDSA or RSA key in OpenSSH or PEM form, with its passphrase."
    )


def _fingerprint(transport: paramiko.Transport) -> str:
    return str(transport.get_remote_server_key().fingerprint)


def _plain(name: str) -> str:
    return "".join(sign for sign in name if sign.isprintable())[-255:] or "file"


def _words(error: BaseException) -> str:
    text = str(getattr(error, "strerror", "") or error) or type(error).__name__
    return " ".join(text.split())[:200]
