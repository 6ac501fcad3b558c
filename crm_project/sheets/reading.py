"""Tables in the files of spreadsheets: CSV as they write it, in several encodings and with several
delimiters, and XLSX. They are read row by row; no table is ever whole in memory.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from datetime import date, datetime
from functools import partial
from typing import Any, BinaryIO, NamedTuple
from zipfile import ZipFile, ZipInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from openpyxl import load_workbook

MOST_BYTES = 32 * 1024 * 1024
MOST_ROWS = 100_000
# What a XLSX file may unpack to: sheets are read piece by piece, all else at once.
MOST_OF_SHEETS = 512 * 1024 * 1024
MOST_OF_TEXTS = 64 * 1024 * 1024
# Blank rows are not counted above, yet they must not go on for ever.
LAST_ROW = 2 * MOST_ROWS
# Titles are few; a cell far to the right would make a row of thousands.
MOST_COLUMNS = 256
# Styles and the like are read whole before the first row.
MOST_OF_OTHER_PARTS = 4 * 1024 * 1024

ZIP, OLE = b"PK\x03\x04", bytes.fromhex("d0cf11e0")
DELIMITERS = ",;\t"
CHUNK = 64 * 1024
# What `writing.csv_parts` puts an apostrophe before.
SHIELDED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


class SheetError(Exception):
    """The file cannot be read as a table; says why to whoever sent it."""


class Row(NamedTuple):
    """The cells of a row as text, with the number that a spreadsheet shows beside it."""

    number: int
    cells: list[str]


def read_rows(file: BinaryIO) -> Iterator[Row]:
    """The rows that are not blank, of a XLSX file those of its first sheet.

    Raises SheetError, also amid the rows.
    """
    file.seek(0)
    start = file.read(4)
    if not start:
        raise SheetError(_("The file is empty."))
    if start == OLE:
        raise SheetError(
            _("This is an old .xls file or one with a password. Save it as .xlsx without one.")
        )
    rows = _xlsx_rows(file) if start == ZIP else _csv_rows(file)
    return _some(rows)


def _some(rows: Iterator[list[str]]) -> Iterator[Row]:
    """Those that are not blank, up to the limit; the first one is the header."""
    count = 0
    for number, cells in enumerate(rows, 1):
        blank = not any(map(str.strip, cells))
        if number > LAST_ROW or (count > MOST_ROWS and not blank):
            raise SheetError(
                ngettext(
                    "The file has more than %(most)d row. Split it.",
                    "The file has more than %(most)d rows. Split it.",
                    MOST_ROWS,
                )
                % {"most": MOST_ROWS}
            )
        if not blank:
            count += 1
            yield Row(number, cells)


def _csv_rows(file: BinaryIO) -> Iterator[list[str]]:
    text = io.TextIOWrapper(file, _encoding(file), newline="")
    text.seek(0)
    head = text.read(CHUNK)
    text.seek(0)
    reader = csv.reader(text, delimiter=delimiter_of(head))
    try:
        for row in reader:
            yield [cell[1:] if SHIELDED.match(cell) else cell for cell in row]
    except csv.Error as error:
        raise SheetError(
            _("The text from line %(line)d on is no table: is a quotation mark left open?")
            % {"line": reader.line_num}
        ) from error
    finally:
        # The file is not ours to close.
        text.detach()


def _encoding(file: BinaryIO) -> str:
    """The first encoding in which the whole file is text."""
    file.seek(0)
    unicode = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    for encoding in ["utf-16"] if unicode else ["utf-8-sig", "cp1251"]:
        decoder = codecs.getincrementaldecoder(encoding)()
        file.seek(0)
        try:
            for chunk in iter(partial(file.read, CHUNK), b""):
                decoder.decode(chunk)
            decoder.decode(b"", True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise SheetError(_("The file is neither XLSX nor text in UTF-8 or Windows-1251."))


def delimiter_of(head: str) -> str:
    """That which makes the most cells of the first row."""
    first = next(filter(str.strip, head.splitlines()), "")

    def cells(delimiter: str) -> int:
        return len(next(csv.reader([first], delimiter=delimiter)))

    try:
        return max(DELIMITERS, key=cells)
    except csv.Error:
        return DELIMITERS[0]


def _xlsx_rows(file: BinaryIO) -> Iterator[list[str]]:
    """Entities and documents without end are refused by defusedxml, which openpyxl uses."""
    try:
        _refuse_bomb(ZipFile(file).infolist())
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        # What the file says of its own size may be wrong.
        sheet.reset_dimensions()
        for row in sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True):
            yield _without_blank_end([_as_text(value) for value in row])
    except SheetError:
        raise
    except Exception as error:  # the library raises whatever a malformed file provokes
        raise SheetError(_("The XLSX file is damaged. Save it anew or as CSV.")) from error


def _without_blank_end(cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _refuse_bomb(parts: list[ZipInfo]) -> None:
    """Raise SheetError where the file unpacks to too much; nothing is read beyond these sizes."""
    sheets = sum(each.file_size for each in parts if each.filename.startswith("xl/worksheets/"))
    ignored = sum(each.file_size for each in parts if each.filename.startswith("xl/media/"))
    texts = sum(each.file_size for each in parts if each.filename == "xl/sharedStrings.xml")
    rest = sum(each.file_size for each in parts) - sheets - ignored - texts
    if sheets > MOST_OF_SHEETS or texts > MOST_OF_TEXTS or rest > MOST_OF_OTHER_PARTS:
        raise SheetError(_("The XLSX file unpacks to too much. Split it or save it as CSV."))


def _as_text(value: Any) -> str:
    """A cell as its spreadsheet shows it, more or less: a phone is no floating point number."""
    match value:
        case None:
            return ""
        case float() if value.is_integer():
            return str(int(value))
        case bool():
            return str(value).upper()
        case datetime():
            return value.isoformat(" ", "seconds")
        case date():
            return value.isoformat()
    return str(value)
