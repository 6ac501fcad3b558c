"""Counts of what is over: closed contacts, and draws."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from contacts.tally.spans import Span

SPANS = [(each.value, each.value) for each in Span]
# `ever` starts nowhere, all others do.
STARTS = Q(span="ever", start__isnull=True) | (~Q(span="ever") & Q(start__isnull=False))


class ContactTally(models.Model):
    """How many closed contacts of a source, created in a span of time, one operator has.

    The database itself adds a row (`fresh`) whenever a contact becomes closed or is so no more;
    there may be several for the same, and their counts may be below 0. `contacts.tally.folding`
    adds them up. Sources and operators stand here by their ids, so that they can be deleted.
    """

    span = models.CharField(_("span"), max_length=10, choices=SPANS)
    # Of the day or month, in UTC; None: over all time.
    start = models.DateField(_("start"), null=True)
    source_id = models.BigIntegerField(_("source"))
    # None: nobody.
    operator_id = models.BigIntegerField(_("operator"), null=True)
    count = models.BigIntegerField(_("count"))

    class Meta:
        verbose_name = _("tally of contacts")
        verbose_name_plural = _("tallies of contacts")
        ordering = ["pk"]
        indexes = [
            # Serves the figures of all sources, of one, and of one in a period.
            models.Index(fields=["span", "source_id", "start"], name="contact_tally_by_span"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(span__in=["fresh", "day", "month", "ever"]),
                name="contact_tally_span_is_known",
            ),
            models.CheckConstraint(condition=STARTS, name="contact_tally_starts_unless_ever"),
        ]

    def __str__(self) -> str:
        return f"{self.span} {self.start} {self.source_id}"


class DrawTally(models.Model):
    """How many weighted draws of a source in a span of time, made with the same odds, fell on one
    operator; of all decisions up to the mark `draws`.
    """

    span = models.CharField(_("span"), max_length=10, choices=SPANS)
    start = models.DateField(_("start"), null=True)
    source_id = models.BigIntegerField(_("source"))
    operator_id = models.BigIntegerField(_("operator"), null=True)
    # As in the record of the decision.
    odds = models.TextField(_("odds"))
    count = models.BigIntegerField(_("count"))
    # The id of the latest of the decisions.
    latest = models.BigIntegerField(_("latest"))

    class Meta:
        verbose_name = _("tally of draws")
        verbose_name_plural = _("tallies of draws")
        ordering = ["pk"]
        indexes = [
            # Serves the fairness of a source, over all time and in a period.
            models.Index(fields=["span", "source_id", "start"], name="draw_tally_by_span"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(span__in=["fresh", "day", "month", "ever"]),
                name="draw_tally_span_is_known",
            ),
            models.CheckConstraint(condition=STARTS, name="draw_tally_starts_unless_ever"),
        ]

    def __str__(self) -> str:
        return f"{self.span} {self.start} {self.source_id}"


class Mark(models.Model):
    """Up to which id the rows of a table that only grows have been counted; whoever counts on
    locks it.
    """

    name = models.CharField(_("name"), max_length=20, unique=True)
    up_to = models.BigIntegerField(_("up to"), default=0)
    # How many rows that is, where nothing else tells.
    count = models.BigIntegerField(_("count"), default=0)
    # An id, and the transactions that were writing into the table when it was the newest: once
    # they have ended, no smaller id can appear any more. None: nobody has looked yet.
    seen = models.BigIntegerField(_("seen"), null=True)
    writers = models.TextField(_("writers"), default="", blank=True)

    class Meta:
        verbose_name = _("mark")
        verbose_name_plural = _("marks")
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.name} {self.up_to}"
