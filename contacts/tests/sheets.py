"""Files as people send them, and what comes back."""

import csv
import io

from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import Workbook, load_workbook


def csv_file(*rows, delimiter=",", encoding="utf-8"):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode(encoding)


def xlsx_file(*rows):
    book = Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def upload(client, content, *, kind="contacts", name="rows.csv"):
    """Send a file; answers the page that it leads to."""
    data = {"kind": kind, "file": SimpleUploadedFile(name, content)}
    return client.post("/admin/contacts/contact/import/", data, follow=True)


def go_on(client, run, times=1):
    """Press the button so often; answers the last page."""
    for _ in range(times):
        page = client.post(f"/admin/contacts/contact/import/{run.pk}/next/", follow=True)
    return page


def exported(client, path, form="csv", query=""):
    """The rows of an export, the header first."""
    response = client.get(f"/admin/{path}/export/{form}/{query}")
    assert response.status_code == 200, response.status_code
    content = b"".join(response.streaming_content)
    if form == "xlsx":
        book = load_workbook(io.BytesIO(content))
        return [list(row) for row in book.active.iter_rows(values_only=True)]
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig")), delimiter=";"))
