"""What several pages of the back office share."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest


class VisibleOnlyMixin:
    """Lists, finds and offers only what is `visible` to the user: all else does not exist."""

    def visible(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        raise NotImplementedError

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.visible(request, super().get_queryset(request))

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """As Django finds it, but a 404 in place of a way to the first page with a message."""
        found = super().get_object(request, *args, **kwargs)
        if found is None:
            raise Http404
        return found
