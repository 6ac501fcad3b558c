#!/usr/bin/env bash
# Two nodes behind nginx, PgBouncer and PostgreSQL; each of them is killed or restarted under load.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

DATABASE=$(free_port) BOUNCER=$(free_port) FRONT=$(free_port) PLAIN=$(free_port)
ONE=$(free_port) TWO=$(free_port)
DIRECT_URL=postgresql://crm@127.0.0.1:$DATABASE/crm
DATABASE_URL=postgresql://crm@127.0.0.1:$BOUNCER/crm

postgres_make "$WORK/data"
postgres_start postgres "$WORK/data" "$DATABASE"
make_database "$DATABASE"
pgbouncer_write "$DATABASE"
pgbouncer_start
manage prepare >/dev/null
node_start one "$ONE"
node_start two "$TWO"
nginx_start "$ONE" "$TWO"
say "two nodes, nginx, PgBouncer and PostgreSQL are up"

storm_credential
storm_start "https://127.0.0.1:$FRONT" --authority "$WORK/fullchain.pem"
sleep 5

say "node one is killed"
end one KILL
sleep 4
node_start one "$ONE"
say "node one is back"
sleep 4

say "PgBouncer is killed"
end pgbouncer KILL
sleep 2
pgbouncer_start
say "PgBouncer is back"
sleep 5

say "PostgreSQL is restarted"
end postgres INT
postgres_start postgres "$WORK/data" "$DATABASE"
say "PostgreSQL is back"
sleep 6

say "PostgreSQL is killed"
end postgres KILL
sleep 2
postgres_start postgres "$WORK/data" "$DATABASE"
say "PostgreSQL is back"
sleep 6

say "node two is restarted"
node_restart two "$TWO"
say "node two is back"
sleep 4

storm_stop
# shellcheck disable=SC2119
storm_verify
say "PASSED"
