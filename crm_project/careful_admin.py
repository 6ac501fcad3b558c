"""Of the back office's forms and lists: nobody's change is undone silently, and what the state of
things or the database refuses is a message, not an error page.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django import forms
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import ObjectDoesNotExist
from django.db import DataError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException

from crm_project.api.filters import LARGEST_ID
from crm_project.errors import Busy, Conflict
from crm_project.faults import fault_of

REFUSED = (APIException, ObjectDoesNotExist, OperationalError, InterfaceError)
Thing = TypeVar("Thing")
MOST_NAMED = 10
NEVER_ASKED = {"regex", "iregex", "range", "year", "month", "day", "week_day", "iso_year", "week"}
NEVER_ASKED |= {"quarter", "hour", "minute", "second", "iso_week_day"}


class CarefulForm(forms.ModelForm):
    """Saves only what its user changed, and not over what somebody else changed meanwhile."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        # The instance takes the new values only after this.
        self._stored = {name: getattr(self.instance, name, None) for name in self.fields}
        if self.instance.pk:
            for name in set(self.changed_data) & cleaned.keys():
                self._refuse_if_stale(name)
        return cleaned

    def changes(self) -> dict[str, Any]:
        """What its user changed."""
        return {name: self.cleaned_data[name] for name in self.changed_data}

    def expected(self) -> dict[str, Any]:
        """What these fields had when it was checked."""
        return {name: self._stored[name] for name in self.changed_data}

    def _refuse_if_stale(self, name: str) -> None:
        """Unless the stored value is what the form showed, or what it was changed to as well."""
        bound, stored = self[name], self.get_initial_for_field(self.fields[name], name)
        # A form that does not tell what it showed may have shown anything.
        shown, wanted = self.data.get(bound.html_initial_name), bound.data
        if not all(bound.field.has_changed(stored, each) for each in (shown, wanted)):
            return
        self.add_error(
            name,
            _("Meanwhile somebody else has changed this to “%(value)s”. Save again to replace it.")
            % {"value": self._in_words(name, stored)},
        )
        # So that saving again is a decision made with that in mind.
        self.data = self.data.copy()
        self.data[bound.html_initial_name] = bound.field.prepare_value(stored)

    def _in_words(self, name: str, stored: Any) -> str:
        if isinstance(stored, bool):
            return _("Yes") if stored else _("No")
        if isinstance(self.fields[name], forms.ModelChoiceField):
            return str(getattr(self.instance, name) or "—")
        return str(dict(getattr(self.fields[name], "choices", [])).get(stored, stored))


class ShowsWhatItShowed:
    """Of a ModelAdmin or an inline: a form tells with every field what it showed."""

    form = CarefulForm

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field:
            field.show_hidden_initial = True
        return field


class ToldAdmin:
    """Of a ModelAdmin: what is refused is told as a message on the page one came from, and what a
    list cannot be narrowed by is left out.
    """

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._or_told(request, super().changeform_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._or_told(request, super().delete_view, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._or_told(request, super().changelist_view, *args, **kwargs)

    def response_action(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        chosen = request.POST.getlist("_selected_action")
        if all(is_id(each) for each in chosen):
            return super().response_action(request, queryset)
        self._tell(request, _("Nothing was selected that is there."))
        return HttpResponseRedirect(request.get_full_path())

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Nothing that no page asks for and that the databases answer with errors, or for hours."""
        return not NEVER_ASKED.intersection(lookup.split("__")) and super().lookup_allowed(
            lookup, value, request
        )

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """A number or a moment that the database cannot even compare is a wrong filter."""
        for name, values in request.GET.lists():
            if name != SEARCH_VAR and any(each.isdigit() and not is_id(each) for each in values):
                raise IncorrectLookupParameters(name)
        try:
            return super().get_changelist_instance(request)
        except (ValueError, OverflowError, DataError) as error:
            raise IncorrectLookupParameters(error) from error

    def _or_told(
        self, request: HttpRequest, view: Callable[..., HttpResponse], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        try:
            return view(request, *args, **kwargs)
        except REFUSED as error:
            self._tell(request, words(error))
        return HttpResponseRedirect(request.get_full_path())

    def _tell(self, request: HttpRequest, text: str) -> None:
        self.message_user(request, text, messages.ERROR)


class CarefulAdmin(ToldAdmin, ShowsWhatItShowed):
    """The same, whose forms undo nobody's change."""


def is_id(text: str) -> bool:
    """Can it be the id of a row?"""
    few = text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_ID))
    return few and int(text) <= LARGEST_ID


def tell_each(request: HttpRequest, objects: Iterable[Thing], act: Callable[[Thing], str]) -> None:
    """Do it to one object at a time, and tell each outcome once, with whose it is."""
    done: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for each in objects:
        try:
            done[messages.SUCCESS, act(each)].append(str(each))
        except REFUSED as error:
            done[messages.WARNING, words(error)].append(str(each))
    for (level, text), names in done.items():
        more = len(names) - MOST_NAMED
        shown = names[:MOST_NAMED] + ([_("%(count)d more") % {"count": more}] if more > 0 else [])
        messages.add_message(request, level, f"{', '.join(shown)}: {text}")


def words(error: Exception) -> str:
    """What was refused, for a person."""
    match error:
        case APIException():
            return " ".join(_texts(error.detail))
        case ObjectDoesNotExist():
            return str(Conflict.default_detail)
    return str((fault_of(error) or Busy()).detail)


def _texts(detail: Any) -> list[str]:
    if isinstance(detail, dict):
        detail = detail.values()
    elif not isinstance(detail, list):
        return [str(detail)]
    return [text for each in detail for text in _texts(each)]
