"""A real SFTP server on this machine (paramiko's), over a folder of the test's own; it can hang, stop short and count."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko

USER, PASSWORD = "nordlicht", "canary-sftp-password"


class SftpHost:
    """What the server serves and does: `root` is its folder, `logins` whom it let try, `fault` how it misbehaves."""

    def __init__(self, root: Path) -> None:
        self.root, self.port = root, 0
        self.key: paramiko.PKey = paramiko.ECDSAKey.generate()
        self.user_key: paramiko.PKey = paramiko.ECDSAKey.generate()
        self.logins: list[tuple[str, str]] = []
        self.connections, self.fault, self.read_only = 0, "", False
        self.hold = threading.Event()

    @property
    def fingerprint(self) -> str:
        return str(self.key.fingerprint)


class _Door(paramiko.ServerInterface):
    def __init__(self, host: SftpHost) -> None:
        self.host = host

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_auth_password(self, username: str, password: str) -> int:
        self.host.logins.append((username, password))
        right = (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self.host.logins.append((username, str(key.fingerprint)))
        right = username == USER and key.fingerprint == self.host.user_key.fingerprint
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


class _Handle(paramiko.SFTPHandle):
    host: SftpHost
    readfile: Any

    def read(self, offset: int, length: int) -> Any:
        if self.host.fault == "hang":
            self.host.hold.wait(30)
        if self.host.fault == "cut" and offset > 0:
            raise EOFError
        return super().read(offset, length)

    def stat(self) -> Any:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class _Files(paramiko.SFTPServerInterface):
    host: SftpHost

    def _real(self, path: str) -> Path:
        return self.host.root / self.canonicalize(path).lstrip("/")

    def list_folder(self, path: str) -> Any:
        try:
            found = []
            for file in self._real(path).iterdir():
                entry = paramiko.SFTPAttributes.from_stat(file.lstat())
                entry.filename = file.name
                found.append(entry)
            return found
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(self._real(path).stat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    lstat = stat

    def open(self, path: str, flags: int, attr: Any) -> Any:
        try:
            opened = self._real(path).open("rb")
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        handle = _Handle(flags)
        handle.host, handle.readfile = self.host, opened
        return handle

    def remove(self, path: str) -> int:
        return self._change(lambda: self._real(path).unlink())

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        return self._change(lambda: self._real(oldpath).rename(self._real(newpath)))

    def mkdir(self, path: str, attr: Any) -> int:
        return self._change(lambda: self._real(path).mkdir())

    def _change(self, change: Any) -> int:
        if self.host.read_only:
            return paramiko.SFTP_PERMISSION_DENIED
        try:
            change()
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return paramiko.SFTP_OK


@contextmanager
def sftp_host(root: Path) -> Iterator[SftpHost]:
    """A server over `root` for as long as the block lasts."""
    host = SftpHost(root)
    files = type("Files", (_Files,), {"host": host})
    listener = socket.create_server(("127.0.0.1", 0))
    host.port = listener.getsockname()[1]
    transports: list[Any] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            host.connections += 1
            if host.fault == "silent":
                transports.append(connection)
                continue
            transport = paramiko.Transport(connection)
            transports.append(transport)
            transport.add_server_key(host.key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, files)
            threading.Thread(target=_greet, args=(transport, host), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        host.hold.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
        for transport in transports:
            transport.close()


def _greet(transport: paramiko.Transport, host: SftpHost) -> None:
    try:
        transport.start_server(server=_Door(host))
    except (paramiko.SSHException, EOFError, OSError):
        transport.close()  # the client left, which is its right
