"""Operations for tables that are too large to be locked for as long as it takes."""

from typing import Any

from django.db.migrations import AddIndex, RemoveIndex


def _concurrently(schema_editor: Any) -> dict[str, bool]:
    """SQLite lets one write at a time in any case."""
    return {"concurrently": True} if schema_editor.connection.vendor == "postgresql" else {}


class AddIndexQuietly(AddIndex):
    """On PostgreSQL `CONCURRENTLY`, so that nobody waits; in a migration that is not atomic.

    An index of that name that was not built to the end is built anew.
    """

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, old: Any, new: Any) -> None:
        model = new.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            how = _concurrently(schema_editor)
            if how:
                name = schema_editor.quote_name(self.index.name)
                schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            schema_editor.add_index(model, self.index, **how)

    def database_backwards(self, app_label: str, schema_editor: Any, old: Any, new: Any) -> None:
        model = old.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.remove_index(model, self.index, **_concurrently(schema_editor))


class RemoveIndexQuietly(RemoveIndex):
    """The same the other way round."""

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, old: Any, new: Any) -> None:
        model = old.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            state = old.models[app_label, self.model_name_lower]
            index = state.get_index_by_name(self.name)
            schema_editor.remove_index(model, index, **_concurrently(schema_editor))

    def database_backwards(self, app_label: str, schema_editor: Any, old: Any, new: Any) -> None:
        model = new.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            state = new.models[app_label, self.model_name_lower]
            index = state.get_index_by_name(self.name)
            schema_editor.add_index(model, index, **_concurrently(schema_editor))
