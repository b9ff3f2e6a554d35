"""The XML reader keeps repeated values in step, follows XPath, knows what stands around the records, and forgets the rest."""

import random
import tracemalloc
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from connectors.base import Dialect
from connectors.readers.frames import FAULT, INNER, LOCATOR, OUTER
from connectors.readers.xml import XmlReader
from connectors.readers.xml_templates import Templates
from core.errors import Refused


def written(tmp_path: Path, content: str) -> Path:
    file = tmp_path / "feed.xml"
    file.write_text(content, "utf-8")
    return file


def rows_of(file: Path, path: str, *context: str) -> pd.DataFrame:
    dialect = Dialect("xml", "utf-8", record_path=path, context=context)
    return pd.concat(XmlReader().frames(file, dialect), ignore_index=True)


def one(tmp_path: Path, inside: str) -> dict[str, Any]:
    """The values of one record."""
    (row,) = rows_of(written(tmp_path, f"<S><I>{inside}</I></S>"), "S/I").to_dict("records")
    return {str(name): value for name, value in row.items() if name not in (LOCATOR, FAULT)}


def told(rows: pd.DataFrame, column: str) -> list[str | None]:
    return [value if isinstance(value, str) else None for value in rows[column].tolist()]


def test_attributes_of_containers_stand_beside_what_is_in_them(tmp_path: Path) -> None:
    values = one(
        tmp_path,
        '<P t="net"><A>1</A><C>EUR</C></P><P><A>2</A></P><P t="gross"><A>3</A><C>CHF</C></P>',
    )
    assert values == {
        "P/@t": f"net{OUTER}{OUTER}gross", "P/A": f"1{OUTER}2{OUTER}3", "P/C": f"EUR{OUTER}{OUTER}CHF",
    }  # fmt: skip


def test_attributes_of_a_repeated_leaf_stay_at_its_place(tmp_path: Path) -> None:
    assert one(
        tmp_path, '<name>A</name><name lang="ru">B</name><name/><name lang="de" kind="x">C</name>'
    ) == {
        "name": f"A{INNER}B{INNER}{INNER}C",
        "name/@lang": f"{INNER}ru{INNER}{INNER}de",
        "name/@kind": f"{INNER}{INNER}{INNER}x",
    }


def test_attributes_of_leaves_in_repeated_parents(tmp_path: Path) -> None:
    values = one(tmp_path, '<P><V>1</V><V u="g">2</V></P><P><V>3</V></P><P><V u="kg">4</V></P>')
    assert values == {"P/V": f"1{INNER}2{OUTER}3{OUTER}4", "P/V/@u": f"{INNER}g{OUTER}{OUTER}kg"}


def test_a_column_of_few_records_keeps_its_rows(tmp_path: Path) -> None:
    rows = rows_of(
        written(tmp_path, '<S><I><A>1</A></I><I><A>2</A><B x="y">b</B></I><I/><I><B>c</B></I></S>'), "S/I"
    )
    assert told(rows, "A") == ["1", "2", None, None]
    assert told(rows, "B") == [None, "b", None, "c"]
    assert told(rows, "B/@x") == [None, "y", None, None]


@pytest.mark.parametrize("seed", range(6))
def test_patterns_read_what_going_through_element_by_element_reads(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)

    def text() -> str:
        return chance.choice(
            [
                "",
                "x",
                "Größe 5",
                "a &amp; b &lt;i&gt;",
                "<![CDATA[c & d]]>",
                " 7 ",
                "&quot;q&quot;",
                "two\nlines",
            ]
        )

    def attributes() -> str:
        return "".join(
            f' {name}="{chance.choice(["1", "a &amp; &#10; &quot;b&quot;", ""])}"'
            for name in "uv"
            if chance.random() < 0.2
        )

    def element(depth: int) -> str:
        name = chance.choice("ABCg:D".replace("g:", "")) if chance.random() < 0.9 else "g:D"
        if depth < 2 and chance.random() < 0.3:
            inside = "\n ".join(element(depth + 1) for _ in range(chance.randint(1, 3)))
            return f"<{name}{attributes()}>\n {inside}\n</{name}>"
        if chance.random() < 0.03:
            return f"<{name}>some <b>bold</b> text</{name}>"
        return f"<{name}{attributes()}>{text()}</{name}>"

    shapes = ["".join(element(0) for _ in range(5)) for _ in range(4)]
    records = "".join(f"<I{attributes()}>{chance.choice([*shapes, element(0)])}</I>\n" for _ in range(300))
    file = written(tmp_path, f'<S xmlns:g="http://base.google.com/ns/1.0">\n{records}</S>')
    fast = rows_of(file, "S/I")
    monkeypatch.setattr(Templates, "took", lambda *_: False)
    monkeypatch.setattr(Templates, "learn", lambda *_: None)
    slow = rows_of(file, "S/I")
    assert len(fast) == 300
    names = sorted(map(str, fast))
    assert names == sorted(map(str, slow))
    pd.testing.assert_frame_equal(fast[names], slow[names])


