"""Files made to hurt: bombs, endless nests, claims beyond measure and archives full of tricks; each from one seed."""

import gzip
import io
import json
import stat
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.workbooks import ods_of, xlsx

Made = tuple[str, bytes]
"""A file's name and its content."""

_ROWS = "Artikelnummer;Bezeichnung;Preis\nA1;Lampe;9,99\nA2;Stuhl;10,50\n"
_TABLE = [["sku", "name", "price"], ["A1", "Lamp", 9.5], ["A2", "Chair", 10]]
_DOCUMENT = "<?xml version='1.0'?>{}<SHOP><SHOPITEM><ITEM_ID>1</ITEM_ID><PRODUCTNAME>{}</PRODUCTNAME><PRICE_VAT>5</PRICE_VAT></SHOPITEM></SHOP>"


def bomb(rng: Random) -> Made:
    """One of the bombs below, its size and place chosen by `rng`."""
    return rng.choice(BOMBS)(rng)


# ------------------------------------------------------------------------------------------------ text
def million_columns(rng: Random) -> Made:
    mark = rng.choice(";,\t|")
    header = mark.join(map(str, range(200_000))) if rng.random() < 0.5 else mark * 1_000_000
    return "wide.csv", f"{header}\n{mark * 5}\n".encode()


def endless_quote(rng: Random) -> Made:
    rows = _ROWS.replace("Lampe", '"Lampe')
    return "quote.csv", (rows + "A;B;1\n" * rng.choice((10, 1000, 50_000))).encode()


def quotes_everywhere(rng: Random) -> Made:
    return "quotes.csv", (_ROWS + '"' * rng.choice((7, 100_001, 1_000_000)) + "\n" + _ROWS).encode()


def megabyte_field(rng: Random) -> Made:
    size = rng.choice((1 << 20, (1 << 20) + 1, 5 << 20, 20 << 20))
    return "field.csv", _ROWS.replace("Stuhl", rng.choice("xä\"'") * size).encode()


def one_line(rng: Random) -> Made:
    return "line.csv", ("a;b;" * rng.choice((100_000, 4_000_000))).encode()


def tiny_rows(rng: Random) -> Made:
    return "tiny.csv", b"a;b\n" + rng.choice((b"1;2\n", b";\n", b"\n", b"a;b\n", b"\r")) * 100_000


def same_key(rng: Random) -> Made:
    rows = "".join(f"A1;Lampe {n % rng.choice((1, 7))};9,99\n" for n in range(5_000))
    return "same.csv", ("Artikelnummer;Bezeichnung;Preis\n" + rows).encode()


def huge_numbers(rng: Random) -> Made:
    numbers = (
        "9" * 5000,
        "1e999999",
        "-1e-999999",
        "0x1F",
        "NaN",
        "Infinity",
        "٣٫٥",
        "²",
        "1" + ",000" * 900,
        "--5",
        "1.2.3.4",
    )
    rows = "".join(f"A{n};Lampe;{rng.choice(numbers)};{rng.choice(numbers)}\n" for n in range(50))
    return "numbers.csv", ("Artikelnummer;Bezeichnung;Preis;Bestand\n" + rows).encode()


# ------------------------------------------------------------------------------------------------ XML
def laughs(rng: Random) -> Made:
    depth = rng.choice((3, 10, 30))
    lines = ['<!ENTITY a0 "ha">', *(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, depth))]
    return "laughs.xml", _DOCUMENT.format(f"<!DOCTYPE SHOP [{''.join(lines)}]>", f"&a{depth - 1};").encode()


def quadratic(rng: Random) -> Made:
    size = rng.choice((1_000, 200_000))
    return "quadratic.xml", _DOCUMENT.format(
        f'<!DOCTYPE SHOP [<!ENTITY a "{"x" * size}">]>', "&a;" * 10_000
    ).encode()


