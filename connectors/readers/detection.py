"""What a file is and how its text is encoded, told from its bytes before any reader touches it."""

import codecs
import json
import re
from dataclasses import dataclass
from pathlib import Path

from connectors.readers.legacy import guess_legacy
from connectors.readers.packing_zip import office_kind
from connectors.registry import READERS
from core.errors import Refused

SAMPLE_BYTES = 1 << 18
UNDECODABLE = (
    "entrepot.undecodable"  # as `errors`: each undecodable byte becomes a lone surrogate, in any encoding
)
CHUNK_BYTES = 1 << 20

GZIP, BZIP2, XZ, ZIP = "gz", "bz2", "xz", "zip"
ARCHIVES = (GZIP, BZIP2, XZ, ZIP)
WORKBOOKS = ("xlsx", "xls", "ods")

# First bytes of archives, of what is no feed, or no feed yet (source: the formats' own specifications).
_PACKED = (
    (b"\x1f\x8b", GZIP),
    (b"BZh", BZIP2),
    (b"\xfd7zXZ\0", XZ),
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
)
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"7z\xbc\xaf", "unsupported_format", "a 7z archive; send it as zip or gz"),
    (b"Rar!", "unsupported_format", "a RAR archive; send it as zip or gz"),
    (b"\x28\xb5\x2f\xfd", "unsupported_format", "a zstd archive; send it as zip or gz"),
    (b"PAR1", "unsupported_format", "a Parquet file; send a CSV or XML file"),
    (b"SQLite format 3", "unsupported_format", "an SQLite database; send a CSV or XML file"),
    (b"%PDF", "not_a_feed", "a PDF document; send a CSV or XML file"),
    (b"{\\rtf", "not_a_feed", "a text document (RTF); send a CSV or XML file"),
    (b"\x89PNG", "not_a_feed", "a PNG picture; send a CSV or XML file"),
    (b"\xff\xd8\xff", "not_a_feed", "a JPEG picture; send a CSV or XML file"),
    (b"GIF8", "not_a_feed", "a GIF picture; send a CSV or XML file"),
    (b"RIFF", "not_a_feed", "a picture or sound file; send a CSV or XML file"),
    (b"II*\x00", "not_a_feed", "a TIFF picture; send a CSV or XML file"),
    (b"MM\x00*", "not_a_feed", "a TIFF picture; send a CSV or XML file"),
    (b"\x7fELF", "not_a_feed", "a program; send a CSV or XML file"),
)
_WORKBOOK = tuple(name.encode("utf-16-le") for name in ("Workbook", "WORKBOOK", "Book", "BOOK"))
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_HTML = re.compile(r"(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.I | re.S)
_JSON = re.compile(r'(\{\s*("|\}|$)|\[\s*([\[{"\]]|$))')
_EDIFACT = re.compile(r"(UNA..(.)...\s*)?UN[BH](?(1).|\+)", re.S)  # ISO 9735: UNA names the separators
_X12 = re.compile(r"ISA[*|~^:]")
_CIF = re.compile(r"CIF_I_V\d", re.I)
_READ_NOW = "supported now: CSV, Google RSS/Atom XML, Heureka XML"
_NAMES = {"json": "JSON", "jsonl": "JSON", "edifact": "EDI", "cif": "an Ariba CIF catalogue"}
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NO_ENCODINGS = frozenset(("idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "utf-7"))
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


def _lone_surrogates(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff" * (error.end - error.start), error.end


codecs.register_error(UNDECODABLE, _lone_surrogates)


@dataclass(frozen=True, slots=True)
class Encoding:
    """A Python codec's name; `certain` where a BOM or valid UTF-8 proves it, `ascii` where nothing needs it."""

    name: str
    certain: bool = True
    ascii: bool = False


def format_of(file: Path) -> str:
    """The key of connectors.registry.READERS that reads `file`, or one of ARCHIVES.

    Raises Refused where it is no feed at all, or none that is read.
    """
    with file.open("rb") as stream:
        head = stream.read(SAMPLE_BYTES)
    if not head:
        raise Refused(f"{file.name} is empty; send the feed again.", rule="empty_file")
    for magic, rule, sentence in _SIGNATURES:
        if head.startswith(magic):
            raise Refused(f"{file.name} is {sentence}.", rule=rule)
    found = next((kind for magic, kind in _PACKED if head.startswith(magic)), "")
    if found == ZIP:
        found = office_kind(file)
    elif found == "xls":
        _check_ole(file)
    elif not found:
        if head[257:262] == b"ustar":
            raise Refused(f"{file.name} is a tar archive; send it as zip or gz.", rule="unsupported_format")
        found = _written(file, head)
    if found not in READERS and found not in ARCHIVES:
        raise Refused(
            f"{file.name} is {_NAMES[found]}, which is not read yet; {_READ_NOW}.", rule="unsupported_format"
        )
    return found


def _check_ole(file: Path) -> None:
    """An OLE compound file names its streams in UTF-16 (MS-CFB 2.6.1): a workbook has one named Workbook or Book."""
    content = file.read_bytes()
    if _ENCRYPTED in content:
        raise Refused(f"{file.name} is protected with a password; save it without one.", rule="protected")
    if not any(name in content for name in _WORKBOOK):
        raise Refused(
            f"{file.name} is an old Word file or another document; send a workbook or CSV.", rule="not_a_feed"
        )


def _written(file: Path, head: bytes) -> str:
    """Which of the formats made of text it is."""
    text = decode_sample(head, encoding_of_bytes(head).name).lstrip()
    if not text:
        raise Refused(f"{file.name} holds nothing but blank space; send the feed again.", rule="empty_file")
    if text.count("\0") + sum(text.count(chr(code)) for code in range(1, 9)) > 3 + len(text) // 200:
        raise Refused(f"{file.name} is binary, not a feed; send a CSV or XML file.", rule="not_a_feed")
    if _HTML.match(text):
        raise Refused(
            f"{file.name} is a web page, not a feed; check the address or the log-in it was fetched with.",
            rule="not_a_feed",
        )
    if _X12.match(text):
        raise Refused(
            f"{file.name} is ANSI X12, of which nothing is read; send EDIFACT PRICAT, CSV or XML.",
            rule="unsupported_format",
        )
    if _EDIFACT.match(text):
        return "edifact"
    if _CIF.match(text):
        return "cif"
    if _JSON.match(text):
        return "jsonl" if _is_lines(text) else "json"
    return "xml" if text.startswith("<") else "csv"


def _is_lines(text: str) -> bool:
    """Whether the first line is a whole object (or array) and the next begins another."""
    first, ended, rest = text.partition("\n")
    if not ended or not first.rstrip().endswith(("}", "]")) or not rest.lstrip().startswith(first[0]):
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


def encoding_of(file: Path, pinned: str | None = None) -> Encoding:
    """How the whole file is encoded: a BOM, else UTF-8 where (nearly) all of it is, else the likeliest code page.

    Every byte is looked at, so that one umlaut in the last row does not come as a surprise. What was `pinned`
    stays where the bytes only suggest another: a delivery without umlauts is no change of encoding.
    """
    found = _looked_at(file)
    unproved = found.ascii or not found.certain
    if (
        pinned
        and pinned != found.name
        and unproved
        and not pinned.startswith(("utf-16", "utf-32"))
        and _decodes(file, pinned)
    ):
        return Encoding(pinned, certain=False)
    return found


def _decodes(file: Path, encoding: str) -> bool:
    try:
        with file.open(encoding=encoding) as stream:
            while stream.read(CHUNK_BYTES):
                pass
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def _looked_at(file: Path) -> Encoding:
    with file.open("rb") as stream:
        head = stream.read(SAMPLE_BYTES)
        marked = _by_mark(head)
        if marked:
            return marked
        decoder = codecs.getincrementaldecoder("utf-8")()
        odd = bytearray()  # only pieces with high bytes, as many as a guess can use
        chunk, is_ascii, valid = head, True, True
        while chunk:
            if not chunk.isascii():
                is_ascii = False
                if len(odd) < SAMPLE_BYTES:
                    odd += b"\n".join(line for line in chunk.splitlines() if not line.isascii())[
                        :SAMPLE_BYTES
                    ]
            if valid and (decoder.getstate()[0] or not chunk.isascii()):
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    valid = False
            chunk = stream.read(CHUNK_BYTES)
    if is_ascii:
        return Encoding("utf-8", ascii=True)
    return Encoding("utf-8") if valid and _ends_whole(decoder) else _guess(bytes(odd))


def encoding_of_bytes(head: bytes) -> Encoding:
    """The same from a first piece of the file alone, enough to look at its beginning."""
    marked = _by_mark(head)
    if marked:
        return marked
    if head.isascii():
        return Encoding("utf-8", ascii=True)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return _guess(head)
    return Encoding("utf-8")


def codec_named(name: str) -> str | None:
    """Python's name of the text encoding that a file declares, None for one that nobody knows or that is no text."""
    try:
        found = codecs.lookup(name).name
        "<a".encode(found).decode(found)  # base64, zip and the like are codecs too, but not of text
    except (LookupError, ValueError, TypeError):
        return None
    return None if found in _NO_ENCODINGS else found


def decode_sample(head: bytes, encoding: str) -> str:
    """`head` as text without its BOM, unreadable bytes replaced, a character cut at its end left out."""
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(head)
    return text.removeprefix("\ufeff")


def _by_mark(head: bytes) -> Encoding | None:
    for mark, name in _BOMS:
        if head.startswith(mark):
            return Encoding(name)
    sample = head[:4096]
    if len(sample) >= 8 and b"\0" in sample:  # UTF-16 without a BOM: every other byte of Latin text is zero
        even, odd = sample[0::2].count(0) / len(sample[0::2]), sample[1::2].count(0) / len(sample[1::2])
        if odd > 0.4 and even < 0.1:
            return Encoding("utf-16-le")
        if even > 0.4 and odd < 0.1:
            return Encoding("utf-16-be")
    return None


def _ends_whole(decoder: codecs.IncrementalDecoder) -> bool:
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _guess(odd: bytes) -> Encoding:
    """UTF-8 with damage where nearly all multi-byte characters are whole, else a code page."""
    whole = len(_MULTIBYTE.findall(odd))
    broken = odd.decode("utf-8", "replace").count("\ufffd")
    if whole > 4 * broken:
        return Encoding("utf-8")
    return Encoding(guess_legacy(odd), certain=False)
