"""Judges the first bytes of a file for the test button: what it seems to be, and its first readable characters."""

import re

LOOKED_AT = 64 * 1024
"""Bytes of a file that a test reads."""
SHOWN = 200

_MAGIC = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x03\x04", "a zip archive or a workbook (XLSX, ODS)"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook (XLS)"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
)
_NOT_READ = {
    "a 7z archive": "Send it as zip or gz.",
    "a RAR archive": "Send it as zip or gz.",
    "a PDF document": "A PDF is no feed: ask for a CSV or XML file.",
    "a picture": "A picture is no feed: check the address.",
    "a web page": "A web page is no feed: the address may need a login, or lead to the page that offers the file.",
    "empty": "The file is empty: nothing would be taken in.",
}
_HTML = re.compile(r"(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.I | re.S)


def judged(head: bytes) -> tuple[str, str, str | None]:
    """What a file that begins with `head` seems to be, its first readable characters, and a warning or None."""
    looks, text = _looks(head)
    start = re.sub(r"[^\S\n]+", " ", re.sub(r"[^\S\n]*\n\s*", "\n", text)).strip()[:SHOWN]
    return looks, start, _NOT_READ.get(looks)


def _looks(head: bytes) -> tuple[str, str]:
    if not head:
        return "empty", ""
    for magic, word in _MAGIC:
        if head.startswith(magic):
            return word, ""
    text = _decoded(head)
    plain = text.lstrip("\ufeff \t\r\n")
    if "\0" in plain:
        return "binary", ""
    if _HTML.match(plain):
        return "a web page", plain
    if plain.startswith("<"):
        return "XML", plain
    if plain[:1] in ("{", "["):
        return "JSON", plain
    if plain.startswith(("UNA", "UNB")):
        return "EDIFACT", plain
    if plain.startswith("CIF_I_V"):
        return "an Ariba CIF catalogue", plain
    return "text, such as CSV", plain


def _decoded(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "replace")
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        cut_off = error.start > len(head) - 4  # the last character may be cut in the middle
        return head.decode("utf-8-sig" if cut_off else "cp1252", "replace")
