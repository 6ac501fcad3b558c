"""What the menu of the back office offers, to whom."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from operators.roles import is_only_operator, is_operator


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The menu for the theme; what its user may not see is left out."""
    return [
        {
            "items": [
                _item(_("Overview"), "dashboard", "admin:index", _if_not_only_operator),
                _item(_("My contacts"), "inbox", "admin:desk", _if_operator),
                _listed(_("Contacts"), "forum", "contacts", "contact"),
                _listed(_("Leads"), "contacts", "leads", "lead"),
            ]
        },
        {
            "title": _("Team"),
            "separator": True,
            "items": [
                _listed(_("Operators"), "support_agent", "operators", "operator"),
                _listed(_("Sources"), "alt_route", "sources", "source"),
                _listed(_("Assignments"), "balance", "sources", "assignment"),
            ],
        },
        {
            "title": _("Integrations"),
            "separator": True,
            "items": [
                _listed(_("Webhooks"), "webhook", "events", "subscription"),
                _listed(_("Notices to operators"), "notifications", "events", "operatornotice"),
                _listed(_("Deliveries"), "outbox", "events", "delivery"),
            ],
        },
        {
            "title": _("Access"),
            "separator": True,
            "items": [
                _listed(_("Users"), "person", "auth", "user"),
                _listed(_("Groups"), "group", "auth", "group"),
                _listed(_("API keys"), "key", "access", "apikey"),
                _listed(_("Changes"), "history", "audit", "change"),
            ],
        },
    ]


def _if_not_only_operator(request: HttpRequest) -> bool:
    return not is_only_operator(request.user)


def _if_operator(request: HttpRequest) -> bool:
    return is_operator(request.user)


def _listed(title: Any, icon: str, app: str, model: str) -> dict[str, Any]:
    def allowed(request: HttpRequest) -> bool:
        rights = [f"{app}.{right}_{model}" for right in ("view", "change")]
        return any(request.user.has_perm(right) for right in rights)

    return _item(title, icon, f"admin:{app}_{model}_changelist", allowed)


def _item(
    title: Any, icon: str, name: str, allowed: Callable[[HttpRequest], bool]
) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(name), "permission": allowed}
