"""Who may do what over the API: a key by its scope, a user by the permissions of the back office,
and in the first look everybody on this machine. The table of it is in docs/access.md.
"""

import ipaddress
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, DjangoModelPermissions
from rest_framework.request import Request

from access.models import ApiKey
from crm_project.errors import CredentialNeeded

AnyRequest = HttpRequest | Request
Scope = ApiKey.Scope

VIEW, ADD, CHANGE = (f"%(app_label)s.{right}_%(model_name)s" for right in ("view", "add", "change"))
# What a key is told that asks for more.
ONLY = {
    Scope.READ: gettext_lazy("This key may only read."),
    Scope.INTAKE: gettext_lazy("This key may only create contacts in its sources."),
}
# What it takes to see figures about everybody.
FIGURES = ["operators.view_operator", "contacts.view_contact"]
# Headers with which a proxy says that the request came from elsewhere.
FORWARDED = {"HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP"}


class ApiPermission(DjangoModelPermissions):
    """Of a view with a queryset: the permissions are those of its model.

    A key of the scope `intake` may do what the view names as its `intake_actions`.
    """

    perms_map = DjangoModelPermissions.perms_map | {"GET": [VIEW], "HEAD": [VIEW]}

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.api_key:
            _refuse_beyond_scope(request.api_key, request, view)
            return True
        if is_open(request):
            _refuse_if_from_elsewhere(request)
            return True
        if not request.user.is_authenticated:
            raise CredentialNeeded
        return request.user.is_staff and super().has_permission(request, view)


class PostChanges(ApiPermission):
    """Of a view whose POST changes what is there."""

    perms_map = ApiPermission.perms_map | {"POST": [CHANGE]}


class PostSets(ApiPermission):
    """Of a view whose POST adds what is not there, and changes what is."""

    perms_map = ApiPermission.perms_map | {"POST": [ADD, CHANGE]}


class ManagePermission(ApiPermission):
    """Of a view that a key may use only with the scope `manage`."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.api_key and request.api_key.scope != Scope.MANAGE:
            raise PermissionDenied(_("Only a key that may do everything may do this."))
        return super().has_permission(request, view)


class ManageChanges(ManagePermission, PostChanges):
    """The same, where a POST changes what is there."""


class FiguresPermission(ApiPermission):
    """Of a view of figures, whatever its queryset."""

    perms_map = {"GET": FIGURES, "HEAD": FIGURES}


class SourceNotAllowed(PermissionDenied):
    """The key creates contacts in other sources than this one, which the request named."""

    default_detail = gettext_lazy("This API key may not create contacts in this source.")
    default_code = "source_not_allowed"

    def __init__(self, field: str) -> None:
        super().__init__({field: [self.default_detail]})


def sources_of(request: AnyRequest) -> frozenset[int] | None:
    """The ids of the sources in which alone it may create contacts; None: in all."""
    key = request.api_key
    if key is None or key.scope != Scope.INTAKE:
        return None
    return frozenset(key.sources.order_by().values_list("pk", flat=True))


def may_view(request: AnyRequest, model: type[Model]) -> bool:
    """May who asks see rows of this model, beside those that the address is about?"""
    if request.api_key:
        return request.api_key.scope != Scope.INTAKE
    name = f"{model._meta.app_label}.view_{model._meta.model_name}"
    return is_open(request) or request.user.has_perm(name)


def may_see_figures(request: HttpRequest) -> bool:
    """May who asks for a page see on it what `FiguresPermission` guards?"""
    if request.api_key or request.api_key_error:
        return bool(request.api_key and request.api_key.scope != Scope.INTAKE)
    if is_open(request):
        return came_from_here(request)
    return request.user.is_staff and request.user.has_perms(FIGURES)


def is_open(request: AnyRequest) -> bool:
    """Is this the first look, and somebody who does not say who it is?"""
    return settings.API_IS_OPEN and not request.user.is_authenticated


def came_from_here(request: AnyRequest) -> bool:
    """From a program of this machine, and not handed on by a proxy that runs on it."""
    if not FORWARDED.isdisjoint(request.META):
        return False
    return _is_loopback(request.META.get("REMOTE_ADDR", ""))


@lru_cache
def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _refuse_beyond_scope(key: ApiKey, request: Request, view: Any) -> None:
    """Raise PermissionDenied, which names the scope, for what a key of it may not do."""
    if not _key_may(key, request, view):
        raise PermissionDenied(ONLY[key.scope])


def _key_may(key: ApiKey, request: Request, view: Any) -> bool:
    match key.scope:
        case Scope.MANAGE:
            return True
        case Scope.READ:
            return request.method in SAFE_METHODS
    return getattr(view, "action", None) in getattr(view, "intake_actions", ())


def _refuse_if_from_elsewhere(request: Request) -> None:
    """Raise NotAuthenticated for who is not on this machine, and PermissionDenied for what a page
    of another site makes a browser on it send us.
    """
    if not came_from_here(request):
        raise NotAuthenticated(
            _(
                "Without an API key, the API is open to this machine alone. To serve others, set"
                " CRM_PRODUCTION=true."
            )
        )
    origin = request.META.get("HTTP_ORIGIN")
    if origin and _host_of(origin) != request.get_host():
        raise PermissionDenied(_("A page of another site may not use the open API."))


def _host_of(origin: str) -> str | None:
    """None where it is no address at all."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None
