"""While the nodes are upgraded one by one, the old version serves on the new version's tables."""

import pytest
from django.apps import apps
from django.db import connection, migrations
from django.db.migrations.loader import MigrationLoader

# Made before there was a version to upgrade from.
FIRST = {
    "audit": "0001",
    "contacts": "0011",
    "leads": "0004",
    "operators": "0004",
    "sources": "0003",
}
# Whatever the old version still asks for, it would ask in vain. To take something away: one release
# stops using it, the next one deletes it, and stands here with the name of the first.
TAKEN_AWAY: set[tuple[str, str]] = set()
TAKES_AWAY = (
    migrations.RemoveField,
    migrations.DeleteModel,
    migrations.RenameField,
    migrations.RenameModel,
    migrations.AlterModelTable,
)


def breaks_the_old_version(operation):
    """Would a version that does not know of it fail to read or to insert?"""
    if isinstance(operation, TAKES_AWAY):
        return True
    if not isinstance(operation, migrations.AddField):
        return False
    field = operation.field
    return not (field.null or field.many_to_many or field.has_db_default())


def later_operations():
    loader = MigrationLoader(None)
    ours = {app.label for app in apps.get_app_configs() if "site-packages" not in app.path}
    for (label, name), migration in sorted(loader.disk_migrations.items()):
        if label in ours and name[:4] > FIRST.get(label, "0000"):
            for operation in migration.operations:
                yield label, name, operation


def test_the_old_version_works_with_the_new_tables():
    breaking = [
        f"{label}.{name}: {operation.describe()}"
        for label, name, operation in later_operations()
        if breaks_the_old_version(operation) and (label, name) not in TAKEN_AWAY
    ]
    assert breaking == []


@pytest.mark.parametrize(
    ("label", "name"), [("contacts", "0010_response_timeout"), ("sources", "0002_distribution")]
)
def test_those_of_the_beginning_would_not_have_passed(label, name):
    # Guards the test above: if this one fails, that one proves nothing.
    migration = MigrationLoader(None).disk_migrations[label, name]
    assert any(breaks_the_old_version(operation) for operation in migration.operations)


@pytest.mark.postgres
@pytest.mark.django_db
def test_what_each_arrival_writes_costs_the_database_no_more_than_it_must():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 'lz4' = ANY (enumvals) FROM pg_settings"
            " WHERE name = 'default_toast_compression'"
        )
        (may_pack,) = cursor.fetchone()
        cursor.execute(
            "SELECT attcompression FROM pg_attribute"
            " WHERE attrelid = 'contacts_decisionrecord'::regclass AND attname = 'candidates'"
        )
        assert cursor.fetchone() == ("l" if may_pack else "",)
        indexes = connection.introspection.get_constraints(cursor, "leads_lead")
    assert not [name for name in indexes if name.endswith("_like") or name == "lead_by_parts"]
