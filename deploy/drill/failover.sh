#!/usr/bin/env bash
# The primary dies under load, its synchronous standby takes over: nothing acknowledged may be lost.
# SYNCHRONOUS=off shows why it has to be synchronous: that drill is to fail.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

FIRST=$(free_port) SECOND=$(free_port) BOUNCER=$(free_port) FRONT=$(free_port) PLAIN=$(free_port)
ONE=$(free_port) TWO=$(free_port)
DIRECT_URL=postgresql://crm@127.0.0.1:$FIRST/crm
DATABASE_URL=postgresql://crm@127.0.0.1:$BOUNCER/crm

sync_state() {
  [ "$(sql "$FIRST" postgres 'SELECT sync_state FROM pg_stat_replication')" = "$1" ]
}

postgres_make "$WORK/first"
postgres_start primary "$WORK/first" "$FIRST"
"${AS[@]}" "$PG_BIN/pg_basebackup" -h 127.0.0.1 -p "$FIRST" -U postgres -D "$WORK/second" -R \
  -d "application_name=standby" -X stream -c fast
postgres_start standby "$WORK/second" "$SECOND"
if [ "${SYNCHRONOUS:-on}" = on ]; then
  # Of the first alone: the standby, once it is a primary, must not wait for itself.
  end primary INT
  postgres_start primary "$WORK/first" "$FIRST" -c synchronous_standby_names=standby
  until_so 20 "the standby does not follow" sync_state sync
fi
say "primary and standby are up: $(sql "$FIRST" postgres 'SELECT application_name, state, sync_state FROM pg_stat_replication')"

make_database "$FIRST"
pgbouncer_write "$FIRST"
pgbouncer_start
manage prepare >/dev/null
node_start one "$ONE"
node_start two "$TWO"
nginx_start "$ONE" "$TWO"

storm_credential
storm_start "https://127.0.0.1:$FRONT" --authority "$WORK/fullchain.pem"
sleep 10

if [ "${SYNCHRONOUS:-on}" != on ]; then
  # It falls behind a little, as over a slow line.
  pkill -STOP -P "${PID[standby]}" -f walreceiver
  sleep 2
fi
say "the primary is killed"
end primary KILL
[ "${SYNCHRONOUS:-on}" = on ] || pkill -KILL -P "${PID[standby]}" -f walreceiver
until_so 60 "the standby cannot be promoted" sql "$SECOND" postgres "SELECT pg_promote()"
say "the standby is promoted"
pgbouncer_write "$SECOND"
kill -HUP "${PID[pgbouncer]}"
DIRECT_URL=postgresql://crm@127.0.0.1:$SECOND/crm
say "PgBouncer sends to it"
sleep 12

storm_stop
# shellcheck disable=SC2119
storm_verify
say "PASSED"