def outside(rng: Random) -> Made:
    uri = rng.choice(("file:///etc/passwd", "http://127.0.0.1:9/x", "file:///dev/zero", "expect://id"))
    doctypes = (
        f'<!DOCTYPE SHOP [<!ENTITY a SYSTEM "{uri}">]>',
        f'<!DOCTYPE SHOP [<!ENTITY % p SYSTEM "{uri}"> %p;]>',
        f'<!DOCTYPE SHOP SYSTEM "{uri}">',
        f'<?xml-stylesheet href="{uri}"?>',
    )
    return "outside.xml", _DOCUMENT.format(rng.choice(doctypes), "&a;").encode()


def deep_xml(rng: Random) -> Made:
    depth = rng.choice((300, 10_000, 100_000))
    return "deep.xml", ("<a>" * depth + "x" + "</a>" * rng.choice((depth, 0))).encode()


def many_attributes(rng: Random) -> Made:
    attributes = " ".join(f'a{n}="{n}"' for n in range(rng.choice((1_000, 100_000))))
    return "attributes.xml", f"<SHOP><SHOPITEM {attributes}/><SHOPITEM/></SHOP>".encode()


def many_names(rng: Random) -> Made:
    records = "".join(f"<r><id>{n}</id><f{n}>1</f{n}></r>" for n in range(rng.choice((500, 12_000))))
    return "names.xml", f"<l>{records}</l>".encode()


def never_closed(rng: Random) -> Made:
    opening = rng.choice(("<![CDATA[", "<!--", "<?php", '<SHOPITEM id="', "<!DOCTYPE SHOP [", "&", "&#x"))
    return "open.xml", (
        "<SHOP><SHOPITEM><ITEM_ID>1</ITEM_ID></SHOPITEM>" + opening + "x" * rng.choice((0, 2_000_000))
    ).encode()


def falsely_declared(rng: Random) -> Made:
    name = rng.choice(
        (
            "UTF-16",
            "UTF-7",
            "EBCDIC-CP-US",
            "x-unknown",
            "utf-8\0",
            "idna",
            "zip",
            "base64",
            "undefined",
            "latin-1",
        )
    )
    return "declared.xml", _DOCUMENT.format("", "Größe").replace("'1.0'", f"'1.0' encoding='{name}'").encode(rng.choice(("utf-8", "cp1252", "utf-16")))  # fmt: skip


# ------------------------------------------------------------------------------------------------ JSON, EDI
def deep_json(rng: Random) -> Made:
    depth = rng.choice((500, 5_000, 100_000))
    opening, closing = rng.choice((("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")))
    return "deep.json", (opening * depth + "1" + closing * rng.choice((depth, 0))).encode()


def long_json(rng: Random) -> Made:
    value = rng.choice(
        (
            "9" * 100_000,
            "-" + "1" * 5_000,
            "1e99999",
            '"' + "x" * 3_000_000 + '"',
            '"\\ud800"',
            "NaN",
            "1" * 5_000 + ".5",
        )
    )
    records = ",".join(f'{{"sku":"A{n}","name":"Lamp","price":{value}}}' for n in range(3))
    return rng.choice(
        (("long.json", f"[{records}]".encode()), ("long.jsonl", records.replace("},{", "}\n{").encode()))
    )


def many_keys(rng: Random) -> Made:
    records = [{"sku": n, **{f"k{n}_{k}": k for k in range(30)}} for n in range(rng.choice((20, 2_000)))]
    return "keys.json", json.dumps({"products": records, "products ": [records[:2]] * 3}).encode()


def odd_json(rng: Random) -> Made:
    text = rng.choice(("[]", "{}", "[[],[]]", "[1,2,3]", '["a"]', "[null]", '{"a":[{}]}', '[{"":""}]', '{"a":1}{"a":2}', '{"a":1}\n{"a":', "[{]", '{"sku"', '[{"a":{"b":[{"c":[1]}]}}]', '[{"a":1},[2],3,"x",null]'))  # fmt: skip
    return "odd.json", text.encode(rng.choice(("utf-8", "utf-8-sig", "utf-16", "utf-32")))


