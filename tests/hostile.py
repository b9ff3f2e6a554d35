"""Hostile feed files from a seed: own samples of every format (and the corpus, where it is) bent and broken, and bombs."""

import bz2
import gzip
import io
import json
import lzma
import tempfile
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from random import Random

from tests.hostile_bombs import Made, bomb
from tests.workbooks import ods, xls, xlsx

SAMPLES = Path(__file__).parent / "unit" / "samples"
CORPUS = Path(__file__).resolve().parents[2] / "shared" / "feeds" / "corpus"
MOST_BYTES = 60_000
"""What is taken of a sample: mutations of the beginning find as much as those of all of it."""

_TABLE = [
    ["Artikelnummer", "EAN", "Bezeichnung", "Preis", "Bestand"],
    *([f"A{n}", 4012345000016 + n, f"Lampe {n}", 9.99 + n, n] for n in range(20)),
]
_WORDS = (
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\x1e\x1f", b'"', b"''", b"\\", b";", b"\t", b"|", b"\r", b"\r\r\n", b"<", b"</", b"]]>",
    b"&#0;", b"&amp", b"{", b"]", b"null", b"-0", b"1e999", b"9" * 400, b"=1+1", b"\xe2\x80\xae", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
    b"xmlns:a='b'", b"x" * 70_000, b"\x1a", b"\x0b", b"%s%n", b"../", b"UNZ+1+1'", b"ENDOFDATA", b"\xc2\x85", b"\xe2\x80\xa8",
)  # fmt: skip
_ENCODINGS = (
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "cp1252",
    "cp932",
    "koi8-u",
    "gb18030",
    "cp037",
)


def hostile(seed: int, place: int) -> Made:
    """The file of that place in the endless row of hostile files that `seed` begins; always the same."""
    rng = Random(f"{seed}:{place}")
    kind = rng.random()
    if kind < 0.25:
        made = bomb(rng)
    elif kind < 0.29:
        made = _random_bytes(rng)
    else:
        name, content = rng.choice(samples())
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            content = rng.choice(MUTATIONS)(content, rng)
        made = name, content
    return _packed(*made, rng) if rng.random() < 0.06 else made


@lru_cache(1)
def samples() -> tuple[Made, ...]:
    """Small good files of every format: our own, and the beginnings of the corpus's."""
    found = [(file.name, file.read_bytes()) for file in sorted(SAMPLES.iterdir()) if file.is_file()]
    with tempfile.TemporaryDirectory() as folder:
        for name, book in (("list.xlsx", xlsx), ("list.xls", xls), ("list.ods", ods)):
            found += [(name, book(Path(folder) / name, {"Leer": [], "Artikel": _TABLE}).read_bytes())] * 2
    rows = [
        {"sku": f"A{n}", "name": f"Lamp {n}", "price": 9.5, "images": ["a", "b"], "stock": {"qty": n}}
        for n in range(8)
    ]
    found += [
        ("list.json", json.dumps({"meta": {"n": 8}, "products": rows}, indent=1).encode()),
        ("list.jsonl", "\n".join(map(json.dumps, rows)).encode()),
        ("prices.edi", _edifact().encode()),
        ("catalog.cif", _cif().encode()),
    ]
    packed = found[0][1]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", packed)
        archive.writestr("b.csv", packed)
    found += [("list.zip", buffer.getvalue()), ("list.csv.gz", gzip.compress(packed))]
    if CORPUS.is_dir():
        found += [
            (file.name, file.read_bytes()[:MOST_BYTES])
            for file in sorted(CORPUS.rglob("*"))
            if file.is_file()
        ]
    return tuple(found)


def _edifact() -> str:
    lines = "".join(
        f"LIN+{n}++401234500001{n}:EN'IMD+F+8+:::Lampe {n}'QTY+47:{n}'PRI+AAA:{n}.50'" for n in range(1, 6)
    )
    return (
        "UNA:+.? 'UNB+UNOC:3+4000000000001:14+4000000000002:14+260101:1200+1'UNH+1+PRICAT:D:96A:UN:EAN006'"
        f"BGM+9+1+9'DTM+137:20260101:102'CUX+2:EUR:8'PGI+11'{lines}UNT+30+1'UNZ+1+1'"
    )


