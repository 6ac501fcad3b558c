#!/usr/bin/env bash
# upgrade.sh FROM_REV: two nodes of an older version are upgraded to this one under load. First the
# migrations, which the old nodes must survive, then one node after the other.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

FROM=${1:?usage: upgrade.sh FROM_REV}
DATABASE=$(free_port) FRONT=$(free_port) PLAIN=$(free_port) ONE=$(free_port) TWO=$(free_port)
DIRECT_URL=postgresql://crm@127.0.0.1:$DATABASE/crm
DATABASE_URL=$DIRECT_URL

mkdir "$WORK/old"
git -C "$ROOT" archive "$FROM" | tar -x -C "$WORK/old" || fail "there is no version $FROM"
postgres_make "$WORK/data"
postgres_start postgres "$WORK/data" "$DATABASE"
make_database "$DATABASE"
settings_of "$WORK/old"
env -C "$WORK/old" "${SETTINGS[@]}" "$PYTHON" manage.py prepare >/dev/null
node_start one "$ONE" "$WORK/old"
node_start two "$TWO" "$WORK/old"
nginx_start "$ONE" "$TWO"
say "two nodes of $(git -C "$ROOT" log -1 --format='%h, %cd' --date=short "$FROM") are up"

# A session is what every version knows.
export STORM_LOGIN="admin:$PASSWORD"
storm_start "https://127.0.0.1:$FRONT" --authority "$WORK/fullchain.pem"
sleep 4

say "to be applied: $(manage migrate --plan | grep -c '^[a-z_]*\.[0-9]' || true) migrations"
# A migration that cannot get its lock within lock_timeout gives way to the requests; each that was
# applied before it stays, so one begins again where it stopped.
for attempt in 1 2 3 4 5 6 7 8 9 last; do
  ! manage prepare >"$WORK/prepare.log" 2>&1 || break
  say "held off: $(tail -n 1 "$WORK/prepare.log")"
  [ "$attempt" != last ] || fail "the migrations do not get through"
  sleep 1
done
say "they are applied; both nodes are old"
sleep 5

for node in one two; do
  [ $node = one ] && port=$ONE || port=$TWO
  node_restart $node "$port"
  say "node $node is new"
  sleep 4
done

storm_stop
# shellcheck disable=SC2119
storm_verify
say "PASSED"
