"""The parts of the back office's pages of API keys."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminSelectWidget

from access.models import ApiKey
from access.services import is_taken, sources_wanted

State = ApiKey.State


class ApiKeyForm(forms.ModelForm):
    scope = forms.ChoiceField(
        label=_("Rights"),
        initial=ApiKey.Scope.INTAKE,
        choices=[
            ("intake", _("Intake (intake): only creates contacts in its sources, reads nothing")),
            ("read", _("Reading (read): sees everything, names and phones too; changes nothing")),
            ("manage", _("Everything (manage): whatever a team lead may do")),
        ],
        widget=UnfoldAdminRadioSelectWidget,
    )
    valid_for = forms.TypedChoiceField(
        label=_("Valid for"),
        coerce=int,
        initial="365",
        choices=[
            ("30", _("30 days")),
            ("90", _("90 days")),
            ("365", _("a year")),
            ("0", _("always, until it is revoked")),
        ],
        widget=UnfoldAdminSelectWidget,
        help_text=_("Another date can be set by the command manage.py api_key create."),
    )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if is_taken(name):
            raise forms.ValidationError(_("There is a key with this title already."))
        return name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        scope = cleaned.get("scope")
        wanted = scope == ApiKey.Scope.INTAKE
        if scope and "sources" in cleaned and wanted != bool(cleaned["sources"]):
            self.add_error("sources", sources_wanted(scope))
        if days := cleaned.get("valid_for"):
            self.instance.expires_at = timezone.now() + timedelta(days=days)
        return cleaned


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return State.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        revoked = Q(revoked_at__isnull=False)
        expired = Q(expires_at__lte=timezone.now())
        wanted = {
            State.REVOKED: revoked,
            State.EXPIRED: ~revoked & expired,
            State.VALID: ~revoked & ~expired,
        }
        found = wanted.get(self.value())
        return queryset if found is None else queryset.filter(found)
