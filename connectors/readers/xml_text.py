"""Bytes of an XML file -> UTF-8 for the parser: decoded by us, unsafe documents refused, small flaws mended."""

import codecs
import html
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

from connectors.readers.detection import SAMPLE_BYTES, codec_named, decode_sample, encoding_of
from core.errors import Refused

_DECLARED = re.compile(r"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["']""")
# A parameter entity spelt out serves the DTD only, which is never read: BMEcat declares its extensions so.
_HARMLESS = re.compile(r"""<!ENTITY\s+%\s+[\w.:-]+\s+(?:"[^"]*"|'[^']*')\s*>""")
_IN_DOCTYPE = re.compile(r"""(?P<skip>"[^"]*"|'[^']*'|<!--.*?-->|<\?.*?\?>)|[\[\]>]""", re.S)
_ROOT = re.compile(r"<[A-Za-z_\u0080-\uffff]")
_ROOT_NAME = re.compile(r"<([^\W\d][\w.:-]*)")
_NAME = re.compile(r"[^\W\d][\w.-]*")
_FLAW = re.compile(
    r"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)(?:([A-Za-z]\w{1,30});)?|[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"
)
_CDATA, _CDATA_END = "<![CDATA[", "]]>"
_HOLD = 64  # characters that may belong to something a piece of text cuts in two


@dataclass
class Mending:
    """What the parser could not take: bare "&", HTML's entities and control characters; prefixes nobody declared."""

    characters: bool = False
    prefixes: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.characters or bool(self.prefixes)


def encoding_of_xml(file: Path, pinned: str | None = None) -> str:
    """The Python codec the file is really in: what its bytes prove, else what it declares, else the likeliest."""
    proved = encoding_of(file, pinned)
    if proved.certain:
        return proved.name
    with file.open("rb") as stream:
        declared = _DECLARED.match(stream.read(1024).decode("latin-1"))
    if declared:
        name = codec_named(declared[1])
        if (
            name
            and name not in ("utf-8", "ascii")
            and not name.startswith(("utf-16", "utf-32", "utf_16", "utf_32"))
        ):
            return name
    return proved.name


def refuse_unsafe(file: Path, encoding: str) -> None:
    """Raises Refused where the document declares entities: a bomb, or a way to read other files."""
    with file.open("rb") as stream:
        text = decode_sample(stream.read(SAMPLE_BYTES), encoding)
    prolog = without_comments(text)
    root = _ROOT.search(prolog)
    if "<!ENTITY" in _HARMLESS.sub("", prolog[: root.start()] if root else prolog):
        raise Refused(
            f"{file.name} declares XML entities, which can be used to attack the reader; send it without a DOCTYPE.",
            rule="unsafe_xml",
        )
    if root is None:
        raise Refused(f"{file.name} is not XML: it has no root element.", rule="not_a_feed")


class Utf8Stream(io.RawIOBase):
    """The file as UTF-8 bytes for lxml, so that no declaration inside it decides how it is decoded."""

    def __init__(self, file: Path, encoding: str, mending: Mending) -> None:
        self._mending = mending
        self._first, self._held, self._inside = True, "", False
        self._plain = encoding == "utf-8" and not mending  # bytes go through as they are
        self._text = file.open(encoding=encoding, errors="replace", newline="")
        self._bytes = file.open("rb")

    def close(self) -> None:
        """Closes the file too."""
        self._text.close()
        self._bytes.close()
        super().close()

    def readable(self) -> bool:
        """Always: it is a source."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next piece; b"" at the end."""
        if self._plain:
            piece_read = self._bytes.read(max(size, 1 << 16))
            if self._first and piece_read:
                self._first = False
                head = piece_read.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
                return self._opening(head).encode("utf-8", "surrogateescape")
            return piece_read
        while True:
            piece = self._text.read(max(size, 1 << 16))
            ended = not piece
            if self._first and piece:
                piece, self._first = self._opening(piece.removeprefix("\ufeff")), False
            if self._mending.characters:
                piece = self._mended(self._held + piece, ended)
            if piece or ended:
                return piece.encode("utf-8", "replace")

    def _opening(self, piece: str) -> str:
        """Without the declaration (it may name another encoding) and the DOCTYPE, with the prefixes nobody declared."""
        piece = without_doctype(re.sub(r"^\s*<\?xml.*?\?>", "", piece, count=1, flags=re.S).lstrip())
        if self._mending.prefixes:
            declared = "".join(f' xmlns:{name}="{uri}"' for name, uri in self._mending.prefixes.items())
            root = re.search(r"<[A-Za-z_][^\s/>]*", without_comments(piece))
            if root:
                piece = piece[: root.end()] + declared + piece[root.end() :]
        return piece

    def _mended(self, text: str, ended: bool) -> str:
        """Flaws outside CDATA sections mended; a little is held back until what follows is known."""
        keep = "" if ended else text[-_HOLD:]
        text = text if ended else text[:-_HOLD]
        out = []
        while text:
            mark = _CDATA_END if self._inside else _CDATA
            part, found, rest = text.partition(mark)
            if (
                not found and not ended
            ):  # a mark or an entity may be cut: leave its beginning for the next piece
                cut = max(part.rfind("<"), part.rfind("]"), part.rfind("&"), len(part) - _HOLD)
                if cut >= 0 and len(part) - cut <= _HOLD:
                    part, keep = part[:cut], part[cut:] + keep
            out.append(part if self._inside else _FLAW.sub(_replacement, part))
            out.append(found)
            self._inside ^= bool(found)
            text = rest
        self._held = keep
        return "".join(out)


def without_comments(text: str) -> str:
    """Comments as blanks, so that places stay; one pass, however many begin and never end."""
    kept, at = [], 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        kept += [text[at:start], " " * (end + 3 - start)]
        at = end + 3
    return "".join([*kept, text[at:]])


def tags_of(first: bytes, *names: str) -> list[str] | None:
    """What lxml is to tell of: `names` and the root element of a document that begins so; None for everything."""
    root = _ROOT_NAME.search(without_comments(first.decode("utf-8", "replace")))
    wanted = dict.fromkeys((*names, root[1].rpartition(":")[2] if root else ""))
    if not all(map(_NAME.fullmatch, wanted)):
        return None
    return [tag for name in wanted for tag in ("{*}" + name, name)]


def without_doctype(text: str) -> str:
    """The document without its DOCTYPE, where that ends in `text`: no DTD is read, and none shall say how to read."""
    blanked = without_comments(text)
    root = _ROOT.search(blanked)
    start = blanked.find("<!DOCTYPE", 0, root.start() if root else None)
    depth = 0
    for found in _IN_DOCTYPE.finditer(text, start + 9) if start >= 0 else ():
        depth += {"[": 1, "]": -1}.get(found[0], 0)
        if found[0] == ">" and depth == 0:
            return text[:start] + text[found.end() :]
    return text


def _replacement(flaw: re.Match[str]) -> str:
    if not flaw[0].startswith("&"):
        return ""
    known = html.unescape(f"&{flaw[1]};") if flaw[1] else ""
    if flaw[1] and not known.startswith("&"):
        return known
    return "&amp;" + flaw[0][1:]
