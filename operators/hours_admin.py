"""The working hours on an operator's page: shifts and days off, written through the service."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.widgets import INPUT_CLASSES, UnfoldAdminSelectWidget

from contacts.staffing import change_hours
from crm_project.api.access import actor_of
from operators.models import DayOff, Shift

# What a row may stand for beside one weekday.
SEVERAL = {"workdays": range(5), "daily": range(7)}


def picker(
    widget: type[forms.TimeInput] | type[forms.DateInput], kind: str, form: str
) -> forms.Widget:
    """The browser's own: made for thumbs, and without the admin's notes on the server's time."""
    return widget(format=form, attrs={"type": kind, "class": " ".join(INPUT_CLASSES)})


class ShiftForm(forms.ModelForm):
    """The same hours may be given to several days at once."""

    weekday = forms.ChoiceField(
        label=_("Weekday"),
        choices=[
            ("", "---------"),
            ("workdays", _("Monday to Friday")),
            ("daily", _("Every day")),
            *WEEKDAYS.items(),
        ],
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = Shift
        fields = ["weekday", "starts", "ends"]
        widgets = {name: picker(forms.TimeInput, "time", "%H:%M") for name in ("starts", "ends")}

    def clean_weekday(self) -> int:
        chosen = self.cleaned_data["weekday"]
        self.days = SEVERAL.get(chosen) or [int(chosen)]
        return self.days[0]

    def rows(self) -> dict[Any, Shift]:
        """A shift for each of the days, by what there may be only one of."""
        starts, ends = self.instance.starts, self.instance.ends
        return {(day, starts): Shift(weekday=day, starts=starts, ends=ends) for day in self.days}


class DayOffForm(forms.ModelForm):
    """A single day needs no second date."""

    class Meta:
        model = DayOff
        fields = ["first_day", "last_day", "note"]
        widgets = {
            name: picker(forms.DateInput, "date", "%Y-%m-%d") for name in ("first_day", "last_day")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["last_day"].required = False

    def clean_last_day(self) -> Any:
        return self.cleaned_data["last_day"] or self.cleaned_data.get("first_day")

    def rows(self) -> dict[Any, DayOff]:
        return {self.prefix: self.instance}


class HoursInline(TabularInline):
    extra = 0
    hide_title = True


class ShiftInline(HoursInline):
    model = Shift
    form = ShiftForm


class DayOffInline(HoursInline):
    model = DayOff
    form = DayOffForm


class HoursMixin:
    """Of an operator's ModelAdmin: the shifts, the days off and a choice of time zones."""

    inlines = [ShiftInline, DayOffInline]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "time_zone":
            own = _("As the service: %(zone)s") % {"zone": settings.TIME_ZONE}
            return forms.ChoiceField(
                label=db_field.verbose_name.capitalize(),
                help_text=db_field.help_text,
                required=False,
                choices=[("", own), *((name, name) for name in sorted(available_timezones()))],
                widget=UnfoldAdminSelectWidget,
                show_hidden_initial=True,
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        kept = {Shift: "shifts", DayOff: "days_off"}.get(formset.model)
        if kept is None:
            super().save_formset(request, form, formset, change)
            return
        # Nothing is saved by this, it only tells the log what changed.
        formset.save(commit=False)
        if formset.has_changed():
            rows = [*_rows(formset), *_unseen(formset)]
            change_hours(form.instance, **{kept: rows}, actor=actor_of(request))


def _unseen(formset: Any) -> list[Model]:
    """What somebody else has added since the form was shown."""
    seen = [form.instance.pk for form in formset.initial_forms]
    return list(formset.model.objects.filter(operator=formset.instance).exclude(pk__in=seen))


def _rows(formset: Any) -> list[Model]:
    """What the formset shows, without what is to be deleted and the forms left empty; of two
    shifts that begin at the same time the lower one.
    """
    forms = [*formset.initial_forms, *(each for each in formset.extra_forms if each.has_changed())]
    rows: dict[Any, Model] = {}
    for form in forms:
        if form not in formset.deleted_forms:
            rows |= form.rows()
    return list(rows.values())
