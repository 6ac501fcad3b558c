"""What a browser would send of a page's form."""

from html.parser import HTMLParser
from typing import Any

from django.http import HttpResponse


def filled(page: HttpResponse, form_id: str, **changes: Any) -> dict[str, Any]:
    """The fields of the form as they stand on the page, with the changes; None leaves one out."""
    reader = _Reader(form_id)
    reader.feed(page.content.decode())
    data = reader.data | changes
    return {name: value for name, value in data.items() if value is not None}


class _Reader(HTMLParser):
    def __init__(self, form_id: str) -> None:
        super().__init__()
        self.data: dict[str, str] = {}
        self._form_id, self._inside = form_id, False
        self._select, self._textarea = "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name = found.get("name") or ""
        if tag == "form":
            self._inside = found.get("id") == self._form_id
        elif not self._inside or "__prefix__" in name:
            return
        elif tag == "input" and name and found.get("type") not in ("submit", "button"):
            ticked = found.get("type") in ("checkbox", "radio")
            if not ticked or "checked" in found:
                self.data[name] = found.get("value") or ("on" if ticked else "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in found:
            self.data[self._select] = found.get("value") or ""
        elif tag == "textarea":
            self._textarea = name
            self.data[name] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.data[self._textarea] += data
