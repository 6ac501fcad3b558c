"""Who may sign in: users and the groups that they can be in."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import ManyToManyField, QuerySet
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from contacts.staffing import change_operator
from crm_project.admin_mixins import VisibleOnlyMixin
from crm_project.api.access import actor_of
from crm_project.careful_admin import ToldAdmin
from operators.roles import ROLES, is_team_lead

# Importing Django's admin of these has registered it.
admin.site.unregister([User, Group])

ACTIONS = {
    "view": pgettext_lazy("permission", "view"),
    "add": pgettext_lazy("permission", "add"),
    "change": pgettext_lazy("permission", "change"),
    "delete": pgettext_lazy("permission", "delete"),
}


def permission_in_words(permission: Permission) -> str:
    """What it allows, in the language of the page: Django keeps its name in English."""
    action, _underscore, name = permission.codename.partition("_")
    model = permission.content_type.model_class()
    what = model._meta.verbose_name_plural if model else name
    return f"{capfirst(what)}: {ACTIONS.get(action, action)}"


class PermissionsField(ModelMultipleChoiceField):
    def label_from_instance(self, obj: Permission) -> str:
        return permission_in_words(obj)


@admin.register(User)
class UserAdmin(VisibleOnlyMixin, ToldAdmin, DjangoUserAdmin, ModelAdmin):
    """Superusers change everybody; team leads make logins for those who have no rights beyond
    the groups of `operators.roles`, and so give nobody more than they have themselves.
    """

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "first_name", "last_name", "may_sign_in", "last_login"]
    list_filter = ["groups"]
    readonly_fields = ["last_login", "date_joined"]
    filter_horizontal = ["user_permissions"]
    add_fieldsets = [
        (None, {"fields": ["username", "password1", "password2", "groups"]}),
    ]
    fieldsets_of_team_lead = [
        (None, {"fields": ["username", "password"]}),
        (_("Personal info"), {"fields": ["first_name", "last_name", "email"]}),
        (_("Permissions"), {"fields": ["is_active", "groups"]}),
        (_("Important dates"), {"fields": ["last_login", "date_joined"]}),
    ]

    # Called "active", it would be translated as of an operator, who takes new contacts or not.
    @admin.display(description=_("may sign in"), boolean=True, ordering="is_active")
    def may_sign_in(self, user: User) -> bool:
        return user.is_active

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "is_active":
            kwargs["label"] = _("May sign in")
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def visible(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if request.user.is_superuser:
            return queryset
        if not is_team_lead(request.user):
            return queryset.none()
        beyond = User.groups.through.objects.exclude(group__name__in=ROLES).values("user")
        return queryset.filter(is_superuser=False, user_permissions=None).exclude(pk__in=beyond)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is None or request.user.is_superuser:
            return super().get_fieldsets(request, obj)
        return self.fieldsets_of_team_lead

    def formfield_for_manytomany(
        self, db_field: ManyToManyField, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "groups" and not request.user.is_superuser:
            allowed = ROLES if is_team_lead(request.user) else ()
            kwargs["queryset"] = Group.objects.filter(name__in=allowed)
        if db_field.name == "user_permissions":
            kwargs["form_class"] = PermissionsField
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Whoever is made here shall be able to sign in here."""
        obj.is_staff = obj.is_staff or not change
        super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """The operator who worked as this user is told to work as nobody."""
        if operator := getattr(obj, "operator", None):
            change_operator(operator, {"user": None}, actor=actor_of(request))
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            self.delete_model(request, user)


@admin.register(Group)
class GroupAdmin(ToldAdmin, DjangoGroupAdmin, ModelAdmin):
    """A look at what the groups allow, for superusers: migrations make them."""

    fields = ["name", "allows"]
    readonly_fields = ["name", "allows"]

    @admin.display(description=_("allows"))
    def allows(self, group: Group) -> str:
        permissions = group.permissions.select_related("content_type")
        return format_html_join("", "<p>{}</p>", ([permission_in_words(p)] for p in permissions))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_view_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return request.user.is_superuser

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return False
