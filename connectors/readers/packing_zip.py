"""What a zip file claims about itself, judged before anything of it is unpacked."""

import re
import stat
import zipfile
from pathlib import Path

from core.errors import Refused

MAX_MEMBERS = 10_000
MAX_WORKBOOK_BYTES = 2 << 30
"""Unpacked XML of a workbook; a million rows of twenty cells are about 1 GB."""
MAX_RATIO = 250
FREE_BYTES = 64 << 20
"""Below this no ratio is asked for: repeated rows pack well."""
_TRICK = re.compile(r"(^|[/\\])\.\.([/\\]|$)|^[/\\]|^[A-Za-z]:|\0|^$")


def opened(file: Path) -> zipfile.ZipFile:
    """The zip file. Raises Refused where it is damaged or has more than MAX_MEMBERS members."""
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise Refused(
            f"{file.name} is a damaged zip archive ({str(error)[:100]}); send it again.",
            rule="archive_damaged",
        ) from None
    if len(archive.infolist()) > MAX_MEMBERS:
        archive.close()
        raise Refused(
            f"{file.name} has over {MAX_MEMBERS} files in it; send the feed alone.", rule="archive_unsafe"
        )
    return archive


def office_kind(file: Path) -> str:
    """ "xlsx" or "ods" for a workbook, "zip" for an archive. Raises Refused for another office document."""
    with opened(file) as archive:
        names = {name.replace("\\", "/").lower() for name in archive.namelist()}
        if "xl/workbook.bin" in names:
            raise Refused(
                f"{file.name} is a binary Excel workbook (xlsb); save it as xlsx.", rule="unsupported_format"
            )
        if "[content_types].xml" in names:
            if any(name.startswith("xl/") for name in names):
                return "xlsx"
            raise Refused(
                f"{file.name} is an office document, not a list; send it as xlsx.", rule="not_a_feed"
            )
        if "mimetype" in names and "content.xml" in names:
            kind = _first_bytes(archive, "mimetype")
            if b"spreadsheet" in kind:
                return "ods"
            raise Refused(
                f"{file.name} is an office document, not a list; send it as ods.", rule="not_a_feed"
            )
    return "zip"


def check_sizes(file: Path) -> None:
    """Raises Refused where a workbook says that it is a bomb; what it does not say its reader's limits find."""
    if not zipfile.is_zipfile(file):
        return
    with opened(file) as archive:
        declared = sum(member.file_size for member in archive.infolist())
    if declared > MAX_WORKBOOK_BYTES or (
        declared > FREE_BYTES and declared > MAX_RATIO * file.stat().st_size
    ):
        raise Refused(
            f"{file.name} would unpack to {declared // 2**20} MB; a workbook of that kind is not opened, send CSV.",
            rule="too_large",
        )


def check_safe(file: Path, archive: zipfile.ZipFile) -> None:
    """Raises Refused where a member is encrypted, is a link, or is named to land outside the folder."""
    for member in archive.infolist():
        if member.flag_bits & 1:
            raise Refused(f"{file.name} is protected with a password; send it without one.", rule="protected")
        if _TRICK.search(member.orig_filename) or stat.S_ISLNK(member.external_attr >> 16):
            raise Refused(
                f"{file.name} holds {member.filename[:100]!r}, which is a link or no plain file name; "
                "pack the feed again, alone.",
                rule="archive_unsafe",
            )


def _first_bytes(archive: zipfile.ZipFile, wanted: str) -> bytes:
    """The beginning of the member of that name in any case, b"" where it cannot be read."""
    name = next(name for name in archive.namelist() if name.lower() == wanted)
    try:
        with archive.open(name) as stream:
            return stream.read(200)
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError):
        return b""
