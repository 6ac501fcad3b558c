"""Weights as rows of the page of their source or of their operator, written by the services."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from contacts.preview import serving
from contacts.staffing import assign
from crm_project.actor import Actor
from crm_project.api.access import actor_of
from crm_project.careful_admin import ShowsWhatItShowed
from sources.models import Assignment
from sources.services import remove_assignment


class KnownChoice(forms.Field):
    """The one operator or source that a row stands for: shown as text, never looked up again."""

    def __init__(self, known: Model, label: str) -> None:
        super().__init__(label=label, required=False, widget=KnownWidget(known), initial=known.pk)
        self.known = known

    def clean(self, value: Any) -> Model:
        return self.known

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


class KnownWidget(forms.Widget):
    def __init__(self, known: Model) -> None:
        super().__init__()
        self.known = known

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> str:
        return format_html('<span class="crm-known">{}</span>', str(self.known))


class PairsFormSet(BaseInlineFormSet):
    """A row that is there stands for its pair: another one is another row."""

    other: str

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["weight"].widget.attrs["aria-label"] = form.fields["weight"].label
        if form.instance.pk:
            label = form.fields[self.other].label
            form.fields[self.other] = KnownChoice(getattr(form.instance, self.other), label)


class SourcesFormSet(PairsFormSet):
    other = "source"


class OperatorsFormSet(PairsFormSet):
    """Knows of every row the chance that its operator has now."""

    other = "operator"

    @cached_property
    def shares(self) -> dict[int, float | None]:
        """By operators; None: not available."""
        if self.instance.pk is None:
            return {}
        return {
            each.operator_id: None if each.unavailable() else share
            for each, share in serving(self.instance)
        }

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form = super()._construct_form(i, **kwargs)
        form.instance.share_now = self.shares.get(form.instance.operator_id, 0.0)
        return form


class OperatorsInline(ShowsWhatItShowed, TabularInline):
    """Who serves a source."""

    model = Assignment
    formset = OperatorsFormSet
    fields = ["operator", "weight", "share"]
    readonly_fields = ["share"]
    autocomplete_fields = ["operator"]
    extra = 0
    hide_title = True
    verbose_name = _("operator")
    verbose_name_plural = _("Operators and weights")

    class Media:
        js = ["sources/shares.js"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Assignment]:
        return super().get_queryset(request).select_related("operator").order_by("operator")

    @admin.display(description=_("gets now"))
    def share(self, assignment: Assignment) -> str:
        """Recomputed by `shares.js` while somebody types; its rows can or cannot get a contact."""
        share = getattr(assignment, "share_now", 0.0)
        return format_html(
            '<output class="crm-share" data-available="{}">{}</output>',
            "" if share is None else "yes",
            "—" if share is None else f"{number_format(100 * share, 1)} %",
        )


class SourcesInline(ShowsWhatItShowed, TabularInline):
    """Which sources an operator serves."""

    model = Assignment
    formset = SourcesFormSet
    fields = ["source", "weight"]
    autocomplete_fields = ["source"]
    extra = 0
    hide_title = True
    verbose_name = _("source")
    verbose_name_plural = _("Sources and weights")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Assignment]:
        return super().get_queryset(request).select_related("source").order_by("source")


class SavesAssignments:
    """Of a ModelAdmin: the rows of its inlines are written through the services."""

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        if formset.model is not Assignment:
            super().save_formset(request, form, formset, change)  # type: ignore[misc]
            return
        formset.save(commit=False)
        actor = actor_of(request)
        for assignment in formset.deleted_objects:
            remove_assignment(assignment, actor=actor)
        for assignment in [each for each, _names in formset.changed_objects] + formset.new_objects:
            _write(assignment, actor)
        formset.save_m2m()


def _write(assignment: Assignment, actor: Actor) -> None:
    written, _created = assign(
        operator_id=assignment.operator_id,
        source_id=assignment.source_id,
        weight=assignment.weight,
        actor=actor,
    )
    assignment.pk = written.pk
