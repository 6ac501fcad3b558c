"""Pages of a table that is too large to be counted."""

from typing import Any

from django.core.paginator import Page, Paginator

# Whoever goes on beyond that wants a filter: to skip rows costs reading them.
MOST_PAGES = 500


class UncountedPage(Page):
    """A page that knows whether another one follows, since one row more was fetched for it."""

    def __init__(self, rows: list[Any], number: int, paginator: Paginator) -> None:
        self._more = len(rows) > paginator.per_page
        super().__init__(rows[: paginator.per_page], number, paginator)

    def has_next(self) -> bool:
        return self._more and super().has_next()

    def end_index(self) -> int:
        return self.start_index() + len(self) - 1


class UncountedPaginator(Paginator):
    """`ModelAdmin.paginator` for large tables, at the cost of one query a page.

    Its `count` is how many rows it could show at most, so `list_disable_select_all` and no
    `show_full_result_count` belong beside it.
    """

    template_name = "admin/uncounted_pagination.html"

    @property
    def count(self) -> int:
        return MOST_PAGES * self.per_page

    def page(self, number: int | str) -> UncountedPage:
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        rows = list(self.object_list[first : first + self.per_page + 1])
        # The change list hands the template the rows alone.
        self.shown = UncountedPage(rows, number, self)
        return self.shown


# The header of unfold's lists tells the count of every paginator but that of this name.
UncountedPaginator.__name__ = "InfinitePaginator"