def edifact(rng: Random) -> Made:
    una = rng.choice(("UNA:+.? '", "UNA++++++", "UNA      ", "UNA:+.? \n", "UNAABCDEF", "", "UNA:+.?*'"))
    segments = ["UNB+UNOC:3+1+2+010108:1200+1", "UNH+1+PRICAT:D:96A:UN:EAN006", "BGM+9+1+9",
                *(f"LIN+{n}++400000000000{n}:EN'PRI+AAA:{rng.choice(('1', 'x', '9' * 3000))}" for n in range(5)), "UNT+9+1", "UNZ+1+1"]  # fmt: skip
    end = rng.choice(("'", "'\n", "", "\n", "?'", "'" * 5_000, "+" * 100_000 + "'", ":" * 100_000 + "'"))
    return "prices.edi", (una + end.join(segments)).encode(rng.choice(("ascii", "utf-16", "utf-8-sig")))


def cif(rng: Random) -> Made:
    head = rng.choice(
        (
            "CIF_I_V3.0\nCHARSET: UTF-8\nFIELDNAMES: A,B,C\nDATA\n",
            "CIF_I_V3.0\n",
            "CIF_I_V9\nDATA\n",
            "CIF_I_V3.0\nITEMCOUNT: 99999999999\nCHARSET: x\nDATA\n",
        )
    )
    rows = rng.choice(("1,2,3\n", '"1,2\n', ",,,\n", "1\t2\n", "x" * 2_000_000)) * rng.choice((0, 1, 50))
    return "catalog.cif", (head + rows + rng.choice(("ENDOFDATA\n", "", "DATA\nENDOFDATA"))).encode()


