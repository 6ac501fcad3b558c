"""Django's changes of tables on SQLite, through which triggers stay."""

from typing import Any

from django.db.backends.sqlite3 import schema
from django.db.models import Model

# Those of the table, which would go with it, and those of others that write into it: they let no
# table take its name.
CONCERNED = (
    "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    " AND (tbl_name = %s OR instr(sql, %s)) ORDER BY rowid"
)


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    def _remake_table(self, model: type[Model], *args: Any, **kwargs: Any) -> None:
        """Make the table anew, as Django does for most changes, and its triggers as they were."""
        table = model._meta.db_table
        with self.connection.cursor() as cursor:
            cursor.execute(CONCERNED, [table, table])
            concerned = cursor.fetchall()
            for name, _sql in concerned:
                cursor.execute(f'DROP TRIGGER "{name}"')
            super()._remake_table(model, *args, **kwargs)  # type: ignore[misc]  # the stubs lack it
            for _name, sql in concerned:
                cursor.execute(sql)
