"""Permissions one by one, beside those of the groups."""

from django.contrib.auth.models import Permission


def allow(user, *names):
    """Let the user have these, each "app.right_model"."""
    for name in names:
        app, codename = name.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return user