# ------------------------------------------------------------------------------------------------ archives
def flat_bomb(rng: Random) -> Made:
    again = rng.choice((b"\0", b" ", b"a;b;cccccccccccccccccccccccccccc\n", b"<a>"))
    content = again * ((rng.choice((8, 40)) << 20) // len(again))
    if rng.random() < 0.5:
        return "bomb.csv.gz", gzip.compress(content, 6)
    return "bomb.zip", _zip({f"{n}.csv": content for n in range(rng.choice((1, 3)))})


def nested_bomb(rng: Random) -> Made:
    content = _ROWS.encode() * rng.choice((1, 1000))
    for level in range(rng.choice((2, 5, 12))):
        content = _zip({f"{level}.zip": content}) if rng.random() < 0.6 else gzip.compress(content, 1)
    return rng.choice(("nest.zip", "nest.gz")), content


def quine_like(rng: Random) -> Made:
    """A gz whose stream is cut from itself: each layer begins like the one around it."""
    content = gzip.compress(_ROWS.encode())
    for _ in range(rng.choice((2, 6))):
        content = gzip.compress(content[:10] + content + content[-8:], 0)
    return "r.gz", content


def tricky_zip(rng: Random) -> Made:
    buffer = io.BytesIO()
    with (
        warnings.catch_warnings(action="ignore"),
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for n in range(rng.choice((1, 3))):
            name = rng.choice(
                (
                    "../a.csv",
                    "/a.csv",
                    "a.csv",
                    "a\\b.csv",
                    "C:\\a.csv",
                    "a" * 300 + ".csv",
                    "x/../../b.csv",
                    "\u202ea.csv",
                    "a.csv/",
                    "con",
                    "-",
                    "",
                )
            )
            member = zipfile.ZipInfo(name)
            member.external_attr = rng.choice(
                (0, (stat.S_IFLNK | 0o777) << 16, (stat.S_IFIFO | 0o600) << 16, 0x10)
            )
            archive.writestr(member, rng.choice((_ROWS, "/etc/passwd", "", "../a.csv")) + str(n))
    content = bytearray(buffer.getvalue())
    for _ in range(rng.choice((0, 0, 1, 4))):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return "trick.zip", bytes(content)


def many_members(rng: Random) -> Made:
    return "many.zip", _zip({f"{n}.csv": _ROWS.encode() for n in range(rng.choice((30, 300)))})


# ------------------------------------------------------------------------------------------------ workbooks
def hurt_xlsx(rng: Random) -> Made:
    """A good workbook with one part of its XML replaced."""
    sheet, strings = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
    place, old, new = rng.choice(
        (
            (sheet, b'ref="A1:C3"', b'ref="A1:XFD1048576"'), (sheet, b'ref="A1:C3"', b'ref="ZZZZZ9:A-1"'),
            (sheet, b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'),
            (sheet, b"</sheetData>", b'<row r="99999999999"><c r="AAAAAAAA1"><v>1</v></c></row></sheetData>'),
            (sheet, b"</sheetData>", b'<row r="2"><c r="A2"><v>1e999</v></c><c><v>x</v></c></row></sheetData>'),
            (sheet, b't="s"><v>0</v>', b't="s"><v>99999999</v>'), (sheet, b"<v>9.5</v>", b"<v>" + b"9" * 100_000 + b"</v>"),
            (sheet, b"</sheetData>", b'</sheetData><mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>'),
            (sheet, b"<worksheet", b'<!DOCTYPE w [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><worksheet'),
            (sheet, b"</sheetData>", b" " * (rng.choice((5, 100)) << 20) + b"</sheetData>"),
            (sheet, b"</sheetData>", b"<row>" * 100_000), (strings, b'count="', b'count="99999999999999'),
            (strings, b"<t>Lamp</t>", b"<t>" + b"x" * 3_000_000 + b"</t>"), (strings, b"<t>Lamp</t>", b"<t>_x0000_\xff\xfe</t>"),
            ("xl/workbook.xml", b"<sheets>", b"<sheets>" + b'<sheet name="x" sheetId="9" r:id="rId1"/>' * 300),
            ("[Content_Types].xml", b"<Types", b"<Nothing"), ("xl/_rels/workbook.xml.rels", b"worksheets/", b"../../../etc/"),
        )
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        file = xlsx(Path(folder) / "a.xlsx", {"S": _TABLE})
        with zipfile.ZipFile(file) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    assert old in members[place], (place, old)
    members[place] = members[place].replace(old, new)
    if rng.random() < 0.1:
        members.pop(rng.choice(sorted(members)))
    return "hurt.xlsx", _zip(members)


def hurt_ods(rng: Random) -> Made:
    columns, rows = rng.choice(((16_384, 1), (1, 1_048_576), (16_384, 1_048_576), (-1, 2**40), (200, 2_000)))
    value = rng.choice(
        (
            'office:value-type="string"',
            'office:value-type="float" office:value="x"',
            'office:value-type="date" office:date-value="9999-99-99"',
            "",
        )
    )
    cell = f'<table:table-cell {value} table:number-columns-repeated="{columns}"><text:p>x</text:p></table:table-cell>'
    row = f'<table:table-row table:number-rows-repeated="{rows}">{cell}</table:table-row>'
    with tempfile.TemporaryDirectory() as folder:
        return "hurt.ods", ods_of(
            Path(folder) / "a.ods", f'<table:table table:name="S">{row * 2}</table:table>'
        ).read_bytes()


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


BOMBS: tuple[Callable[[Random], Made], ...] = (
    million_columns, endless_quote, quotes_everywhere, megabyte_field, one_line, tiny_rows, same_key, huge_numbers, laughs,
    quadratic, outside, deep_xml, many_attributes, many_names, never_closed, falsely_declared, deep_json, long_json,
    many_keys, odd_json, edifact, cif, flat_bomb, nested_bomb, quine_like, tricky_zip, many_members, hurt_xlsx, hurt_xlsx,
    hurt_ods,
)  # fmt: skip
