"""A drop folder: a supplier lays files into it, the hub takes each complete one, oldest first."""

import fnmatch
import hashlib
import os
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.base import LandedFile, SourceAccess, SourceFacts
from connectors.sources.archive import archive_stream, open_regular
from connectors.sources.first_look import LOOKED_AT, judged
from core.errors import Misconfigured

UNFINISHED = ("*.tmp", "*.part", "*.partial", "*.filepart", "*.crdownload", "*~")
"""Names that programs give to files they are still writing; the finished file is renamed."""
LONGEST_NAME = 255 - 9
"""Bytes of a file's name that are kept beside eight digits of its hash."""
TAKEN = "taken"
"""Subfolder for files that became a run. Nothing of a supplier is deleted."""


class DropFolder:
    """The files lying directly in the folder `path`.

    A file is complete when it was left alone for `pause` seconds: by its change time, else by its size and times
    at two looks. The caller remembers the last file by its hash; a file with that hash is recorded already and moves
    to `taken`, so a crash between landing a file and recording it lands the same file again. Hidden files, unfinished
    names, links and everything in subfolders are left alone. `wait` and `clock` are replaced in tests.
    """

    many = True

    def __init__(
        self,
        path: str | Path,
        *,
        access: SourceAccess | None = None,
        pause: float = 0.5,
        wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path, self._pause, self._wait, self._clock = Path(path), pause, wait, clock

    @property
    def remembered(self) -> dict[str, Any]:
        """Nothing: the hash of the last file is enough."""
        return {}

    def fetch(self, into: Path, last: str | None) -> LandedFile | None:
        """The oldest complete file, copied into the archive `into`; None where there is none but those taken.

        Raises Misconfigured where the folder is not there, or files cannot be read or moved in it.
        """
        try:
            for file, traits in self._complete().items():
                landed = self._take(file, traits, into, last)
                if landed is not None:
                    return landed
        except OSError as error:
            raise Misconfigured(
                f"The drop folder {self._path} cannot be used: {error}. The hub must be able to read it and to move "
                f"files into its subfolder {TAKEN!r}."
            ) from None
        return None

    def test(self) -> SourceFacts:
        """What lies in the folder: the file that would be taken next. Raises as `fetch` does."""
        try:
            waiting = self._look()
            if not os.access(self._path, os.W_OK | os.X_OK):
                raise PermissionError("the hub may not move files in it")
            for file, (changed, size, *_) in waiting.items():
                with open_regular(file) as source:
                    looks, start, warning = judged(source.read(LOOKED_AT))
                more = (f"{len(waiting)} files wait; the oldest comes first.",) if len(waiting) > 1 else ()
                return SourceFacts(
                    name=file.name,
                    bytes=size,
                    changed_at=datetime.fromtimestamp(changed / 1e9, UTC),
                    looks=looks,
                    start=start,
                    warnings=((warning,) if warning else ()) + more,
                )
        except OSError as error:
            raise Misconfigured(f"The drop folder {self._path} cannot be used: {error}.") from None
        return SourceFacts(warnings=("The folder is there and no file waits in it.",))

    def _complete(self) -> dict[Path, tuple[int, ...]]:
        """Every complete file, oldest first. Waits only as long as the youngest change is not past."""
        first, present = self._look(), self._clock()
        youngest = max((traits[3] / 1e9 for traits in first.values()), default=present - self._pause)
        if present - youngest >= self._pause:
            return first
        self._wait(min(self._pause, youngest + self._pause - present))
        return {file: traits for file, traits in self._look().items() if first.get(file) == traits}

    def _look(self) -> dict[Path, tuple[int, ...]]:
        """Every candidate and what changes while it is written, oldest first."""
        found = {}
        with os.scandir(self._path) as entries:
            for entry in entries:
                if entry.name.startswith(".") or any(
                    fnmatch.fnmatch(entry.name.lower(), mask) for mask in UNFINISHED
                ):
                    continue
                traits = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(traits.st_mode):
                    found[Path(entry.path)] = _traits(traits)
        return dict(sorted(found.items(), key=lambda pair: (pair[1][0], pair[0].name)))

    def _take(self, file: Path, traits: tuple[int, ...], into: Path, last: str | None) -> LandedFile | None:
        """Lands one file; None where it is the recorded one, which is put aside, or changed while it was read."""
        with open_regular(file) as source:
            known = last is not None and hashlib.file_digest(source, "sha256").hexdigest() == last
            source.seek(0)
            landed = None if known else archive_stream(source, into, file.name)
            now = os.fstat(source.fileno())
        if _traits(now) != traits:
            return None
        if known and last is not None:
            self._put_aside(file, last)
        return landed

    def _put_aside(self, file: Path, sha256: str) -> None:
        taken = self._path / TAKEN
        taken.mkdir(exist_ok=True)
        kept = os.fsdecode(
            os.fsencode(file.name)[-LONGEST_NAME:]
        )  # with the hash in front it must still be a name
        file.rename(taken / f"{sha256[:8]}-{kept}")


def _traits(traits: os.stat_result) -> tuple[int, ...]:
    return traits.st_mtime_ns, traits.st_size, traits.st_ino, traits.st_ctime_ns
