"""Tables survive their files, and files that are traps are refused."""

import csv
import io
import zipfile

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from crm_project.sheets import reading
from crm_project.sheets.reading import SheetError, read_rows
from crm_project.sheets.writing import NOT_IN_XML, csv_parts, write_xlsx

pytestmark = pytest.mark.once

DANGEROUS = ["=1+1", "+7999", "-1", "@a", "\tx", "\rx", "'=1", "''+1", "＝1", "'", "x=1", "#N/A"]
# No surrogates: neither UTF-8 nor our databases have them.
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(DANGEROUS)
TABLES = st.lists(st.lists(TEXTS, min_size=2, max_size=4), min_size=1, max_size=5)


def cells(content):
    return [row.cells for row in read_rows(io.BytesIO(content))]


def as_csv(rows):
    return b"".join(csv_parts(rows[0], [rows[1:]]))


def as_xlsx(rows):
    file = io.BytesIO()
    write_xlsx(rows[0], [rows[1:]], file)
    return file.getvalue()


def not_blank(rows):
    return [row for row in rows if any(map(str.strip, row))]


def repacked(content, **changed):
    """A XLSX file with other parts, named without folder and suffix."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", 8) as new:
        for each in old.infolist():
            name = each.filename.rpartition("/")[2].removesuffix(".xml")
            new.writestr(each.filename, changed.get(name, old.read(each)))
    return file.getvalue()


@given(TABLES, st.sampled_from(["ru", "en"]))
def test_any_text_survives_csv(rows, language):
    # The first row decides what the delimiter is.
    rows = [["a", "b", "c", "d"], *rows]
    with translation.override(language):
        assert cells(as_csv(rows)) == not_blank(rows)


@given(TABLES)
def test_any_text_that_xml_can_hold_survives_xlsx(rows):
    def held(text):
        text = NOT_IN_XML.sub("\ufffd", text)
        return text.replace("\r\n", "\n").replace("\r", "\n")

    rows = [["a", "b", "c", "d"], *rows]
    read = [row + [""] * (4 - len(row)) for row in cells(as_xlsx(rows))]
    written = [[held(text) for text in row] + [""] * (4 - len(row)) for row in rows]
    assert read == not_blank(written)


@pytest.mark.parametrize("text", DANGEROUS[:9])
def test_csv_has_no_cell_that_a_spreadsheet_takes_for_a_formula(text):
    content = as_csv([["a"], [text]]).decode("utf-8-sig")
    ((written,),) = list(csv.reader(io.StringIO(content, newline="")))[1:]
    assert written == f"'{text}"


def test_xlsx_has_no_formula():
    content = as_xlsx([["a"], ["=1+1"], ["#N/A"]])
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml")
    assert b"<f" not in sheet
    assert sheet.count(b"inlineStr") == 3


@pytest.mark.parametrize("content", [as_csv([["a"], ["b"]]), as_xlsx([["a"], ["b"]])])
def test_the_file_stays_open_to_whoever_sent_it(content):
    file = io.BytesIO(content)
    assert len(list(read_rows(file))) == 2
    assert not file.closed


class Counted:
    """Pages that count how many were taken."""

    def __init__(self, pages):
        self.pages, self.taken = pages, 0

    def __iter__(self):
        for _ in range(self.pages):
            self.taken += 1
            yield [["a", "b"]] * 10


def test_csv_is_written_page_by_page_as_it_is_read():
    pages = Counted(1000)
    parts = csv_parts(["a", "b"], pages)
    next(parts), next(parts)
    assert pages.taken == 1


@pytest.mark.parametrize("write", [as_csv, as_xlsx])
def test_rows_are_read_one_by_one_up_to_the_limit(write, monkeypatch):
    monkeypatch.setattr(reading, "MOST_ROWS", 3)
    rows = read_rows(io.BytesIO(write([["a"]] * 10)))
    assert [next(rows).number for _ in range(4)] == [1, 2, 3, 4]
    with pytest.raises(SheetError):
        next(rows)


def test_rows_keep_the_numbers_that_a_spreadsheet_shows():
    content = as_xlsx([["a"], [""], ["b"]])
    assert [row.number for row in read_rows(io.BytesIO(content))] == [1, 3]
    assert [row.number for row in read_rows(io.BytesIO(b"a\n\n\nb\n"))] == [1, 4]


ENTITIES = b"""<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">
<c r="A1" t="inlineStr"><is><t>&b;</t></is></c></row></sheetData></worksheet>"""
FAR_ROW = b"""<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>
<row r="99999999999"><c t="inlineStr"><is><t>a</t></is></c></row></sheetData></worksheet>"""


def test_entities_of_xml_are_refused():
    content = repacked(as_xlsx([["a"]]), sheet1=ENTITIES)
    with pytest.raises(SheetError):
        cells(content)


def test_a_file_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(monkeypatch):
    for limit, part in [("MOST_OF_SHEETS", "sheet1"), ("MOST_OF_OTHER_PARTS", "styles")]:
        bomb = repacked(as_xlsx([["a"]]), **{part: b"<a>" + b" " * 5_000_000})
        assert len(bomb) < 50_000
        with monkeypatch.context() as patch:
            patch.setattr(reading, limit, 4_000_000)
            with translation.override("en"), pytest.raises(SheetError, match="unpacks"):
                cells(bomb)


def test_a_row_at_the_end_of_the_world_ends_the_reading():
    with translation.override("en"), pytest.raises(SheetError, match="more than 100000 rows"):
        cells(repacked(as_xlsx([["a"]]), sheet1=FAR_ROW))


def test_a_cell_far_to_the_right_makes_no_row_of_thousands():
    wide = as_xlsx([["a", *[""] * 2_000, "b"]])
    [row] = cells(wide)
    assert row == ["a"]


@pytest.mark.parametrize("part", ["sheet1", "styles", "workbook", "[Content_Types]"])
@pytest.mark.parametrize("content", [b"", b"<a>", b"\0" * 100])
def test_a_damaged_part_is_told_as_damage(part, content):
    with translation.override("en"), pytest.raises(SheetError, match="damaged"):
        cells(repacked(as_xlsx([["a"]]), **{part: content}))


def test_cells_are_read_as_their_spreadsheet_shows_them():
    book = Workbook()
    book.active.append([1.0, 1.5, True, None, "=1+1", 79991234567])
    book.create_sheet("second").append(["not read"])
    file = io.BytesIO()
    book.save(file)
    assert cells(file.getvalue()) == [["1", "1.5", "TRUE", "", "", "79991234567"]]