def _cif() -> str:
    rows = "".join(f'942888710,A{n},"Lamp {n}",30211500,{n}.50,EA,2,http://a.example/{n}\n' for n in range(5))
    names = "Supplier ID,Supplier Part ID,Item Description,SPSC Code,Unit Price,Unit of Measure,Lead Time,Supplier URL"
    return f"CIF_I_V3.0\nCHARSET: UTF-8\nLOADMODE: F\nCURRENCY: USD\nITEMCOUNT: 5\nFIELDNAMES: {names}\nDATA\n{rows}ENDOFDATA\n"


# ------------------------------------------------------------------------------------------------ mutations
def _cut(content: bytes, rng: Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _headless(content: bytes, rng: Random) -> bytes:
    return content[rng.randrange(min(len(content), 200) + 1) :]


def _flipped(content: bytes, rng: Random) -> bytes:
    flipped = bytearray(content)
    for _ in range(rng.choice((1, 5, 50)) if content else 0):
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def _with_word(content: bytes, rng: Random) -> bytes:
    for _ in range(rng.choice((1, 1, 5, 30))):
        at = rng.randrange(len(content) + 1)
        content = content[:at] + rng.choice(_WORDS) + content[at + rng.choice((0, 0, 1, 9)) :]
    return content


def _without(content: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + content[at + rng.choice((1, 2, 40, 4000)) :]


def _repeated(content: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    piece = content[at : at + rng.choice((1, 10, 500))]
    return content[:at] + piece * rng.choice((2, 20, 2000)) + content[at:]


def _shuffled(content: bytes, rng: Random) -> bytes:
    lines = content.splitlines(keepends=True)
    rng.shuffle(lines)
    return b"".join(lines)


def _recoded(content: bytes, rng: Random) -> bytes:
    return content.decode("utf-8", "replace").encode(rng.choice(_ENCODINGS), "replace")


def _marked(content: bytes, rng: Random) -> bytes:
    return rng.choice((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\xff\xfe\0\0", b"\0\0\xfe\xff")) + content


def _spliced(content: bytes, rng: Random) -> bytes:
    other = rng.choice(samples())[1]
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]


def _figures(content: bytes, rng: Random) -> bytes:
    new = rng.choice((b"9" * 30, b"-1", b"0", b"1,2.3", b"", b"\xd9\xa3", b"1e5"))
    return content.replace(str(rng.randrange(10)).encode(), new, rng.choice((1, 20, 1000)))


def _delimiters(content: bytes, rng: Random) -> bytes:
    old, new = (
        rng.choice((b";", b",", b"\t", b"\n", b'"', b">", b":", b"'")),
        rng.choice((b";", b",", b"\t", b"", b"\r\n", b'"', b"\0")),
    )
    return content.replace(old, new, rng.choice((1, 5, -1)))


def _long_cell(content: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    return (
        content[:at]
        + rng.choice((b"x", b"\xc3\xa4", b" ", b"1")) * rng.choice((40_000, 1_100_000))
        + content[at:]
    )


MUTATIONS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _cut, _headless, _flipped, _flipped, _with_word, _with_word, _without, _repeated, _shuffled, _recoded, _marked, _spliced,
    _figures, _delimiters, _long_cell,
)  # fmt: skip


def _random_bytes(rng: Random) -> Made:
    size = rng.choice((0, 1, 3, 100, 5_000, 300_000))
    if rng.random() < 0.5:
        return "noise.csv", rng.randbytes(size)
    return "noise.txt", bytes(rng.choices(b"ab1 ;,\t\n\"'<>{}[]:+|.", k=size))


def _packed(name: str, content: bytes, rng: Random) -> Made:
    kind = rng.choice(("gz", "bz2", "xz", "zip"))
    if kind == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(name or "a", content)
        return f"{name}.zip", buffer.getvalue()
    pack: dict[str, Callable[[bytes], bytes]] = {
        "gz": lambda one: gzip.compress(one, 1), "bz2": lambda one: bz2.compress(one, 1),
        "xz": lambda one: lzma.compress(one, preset=0),
    }  # fmt: skip
    return f"{name}.{kind}", pack[kind](content)
