from datetime import datetime

from django import forms

from crm_project.api.filters import MomentField
from stats.selectors import Period


class PeriodForm(forms.Form):
    """`since` and `until`, rounded down to the hour, UTC."""

    since = MomentField(required=False)
    until = MomentField(required=False)

    def period(self) -> Period:
        return Period(
            since=_hour(self.cleaned_data["since"]), until=_hour(self.cleaned_data["until"])
        )


def _hour(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(minute=0, second=0, microsecond=0)
