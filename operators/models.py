"""People who answer contacts, and when they do."""

from datetime import date, datetime
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _

LEAST_LIMIT, MOST_LIMIT = 1, 10_000
EARLIEST_DAY, LATEST_DAY = date(2000, 1, 1), date(2099, 12, 31)


def validate_time_zone(name: str) -> None:
    """Raise a ValidationError for what is no time zone of the IANA database."""
    if name not in available_timezones():
        raise ValidationError(
            _("“%(value)s” is not a time zone. Write for example Asia/Yekaterinburg."),
            code="invalid",
            params={"value": name},
        )


class Operator(models.Model):
    """A person who answers contacts, a limited number of them at a time.

    The load is not a field: `contacts.models.Load` has it.
    """

    name = models.CharField(_("name"), max_length=100)
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Only active operators get new contacts.")
    )
    max_active_contacts = models.PositiveIntegerField(
        _("limit"),
        default=10,
        validators=[MinValueValidator(LEAST_LIMIT), MaxValueValidator(MOST_LIMIT)],
        help_text=_("The most open contacts at a time."),
    )
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="operator",
        null=True,
        blank=True,
        verbose_name=_("user"),
        help_text=_("Whoever signs in as this user works as this operator."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=50,
        blank=True,
        validators=[validate_time_zone],
        help_text=_("Of the working hours and days off. Empty: that of the service."),
    )
    email = models.EmailField(
        _("e-mail"),
        blank=True,
        default="",
        # Of rows that the version before makes while it still runs.
        db_default="",
        help_text=_("Where new contacts are told of, once notices by e-mail are set up."),
    )
    # Of a private chat it is the user's; None: nobody is written to.
    telegram_chat_id = models.BigIntegerField(
        _("Telegram chat"),
        null=True,
        blank=True,
        help_text=_("The number of the chat with the bot that tells of new contacts."),
    )
    # The shift of now or, if there is none, the next one, kept by `operators.services`: half-open,
    # null for without beginning or end. Once it has ended, nobody is there until it is renewed.
    shift_starts_at = models.DateTimeField(_("shift starts"), null=True, editable=False)
    shift_ends_at = models.DateTimeField(_("shift ends"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("operator")
        verbose_name_plural = _("operators")
        ordering = ["pk"]
        indexes = [
            # Serves the search for shifts that have ended.
            models.Index(
                fields=["shift_ends_at"],
                condition=Q(shift_ends_at__isnull=False),
                name="operator_by_shift_end",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(shift_starts_at__isnull=True)
                | Q(shift_ends_at__isnull=True)
                | Q(shift_starts_at__lt=F("shift_ends_at")),
                name="operator_shift_starts_before_it_ends",
            ),
            models.CheckConstraint(condition=~Q(name=""), name="operator_name_not_empty"),
            models.CheckConstraint(
                condition=Q(max_active_contacts__range=(LEAST_LIMIT, MOST_LIMIT)),
                name="operator_limit_in_range",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the working hours."""
        return ZoneInfo(self.time_zone or settings.TIME_ZONE)

    def is_on_shift(self, now: datetime) -> bool:
        """Do the working hours let this operator take contacts? The same as `on_shift`."""
        return is_within(self.shift_starts_at, self.shift_ends_at, now)


def is_within(starts: datetime | None, ends: datetime | None, now: datetime) -> bool:
    """Is it within the half-open span? None is for without beginning or end."""
    return (starts is None or starts <= now) and (ends is None or now < ends)


def begins_later(starts: datetime | None, now: datetime) -> datetime | None:
    """The beginning, if that is still to come."""
    return starts if starts and now < starts else None


def on_shift(now: datetime) -> Q:
    """The operators whose working hours let them take contacts, by their own columns."""
    begun = Q(shift_starts_at__isnull=True) | Q(shift_starts_at__lte=now)
    return begun & (Q(shift_ends_at__isnull=True) | Q(shift_ends_at__gt=now))


class Shift(models.Model):
    """Hours of one weekday in which an operator works; without any, an operator always works."""

    operator = models.ForeignKey(
        Operator,
        models.CASCADE,
        related_name="shifts",
        db_index=False,
        verbose_name=_("operator"),
    )
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=WEEKDAYS)
    starts = models.TimeField(_("from"))
    ends = models.TimeField(
        _("to"), help_text=_("Not later than the beginning: it ends on the next day.")
    )

    class Meta:
        verbose_name = _("shift")
        verbose_name_plural = _("working hours")
        ordering = ["operator", "weekday", "starts", "pk"]
        constraints = [
            # Also the index by operator.
            models.UniqueConstraint(
                fields=["operator", "weekday", "starts"],
                name="shift_once_per_operator_and_beginning",
                violation_error_message=_("There is a shift with this beginning already."),
            ),
            models.CheckConstraint(
                condition=Q(weekday__range=(0, 6)), name="shift_weekday_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{WEEKDAYS[self.weekday]} {self.starts:%H:%M}–{self.ends:%H:%M}"


class DayOff(models.Model):
    """Days on which an operator does not work, whatever the shifts say."""

    operator = models.ForeignKey(
        Operator, models.CASCADE, related_name="days_off", verbose_name=_("operator")
    )
    first_day = models.DateField(_("first day"), validators=[MinValueValidator(EARLIEST_DAY)])
    last_day = models.DateField(_("last day"), validators=[MaxValueValidator(LATEST_DAY)])
    note = models.CharField(_("note"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("time off")
        verbose_name_plural = _("days off")
        ordering = ["operator", "first_day", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(first_day__gte=EARLIEST_DAY)
                & Q(first_day__lte=F("last_day"))
                & Q(last_day__lte=LATEST_DAY),
                name="day_off_ends_after_it_begins",
                violation_error_message=_("The last day is before the first."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first_day:%Y-%m-%d}–{self.last_day:%Y-%m-%d}"
