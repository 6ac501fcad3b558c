"""Weights as rows of the page of their source or of their operator, written by the services."""

from collections.abc import Sequence
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

from contacts.locks import lock_operators, lock_sources
from contacts.preview import serving, shares_of
from contacts.staffing import assign
from crm_project.actor import Actor
from crm_project.api.access import actor_of
from crm_project.audit.services import note_created
from crm_project.careful_admin import ShowsWhatItShowed
from operators.models import Operator
from sources.models import Assignment, Source
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
    """Knows of every row the share that the operator has there now."""

    other = "source"

    @cached_property
    def shares(self) -> dict[int, tuple[float, int] | None]:
        """By sources; None: the operator can get nothing there."""
        rows = [each.source for each in self.get_queryset()]
        return shares_of(self.instance.pk, rows) if rows else {}

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form = super()._construct_form(i, **kwargs)
        found = self.shares.get(form.instance.source_id) if form.instance.pk else (0.0, 0)
        form.instance.share_now, form.instance.others = found or (None, 0)
        return form


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


class SharesInline(ShowsWhatItShowed, TabularInline):
    """Rows of weights, each with what it gives now."""

    model = Assignment
    readonly_fields = ["share"]
    extra = 0
    hide_title = True

    class Media:
        js = ["sources/shares.js"]

    @admin.display(description=_("gets now"))
    def share(self, assignment: Assignment) -> str:
        """Recomputed by `shares.js` while somebody types.

        A row that is not available gets nothing; `others` is the weight of all others there, where
        they are not rows of the same page.
        """
        share = getattr(assignment, "share_now", 0.0)
        return format_html(
            '<output class="crm-share" data-available="{}" data-others="{}">{}</output>',
            "" if share is None else "yes",
            getattr(assignment, "others", ""),
            "—" if share is None else f"{number_format(100 * share, 1)} %",
        )


class OperatorsInline(SharesInline):
    """Who serves a source."""

    formset = OperatorsFormSet
    fields = ["operator", "weight", "share"]
    autocomplete_fields = ["operator"]
    verbose_name = _("operator")
    verbose_name_plural = _("Operators and weights")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Assignment]:
        return super().get_queryset(request).select_related("operator").order_by("operator")


class SourcesInline(SharesInline):
    """Which sources an operator serves."""

    formset = SourcesFormSet
    fields = ["source", "weight", "share"]
    autocomplete_fields = ["source"]
    verbose_name = _("source")
    verbose_name_plural = _("Sources and weights")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Assignment]:
        return super().get_queryset(request).select_related("source").order_by("source")


class SavesAssignments:
    """Of the ModelAdmin of an operator or a source: the form and the rows of its inlines are
    written through the services, all in one transaction.

    So what any of them locks is locked first, in the order of `contacts.locks`: else a form and an
    arrival could each wait for what the other has.
    """

    told_of_new: Sequence[str]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Make what is new; what is there is changed in `save_related`, under all the locks."""
        if not change:
            super().save_model(request, obj, form, change)
            note_created(obj, self.told_of_new, actor=actor_of(request))

    def save_changes(self, request: HttpRequest, form: Any) -> None:
        """Write what the form changed, through the service."""
        raise NotImplementedError

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        operators, sources = _concerned(form.instance, formsets)
        lock_operators(sources=sources, operators=operators)
        lock_sources(sources)
        if change:
            self.save_changes(request, form)
        super().save_related(request, form, formsets, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        if formset.model is not Assignment:
            super().save_formset(request, form, formset, change)
            return
        formset.save(commit=False)
        actor = actor_of(request)
        for assignment in formset.deleted_objects:
            remove_assignment(assignment, actor=actor)
        for assignment in [each for each, _names in formset.changed_objects] + formset.new_objects:
            _write(assignment, actor)
        formset.save_m2m()


def _concerned(instance: Operator | Source, formsets: Any) -> tuple[set[int], set[int]]:
    """The operators and the sources that the form and the rows of its weights name."""
    operators, sources = set(), set()
    if isinstance(instance, Operator):
        operators.add(instance.pk)
        sources |= set(instance.assignments.values_list("source", flat=True))
    else:
        sources.add(instance.pk)
    for formset in formsets:
        if formset.model is Assignment:
            rows = [form.instance for form in formset.forms if form.has_changed()]
            operators |= {row.operator_id for row in rows if row.operator_id}
            sources |= {row.source_id for row in rows if row.source_id}
    return operators, sources


def _write(assignment: Assignment, actor: Actor) -> None:
    written, _created = assign(
        operator_id=assignment.operator_id,
        source_id=assignment.source_id,
        weight=assignment.weight,
        actor=actor,
    )
    assignment.pk = written.pk
