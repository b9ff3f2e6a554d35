"""What the contract of sources is run against: a folder, an https server, an SFTP server and a paged API, all real."""

import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connectors.base import FeedSource, SourceAccess
from connectors.sources.api import JsonApi
from connectors.sources.folder import DropFolder
from connectors.sources.sftp import SftpFolder
from connectors.sources.url import WebFile
from core.guard import Guard
from tests.file_server import FileHost, file_host
from tests.sftp_server import PASSWORD, USER, SftpHost, sftp_host

SECRET = "canary-feed-password"


def access(
    secret: dict[str, str] | None = None, state: dict[str, Any] | None = None, limit: int = 10**9
) -> SourceAccess:
    """What the hub gives a source, with this machine allowed as a private host."""
    return SourceAccess(guard=Guard({"127.0.0.1"}), secret=secret or {}, state=state or {}, limit=limit)


class Rig(ABC):
    """A supplier's side of one kind of source. `put` publishes records; `bytes_of` is the file they become."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.secrets = folder, (SECRET, PASSWORD)

    @abstractmethod
    def put(self, records: list[dict[str, str]], name: str = "list.csv") -> None:
        """Publishes the records."""

    def bytes_of(self, records: list[dict[str, str]]) -> bytes:
        return ("sku;title\n" + "".join(f"{r['sku']};{r['title']}\n" for r in records)).encode()

    @abstractmethod
    def source(self, state: dict[str, Any] | None = None, limit: int = 10**9) -> FeedSource:
        """The source as the hub uses it."""

    @abstractmethod
    def wrong(self) -> FeedSource:
        """A source whose credentials are wrong; for the folder, one that is not there."""

    def hanging(self) -> FeedSource | None:
        """A source whose server takes the question and says nothing, waited for a moment only."""
        return None


class FolderRig(Rig):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.drop = folder / "drop"
        self.drop.mkdir()

    def put(self, records: list[dict[str, str]], name: str = "list.csv") -> None:
        (self.drop / name).write_bytes(self.bytes_of(records))

    def source(self, state: dict[str, Any] | None = None, limit: int = 10**9) -> FeedSource:
        return DropFolder(self.drop, access=access(state=state, limit=limit), wait=lambda seconds: None)

    def wrong(self) -> FeedSource:
        return DropFolder(self.folder / "absent", access=access())


class UrlRig(Rig):
    def __init__(self, folder: Path, host: FileHost) -> None:
        super().__init__(folder)
        self.host = host

    def put(self, records: list[dict[str, str]], name: str = "list.csv") -> None:
        self.host.content = self.bytes_of(records)

    def source(self, state: dict[str, Any] | None = None, limit: int = 10**9, **options: Any) -> FeedSource:
        self.host.needs = {"Authorization": "Bearer " + SECRET}
        return self._made(SECRET, state, limit, **options)

    def wrong(self) -> FeedSource:
        self.host.needs = {"Authorization": "Bearer right"}
        return self._made(SECRET)

    def hanging(self) -> FeedSource:
        from tests.file_server import hang

        self.host.script.append(hang)
        return self._made(SECRET, seconds=0.1)

    def _made(
        self, secret: str, state: dict[str, Any] | None = None, limit: int = 10**9, **options: Any
    ) -> FeedSource:
        return WebFile(
            self.host.url(), {"kind": "bearer"}, str(self.host.ca_file),
            access=access({"secret": secret}, state, limit), sleep=lambda seconds: None, **options,
        )  # fmt: skip


class ApiRig(UrlRig):
    def bytes_of(self, records: list[dict[str, str]]) -> bytes:
        return b"".join(json.dumps(r, separators=(",", ":")).encode() + b"\n" for r in records)

    def _made(
        self, secret: str, state: dict[str, Any] | None = None, limit: int = 10**9, **options: Any
    ) -> FeedSource:
        return JsonApi(
            self.host.url("/pages"), "items", {"kind": "page", "param": "page"}, {"kind": "bearer"}, str(self.host.ca_file),
            access=access({"secret": secret}, state, limit), sleep=lambda seconds: None, **options,
        )  # fmt: skip


class SftpRig(Rig):
    def __init__(self, folder: Path, host: SftpHost) -> None:
        super().__init__(folder)
        self.host, self.clock = host, 1_700_000_000

    def put(self, records: list[dict[str, str]], name: str = "list.csv") -> None:
        self.clock += 60
        (self.host.root / name).write_bytes(self.bytes_of(records))
        os.utime(self.host.root / name, (self.clock, self.clock))

    def source(self, state: dict[str, Any] | None = None, limit: int = 10**9, **options: Any) -> FeedSource:
        return self._made(PASSWORD, state, limit, **options)

    def wrong(self) -> FeedSource:
        return self._made(SECRET)

    def hanging(self) -> FeedSource:
        self.host.fault = "silent"
        return self._made(PASSWORD, seconds=0.2)

    def _made(
        self, secret: str, state: dict[str, Any] | None = None, limit: int = 10**9, **options: Any
    ) -> FeedSource:
        given = {
            "pattern": "*.csv",
            "fingerprint": self.host.fingerprint,
            "wait": lambda seconds: None,
            **options,
        }
        return SftpFolder(
            "127.0.0.1", USER, port=self.host.port, access=access({"secret": secret}, state, limit), **given
        )


@contextmanager
def rig(kind: str, folder: Path) -> Iterator[Rig]:
    """The supplier's side of a source of this kind."""
    if kind == "folder":
        yield FolderRig(folder)
    elif kind == "sftp":
        root = folder / "sftp"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        with sftp_host(root) as host:
            yield SftpRig(folder, host)
    else:
        with file_host(folder) as served:
            yield {"url": UrlRig, "api": ApiRig}[kind](folder, served)
