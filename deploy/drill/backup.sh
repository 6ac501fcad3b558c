#!/usr/bin/env bash
# Backs up while the service is written to, drops the database, restores it and counts.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

DATABASE=$(free_port) NODE=$(free_port)
export PATH=$PG_BIN:$PATH

# service_start: as for a first look, so that the clients need no key.
service_start() {
  launch node env -C "$ROOT" CRM_DOTENV=/dev/null CRM_SECRET_KEY="$SECRET" DATABASE_URL="$DATABASE_URL" \
    HOST=127.0.0.1 PORT="$NODE" CRM_WORKERS=2 "$PYTHON" -m gunicorn crm_project.wsgi
  until_so 60 "the service does not answer" curl -fsS "http://127.0.0.1:$NODE/health"
}

backup() { manage backup "$WORK/backups" | cut -d ' ' -f 1; }

now() { date +%s.%N; }

counts() {
  env -C "$ROOT" CRM_DOTENV=/dev/null DATABASE_URL="$DIRECT_URL" "$PYTHON" manage.py shell -v 0 -c '
from django.apps import apps
for model in apps.get_models():
    print(model._meta.label, model._base_manager.count())'
}

# restore FILE: brings the backup back in place of what is there.
restore() {
  case "$1" in
    *.dump)
      sql "$DATABASE" postgres "DROP DATABASE crm WITH (FORCE)"
      sql "$DATABASE" postgres "CREATE DATABASE crm OWNER crm"
      pg_restore --no-owner --role=crm --exit-on-error -h 127.0.0.1 -p "$DATABASE" -U postgres -d crm "$1"
      ;;
    *)
      rm -f "$WORK"/crm.sqlite3*
      cp "$1" "$WORK/crm.sqlite3"
      ;;
  esac
}

# drill: on whatever database DATABASE_URL names.
drill() {
  local during quiet before moment
  rm -rf "$WORK/backups" "$WORK/storm.json" "$WORK/storm.log"
  manage prepare >/dev/null
  manage demo --contacts 300 >/dev/null
  service_start
  storm_start "http://127.0.0.1:$NODE" --host 127.0.0.1
  sleep 5
  moment=$(now)
  during=$(backup)
  say "backed up under load in $("$PYTHON" -c "print(f'{$(now) - $moment:.1f} s')"): $(stat -c %s "$during") bytes"
  sleep 3
  storm_stop
  end node TERM

  before=$(counts)
  quiet=$(backup)
  restore "$quiet"
  [ "$before" = "$(counts)" ] || fail "not what it was: $(diff <(echo "$before") <(counts))"
  storm_verify
  say "restored at rest: every table has as many rows as before, every contact is there"

  restore "$during"
  storm_verify --before "$moment"
  say "restored from under load: what was acknowledged before the backup began is there"
}

say "PostgreSQL"
postgres_make "$WORK/data"
postgres_start postgres "$WORK/data" "$DATABASE"
make_database "$DATABASE"
DIRECT_URL=postgresql://crm@127.0.0.1:$DATABASE/crm
DATABASE_URL=$DIRECT_URL
drill

say "SQLite"
DIRECT_URL=sqlite:///$WORK/crm.sqlite3
DATABASE_URL=$DIRECT_URL
drill
say "PASSED"
