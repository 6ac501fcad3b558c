"""Tables as files that spreadsheets open, written row by row: `pages` are rows, many at a time."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import IO, Any

from django.utils.translation import get_language
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils import get_column_letter

Cell = str | int | float | datetime
Pages = Iterable[Sequence[Sequence[Cell]]]

# A spreadsheet takes a cell of CSV that starts so for a formula.
FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
# openpyxl takes a text that starts so for a formula or an error.
MARKED = ("=", "#")
# XML, and so XLSX, holds neither these nor more of a text than so many characters.
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
LONGEST_TEXT = 32_767
WIDTH = 22


def csv_parts(header: Sequence[str], pages: Pages) -> Iterator[bytes]:
    """CSV in UTF-8, a part for each page; with the mark by which spreadsheets know UTF-8.

    What would be a formula gets an apostrophe before it, which `reading` takes away again.
    """
    # Spreadsheets of a Russian system expect semicolons.
    delimiter = ";" if get_language() == "ru" else ","
    start = "\ufeff".encode() + _csv([header], delimiter)
    return chain([start], (_csv(page, delimiter) for page in pages))


def _csv(rows: Iterable[Sequence[Cell]], delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([shielded(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def shielded(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and FORMULA.match(cell) else cell


def write_xlsx(header: Sequence[str], pages: Pages, file: IO[bytes]) -> None:
    """XLSX of one sheet, whose texts are texts and no formulas.

    What XML cannot hold of a text becomes `\ufffd`.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.freeze_panes = "A2"
    for number in range(1, len(header) + 1):
        sheet.column_dimensions[get_column_letter(number)].width = WIDTH

    def cell(value: Cell) -> Any:
        if not isinstance(value, str):
            return value
        text = NOT_IN_XML.sub("\ufffd", value[:LONGEST_TEXT])
        if not text.startswith(MARKED):
            return text
        marked = WriteOnlyCell(sheet, text)
        marked.data_type = "s"
        return marked

    sheet.append(header)
    for page in pages:
        for row in page:
            sheet.append([cell(value) for value in row])
    book.save(file)