CATALOGUE = """<?xml version="1.0"?><c:Catalogue xmlns:c="urn:cat" xmlns:b="urn:basic" version="2"><c:Head><b:Currency>EUR</b:Currency>
<b:Currency>CHF</b:Currency></c:Head><c:Line state="on"><b:ID>1</b:ID></c:Line><c:Line><b:ID>2</b:ID><c:Line><b:ID>2a</b:ID></c:Line></c:Line>
<c:Other><c:Line state="on"><b:ID>3</b:ID></c:Line></c:Other><b:Line><b:ID>4</b:ID></b:Line></c:Catalogue>"""


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("Catalogue/Line", ["1", "2", "4"]), ("/Catalogue/Line", ["1", "2", "4"]), ("/c:Catalogue/c:Line", ["1", "2"]),
        ("//c:Line", ["1", "2a", "2", "3"]), ("//Line[@state='on']", ["1", "3"]), ("/Catalogue/*/Line", ["2a", "3"]),
        ("/Catalogue/c:Line[b:ID != '1']", ["2"]), ("//c:Other//b:ID", ["3"]), ("/Catalogue/*[b:ID]", ["1", "2", "4"]),
        ("/Catalogue/c:Other[c:Line/b:ID='3']/c:Line", ["3"]),
    ],
)  # fmt: skip
def test_record_paths_are_xpath_with_the_files_own_prefixes(
    tmp_path: Path, path: str, ids: list[str]
) -> None:
    rows = rows_of(written(tmp_path, CATALOGUE), path)
    column = next(name for name in rows if name in ("b:ID", "ID", "."))
    found = rows[column].where(rows[column].notna(), rows.get("ID"))
    assert found.tolist() == ids


@pytest.mark.parametrize(
    "path",
    ["//Line[2]", "//Line[position()=2]", "//Line[last()]", "//Line[", "/a/text()", "//x:Line[@", "/a/../b"],
)
def test_what_cannot_be_judged_in_a_stream_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(Refused) as refusal:
        rows_of(written(tmp_path, CATALOGUE), path)
    assert refusal.value.rule == "mapping_invalid"


def test_a_pinned_record_path_is_kept(tmp_path: Path) -> None:
    file = written(tmp_path, CATALOGUE)
    assert XmlReader().detect(file, record_path="//c:Other/c:Line").record_path == "//c:Other/c:Line"
    with pytest.raises(Refused) as refusal:
        XmlReader().detect(file, record_path="//c:Nothing")
    assert refusal.value.rule == "no_records"


def test_what_stands_around_the_records_is_a_column_of_each(tmp_path: Path) -> None:
    rows = rows_of(
        written(tmp_path, CATALOGUE), "Catalogue/Line",
        "/Catalogue/Head/Currency", "/Catalogue/@version", "/Catalogue/Head/Country",
    )  # fmt: skip
    assert rows["/Catalogue/Head/Currency"].tolist() == ["EUR"] * 3  # the first
    assert rows["/Catalogue/@version"].tolist() == ["2"] * 3
    assert "/Catalogue/Head/Country" not in rows


def test_every_shape_is_offered_even_behind_a_long_tree(tmp_path: Path) -> None:
    groups = "".join(f"<G><ID>{n}</ID><N>group {n}</N><P>{n // 2}</P></G>" for n in range(8000))
    file = written(tmp_path, f"<C><T><S>{groups}</S><A><ID>1</ID><D><N>Lamp</N></D></A></T></C>")
    paths = [dialect.record_path for dialect in XmlReader().shapes(file)]
    assert paths[0] == "C/T/S/G"
    assert "C/T/A" in paths
    assert "C/T/S" not in paths  # the tree as a whole is no record


def test_memory_does_not_grow_with_what_lies_beside_the_records(tmp_path: Path) -> None:
    groups = "".join(f"<G><ID>{n}</ID><N>{'x' * 400}</N></G>" for n in range(20_000))
    file = written(tmp_path, f"<C><S>{groups}</S><A><ID>1</ID></A><S>{groups}</S></C>")
    tracemalloc.start()
    before = _resident()
    assert rows_of(file, "C/A")["ID"].tolist() == ["1"]
    grown = _resident() - before
    tracemalloc.stop()
    assert grown < file.stat().st_size // 2, f"{grown:,} bytes for a file of {file.stat().st_size:,}"


def _resident() -> int:
    """Bytes of memory in use now; libxml2's trees are not Python's."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def test_many_values_in_one_record_take_no_time_by_their_square(tmp_path: Path) -> None:
    file = written(tmp_path, f"<S><I>{'<A>0123</A>' * 200_000}</I><I><A>1</A></I></S>")
    rows = rows_of(file, "S/I")  # quadratic, this takes minutes
    assert rows["A"].iloc[0].count(INNER) == 199_999


def test_more_lists_than_any_product_has_are_refused(tmp_path: Path) -> None:
    file = written(tmp_path, f"<S><I>{'<P><A>1</A></P>' * 20_001}</I></S>")
    with pytest.raises(Refused) as refusal:
        rows_of(file, "S/I")
    assert refusal.value.rule == "too_long"


def test_a_doctype_that_declares_no_entity_of_text_is_harmless(tmp_path: Path) -> None:
    doctype = '<!DOCTYPE S SYSTEM "s.dtd" [ <!ENTITY % U "(A|B)*"> <!ELEMENT S (I)*> <!-- > ] --> <!ATTLIST I x CDATA "]>"> ]>'
    rows = rows_of(written(tmp_path, f'<?xml version="1.0"?>{doctype}<S><I><A>1</A></I></S>'), "S/I")
    assert rows["A"].tolist() == ["1"]


def test_elements_nested_beyond_reason_are_refused(tmp_path: Path) -> None:
    file = written(tmp_path, f"<S><I>{'<a>' * 150}x{'</a>' * 150}</I></S>")
    with pytest.raises(Refused) as refusal:
        rows_of(file, "S/I")
    assert refusal.value.rule == "too_deep"
