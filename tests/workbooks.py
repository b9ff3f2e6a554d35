"""Small workbooks made by code, the same rows as XLSX, XLS and ODS, for the tests of their reader and for the fuzz."""

import datetime
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import xlsxwriter
import xlwt

Rows = Sequence[Sequence[Any]]
Range = tuple[int, int, int, int]
"""First row, first column, last row, last column, all from 0."""

MIMETYPE = "application/vnd.oasis.opendocument.spreadsheet"


def xlsx(
    file: Path, sheets: Mapping[str, Rows], *, hidden: Sequence[str] = (), merged: Sequence[Range] = ()
) -> Path:
    """`merged` ranges are those of every sheet; a tuple (formula, result) is a formula with its cached result."""
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:  # without the clock's time in it
        book.set_properties({"created": datetime.datetime(2026, 1, 1)})
        day = book.add_format({"num_format": "dd.mm.yyyy"})
        moment = book.add_format({"num_format": "dd.mm.yyyy hh:mm"})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for first_row, first, last_row, last in merged:
                sheet.merge_range(first_row, first, last_row, last, "")
            for row, cells in enumerate(rows):
                for column, value in enumerate(cells):
                    if isinstance(value, datetime.datetime):
                        sheet.write_datetime(row, column, value, moment)
                    elif isinstance(value, datetime.date):
                        sheet.write_datetime(row, column, value, day)
                    elif isinstance(value, tuple):
                        sheet.write_formula(row, column, value[0], None, value[1])
                    elif isinstance(value, str):
                        sheet.write_string(row, column, value)
                    elif value is not None:
                        sheet.write(row, column, value)
            if name in hidden:
                sheet.hide()
    return file


def xls(
    file: Path, sheets: Mapping[str, Rows], *, hidden: Sequence[str] = (), merged: Sequence[Range] = ()
) -> Path:
    """The same in the format of Excel 97."""
    book = xlwt.Workbook()
    day, moment = (
        xlwt.easyxf(num_format_str="DD.MM.YYYY"),
        xlwt.easyxf(num_format_str="DD.MM.YYYY HH:MM"),
    )
    for name, rows in sheets.items():
        sheet = book.add_sheet(name)
        for first_row, first, last_row, last in merged:
            sheet.merge(first_row, last_row, first, last)
        for row, cells in enumerate(rows):
            for column, value in enumerate(cells):
                if isinstance(value, datetime.datetime):
                    sheet.write(row, column, value, moment)
                elif isinstance(value, datetime.date):
                    sheet.write(row, column, value, day)
                elif isinstance(value, tuple):
                    sheet.write(row, column, value[1])
                elif value is not None:
                    sheet.write(row, column, value)
        if name in hidden:
            sheet.visibility = 1
    book.save(str(file))
    return file


def ods(file: Path, sheets: Mapping[str, Rows], *, hidden: Sequence[str] = ()) -> Path:
    """The same as OpenDocument, as small as the format allows."""
    tables = []
    for name, rows in sheets.items():
        style = ' table:style-name="hidden"' if name in hidden else ""
        body = "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows)
        tables.append(f'<table:table table:name="{escape(name)}"{style}>{body}</table:table>')
    return ods_of(file, "".join(tables))


def ods_of(file: Path, tables: str) -> Path:
    """An OpenDocument spreadsheet of these table elements."""
    content = (
        '<?xml version="1.0" encoding="UTF-8"?><office:document-content'
        ' xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
        ' xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
        ' xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"'
        ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">'
        '<office:automatic-styles><style:style style:name="hidden" style:family="table">'
        '<style:table-properties table:display="false"/></style:style></office:automatic-styles>'
        f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", MIMETYPE, zipfile.ZIP_STORED)
        archive.writestr("content.xml", content)
        archive.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{MIMETYPE}"/></manifest:manifest>',
        )
    return file


def _ods_cell(value: Any) -> str:
    if isinstance(value, tuple):
        value = value[1]
    if value is None:
        return "<table:table-cell/>"
    if isinstance(value, bool):
        told = f'office:value-type="boolean" office:boolean-value="{str(value).lower()}"'
    elif isinstance(value, int | float):
        told = f'office:value-type="float" office:value="{value!r}"'
    elif isinstance(value, datetime.date):  # a datetime is one too
        told = f'office:value-type="date" office:date-value="{value.isoformat()}"'
    else:
        told = 'office:value-type="string"'
    return f"<table:table-cell {told}><text:p>{escape(str(value))}</text:p></table:table-cell>"
