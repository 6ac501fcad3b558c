"""Permissions that a migration gives to a group."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Step = Callable[[Any, Any], None]


def granting(group: str, app_label: str, actions: Mapping[str, Sequence[str]]) -> tuple[Step, Step]:
    """For `RunPython`: let the group do this to these models, by their names, and take it back."""

    def allow(apps: Any, schema_editor: Any) -> None:
        found, _created = apps.get_model("auth", "Group").objects.get_or_create(name=group)
        found.permissions.add(*_permissions(apps, app_label, actions))

    def forbid(apps: Any, schema_editor: Any) -> None:
        for found in apps.get_model("auth", "Group").objects.filter(name=group):
            found.permissions.remove(*_permissions(apps, app_label, actions))

    return allow, forbid


def _permissions(apps: Any, app_label: str, actions: Mapping[str, Sequence[str]]) -> Iterator[Any]:
    """As Django would make them, which does so only after all migrations."""
    made = apps.get_model("auth", "Permission").objects
    types = apps.get_model("contenttypes", "ContentType").objects
    for model, names in actions.items():
        options = apps.get_model(app_label, model)._meta
        content_type, _created = types.get_or_create(
            app_label=options.app_label, model=options.model_name
        )
        for action in names:
            found, _created = made.get_or_create(
                content_type=content_type,
                codename=f"{action}_{options.model_name}",
                defaults={"name": f"Can {action} {options.verbose_name_raw}"},
            )
            yield found
