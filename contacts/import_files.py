"""Files of contacts of any size, row by row: CSV with titles above, or JSON lines.

The keys are those of `POST /contacts`, beside the row's own id; others are not used.
"""

import codecs
import csv
import json
import re
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple, TextIO

from crm_project.sheets.reading import SHIELDED, SheetError, delimiter_of
from crm_project.sheets.writing import shielded

# Characters; no row of a contact is as long as that.
LONGEST_LINE = 1024 * 1024
LONGEST_ID = 255
FIELDS = (
    "lead_external_id",
    "source_code",
    "source_id",
    "message",
    "lead_name",
    "lead_phone",
    "lead_email",
)
# Of an escape in JSON; the others stand for bytes that were not to be read, and become those again.
HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
LINE, REASON, TEXT = "refused_line", "refused_reason", "refused_text"


class Row(NamedTuple):
    """A row by the line it begins on; `fault` says in words why it cannot even be read.

    `given` is what the file has, to be given back.
    """

    line: int
    id: str
    fields: dict[str, Any]
    given: Any
    fault: str = ""


class CsvFile:
    """Raises SheetError where it is no table of contacts, also amid the rows."""

    def __init__(self, text: TextIO, *, id_column: str) -> None:
        lines = bounded(text)
        first = next((line for line in lines if line.strip()), "").removeprefix("\ufeff")
        if not first:
            raise SheetError("The file is empty.")
        self.delimiter = delimiter_of(first)
        (self.titles,) = csv.reader([first], delimiter=self.delimiter)
        self._reader = csv.reader(lines, delimiter=self.delimiter)
        self._names = [title.strip().casefold() for title in self.titles]
        self._columns = _columns(self._names, id_column)
        self._id = self._names.index(id_column.casefold())

    def __iter__(self) -> Iterator[Row]:
        line = 2
        while True:
            try:
                cells = next(self._reader, None)
            except csv.Error as error:
                yield Row(line, "", {}, [], f"no table: {error}; is a quotation mark left open?")
            else:
                if cells is None:
                    return
                if any(cells):
                    yield self._row(line, cells)
            line = 2 + self._reader.line_num

    def _row(self, line: int, cells: list[str]) -> Row:
        if len(cells) != len(self.titles):
            return Row(line, "", {}, cells, f"{len(cells)} cells under {len(self.titles)} titles")
        cells = [cell[1:] if SHIELDED.match(cell) else cell for cell in cells]
        fields: dict[str, Any] = {name: cells[place] for name, place in self._columns}
        if "source_id" in fields:
            fields["source_id"] = _number(fields["source_id"])
        if not fields.get("source_code"):
            fields.pop("source_code", None)
        return Row(line, cells[self._id].strip(), fields, cells)

    def refused(self, file: TextIO) -> Callable[[Row, str], None]:
        """Begin a file of refused rows; call the result with each, and why."""
        writer = csv.writer(file, delimiter=self.delimiter)
        writer.writerow([*self.titles, LINE, REASON])
        width = len(self.titles)

        def write(row: Row, reason: str) -> None:
            cells = [*row.given, *[""] * (width - len(row.given))]
            writer.writerow([*map(shielded, cells), row.line, reason])

        return write


def given_back(error: Any) -> tuple[str | bytes, int]:
    """How refused rows are written in the encoding that they had: as the bytes that they were. Only
    a reason may not be to be written; it gets question marks.
    """
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeEncodeError:
        return "?" * (error.end - error.start), error.end


codecs.register_error("given_back", given_back)


def _columns(names: list[str], id_column: str) -> list[tuple[str, int]]:
    for name in [id_column.casefold(), "lead_external_id"]:
        if name not in names:
            raise SheetError(f"There is no column {name!r} in the first row.")
    if "source_code" not in names and "source_id" not in names:
        raise SheetError("There is no column 'source_code' or 'source_id' in the first row.")
    for name in {id_column.casefold(), *FIELDS}:
        if names.count(name) > 1:
            raise SheetError(f"Two columns are {name!r}.")
    return [(name, names.index(name)) for name in FIELDS if name in names]


def _number(cell: str) -> int | str | None:
    """What is no number is left for whoever says so."""
    cell = cell.strip()
    return int(cell) if cell.isascii() and cell.isdigit() and len(cell) < 20 else cell or None


class JsonLines:
    """One object a line."""

    def __init__(self, text: TextIO, *, id_column: str) -> None:
        self._lines = bounded(text)
        self._id = id_column

    def __iter__(self) -> Iterator[Row]:
        for line, text in enumerate(self._lines, 1):
            if text.strip("\ufeff \t\r\n"):
                yield self._row(line, text.strip("\ufeff \t\r\n"))

    def _row(self, line: int, text: str) -> Row:
        try:
            given = json.loads(text)
        except ValueError as error:
            return Row(line, "", {}, text, f"no JSON: {error}")
        except RecursionError:
            return Row(line, "", {}, text, "no JSON: nested too deeply")
        if not isinstance(given, dict):
            return Row(line, "", {}, text, "no JSON object")
        pk = given.get(self._id)
        if type(pk) not in (str, int):
            fault = f"{self._id!r} is neither a text nor a whole number" if pk is not None else ""
            return Row(line, "", given, given, fault)
        return Row(line, str(pk).strip(), given, given)

    def refused(self, file: TextIO) -> Callable[[Row, str], None]:
        def write(row: Row, reason: str) -> None:
            given = row.given if isinstance(row.given, dict) else {TEXT: row.given}
            shown = {**given, LINE: row.line, REASON: reason}
            line = json.dumps(shown, ensure_ascii=False)
            file.write((json.dumps(shown) if HALVES.search(line) else line) + "\n")

        return write


def bounded(text: IO[str]) -> Iterator[str]:
    """The lines; raises SheetError where one has no end, rather than take all memory."""
    for line in iter(lambda: text.readline(LONGEST_LINE), ""):
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            raise SheetError(f"A line is longer than {LONGEST_LINE} characters.")
        yield line


FORMATS: dict[str, type[CsvFile] | type[JsonLines]] = {"csv": CsvFile, "jsonl": JsonLines}
