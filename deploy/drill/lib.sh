# shellcheck shell=bash
# Sourced by the drills: starts servers in a temporary folder on free ports of loopback, and ends
# by their ids those that were started here, whatever happens.

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
DRILL=$ROOT/deploy/drill
PYTHON=${PYTHON:-$ROOT/.venv/bin/python}
PATH=$PATH:/usr/sbin
HOST_NAME=crm.example.com

fail() {
  printf '%s\n' "FAILED: $1" >&2
  exit 1
}

say() { printf '%6d s  %s\n' "$SECONDS" "$*"; }

[ -x "$PYTHON" ] || fail "No $PYTHON. Run ./start.sh once, or name one: PYTHON=/path/to/python"
if [ -z "${PG_BIN:-}" ]; then
  PG_BIN=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
fi
[ -x "$PG_BIN/initdb" ] || fail "No PostgreSQL: apt install postgresql, or set PG_BIN"

WORK=$(mktemp -d /tmp/crm-drill-XXXXXX)
chmod 755 "$WORK"
declare -A PID=()

# What refuses root runs as nobody.
AS=()
if [ "$(id -u)" = 0 ]; then
  AS=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
  chown nobody:nogroup "$WORK"
fi

clean_up() {
  local code=$? name
  trap - EXIT
  for name in storm nginx "${!PID[@]}"; do
    [ -z "${PID[$name]:-}" ] || end "$name" KILL
  done
  if [ "$code" = 0 ] && [ -z "${KEEP:-}" ]; then
    rm -rf "$WORK"
  else
    echo "Logs and data: $WORK" >&2
  fi
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# launch NAME COMMAND...: in the background, in a process group of its own.
launch() {
  local name=$1
  shift
  setsid "$@" >>"$WORK/$name.log" 2>&1 &
  PID[$name]=$!
}

# freeze PID: stop it and all that it started, so that nothing is started any more, and list them.
freeze() {
  local child
  kill -STOP "$1" 2>/dev/null || return 0
  echo "$1"
  for child in $(pgrep -P "$1"); do
    freeze "$child"
  done
}

# end NAME SIGNAL: send it and wait for the end; KILL reaches the children too, like a power cut.
end() {
  local name=$1 signal=$2 pid=${PID[$1]} all
  if [ "$signal" = KILL ]; then
    mapfile -t all < <(freeze "$pid")
    kill -KILL "${all[@]}" 2>/dev/null || true
  else
    kill -"$signal" "$pid" 2>/dev/null || true
  fi
  wait "$pid" 2>/dev/null || true
  unset "PID[$name]"
}

free_port() {
  "$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# until_so SECONDS WHAT COMMAND...
until_so() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || fail "$what"
    sleep 0.1
  done
}

# --- PostgreSQL ---------------------------------------------------------------------------------

postgres_make() { # FOLDER
  "${AS[@]}" "$PG_BIN/initdb" -D "$1" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$WORK/initdb.log" ||
    fail "initdb failed"
}

postgres_start() { # NAME FOLDER PORT [-c SETTING]...
  local name=$1 folder=$2 port=$3
  shift 3
  launch "$name" "${AS[@]}" "$PG_BIN/postgres" -D "$folder" -p "$port" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c max_connections=100 "$@"
  until_so 60 "$name does not answer" "$PG_BIN/pg_isready" -q -h 127.0.0.1 -p "$port"
}

sql() { # PORT DATABASE STATEMENT
  "$PG_BIN/psql" -h 127.0.0.1 -p "$1" -U postgres -d "$2" -qAtX -v ON_ERROR_STOP=1 -c "$3"
}

# The time-outs belong to the role: through PgBouncer no connection may bring its own.
make_database() { # PORT
  sql "$1" postgres "CREATE ROLE crm LOGIN"
  sql "$1" postgres "CREATE DATABASE crm OWNER crm"
  sql "$1" postgres "ALTER ROLE crm IN DATABASE crm SET lock_timeout = '3s'"
  sql "$1" postgres "ALTER ROLE crm IN DATABASE crm SET statement_timeout = '30s'"
  sql "$1" postgres "ALTER ROLE crm IN DATABASE crm SET idle_in_transaction_session_timeout = '60s'"
}

# --- PgBouncer ----------------------------------------------------------------------------------

pgbouncer_write() { # PORT-OF-POSTGRES
  cat >"$WORK/pgbouncer.ini" <<INI
[databases]
crm = host=127.0.0.1 port=$1 dbname=crm user=crm
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $BOUNCER
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 20
max_client_conn = 500
server_login_retry = 1
server_connect_timeout = 3
query_wait_timeout = 5
INI
}

pgbouncer_start() {
  launch pgbouncer "${AS[@]}" pgbouncer "$WORK/pgbouncer.ini"
  until_so 20 "PgBouncer does not answer" "$PG_BIN/pg_isready" -q -h 127.0.0.1 -p "$BOUNCER"
}

# --- the service --------------------------------------------------------------------------------

# knows FOLDER NAME: has the version in this folder such a setting?
knows() { grep -q "\"$2\"" "$1"/crm_project/*.py; }

# settings_of FOLDER: those of a node of the version in this folder, in SETTINGS.
settings_of() {
  local setting
  SETTINGS=(
    CRM_DOTENV=/dev/null CRM_PRODUCTION=true CRM_ALLOWED_HOSTS="$HOST_NAME"
    CRM_BEHIND_TLS_PROXY=true CRM_SECRET_KEY="$SECRET" CRM_ADMIN_PASSWORD="$PASSWORD"
    CRM_WORKERS=2 CRM_THREADS=4 DATABASE_URL="$DATABASE_URL"
  )
  # The storm is one client in a great hurry.
  for setting in CRM_REQUESTS_PER_MINUTE_KEY CRM_REQUESTS_PER_MINUTE_ADDRESS; do
    ! knows "$1" $setting || SETTINGS+=("$setting=0")
  done
  if [ -n "${BOUNCER:-}" ] && knows "$1" CRM_PGBOUNCER; then
    SETTINGS+=(CRM_PGBOUNCER=true)
  fi
}

# manage COMMAND...: of this version; to the database itself, as every migration should go.
manage() {
  settings_of "$ROOT"
  env -C "$ROOT" "${SETTINGS[@]}" DATABASE_URL="$DIRECT_URL" "$PYTHON" manage.py "$@"
}

# node_start NAME PORT [FOLDER]: with a socket that survives node_restart, as under systemd.
node_start() {
  node_write "$1" "${3:-$ROOT}"
  launch "$1" "$PYTHON" "$DRILL/hold.py" "$2" "$WORK/$1.command"
  node_answers "$1" "$2"
}

# node_restart NAME PORT: ends the node in its own time and starts the version in this folder.
node_restart() {
  node_write "$1" "$ROOT"
  kill -HUP "${PID[$1]}"
  node_answers "$1" "$2"
}

node_write() { # NAME FOLDER
  settings_of "$2"
  printf '%q ' env -C "$2" "${SETTINGS[@]}" "$PYTHON" -m gunicorn crm_project.wsgi >"$WORK/$1.command"
}

node_answers() { # NAME PORT
  until_so 60 "$1 is not ready" curl -fsS -m 30 -H "Host: $HOST_NAME" "http://127.0.0.1:$2/health/ready"
}

# --- nginx: the real file, with other ports, names and certificates -----------------------------

nginx_write() { # PORT-OF-A-NODE...
  local servers="" port
  for port in "$@"; do
    servers+="server 127.0.0.1:$port max_fails=1 fail_timeout=2s; "
  done
  sed -e "s|server 127.0.0.1:8000.*|$servers|" \
    -e "/listen \[::\]/d" -e "s|listen 443|listen 127.0.0.1:$FRONT|" \
    -e "s|listen 80 |listen 127.0.0.1:$PLAIN |" \
    -e "s|/etc/letsencrypt/live/crm.example.com|$WORK|" -e "s|/var/log/nginx|$WORK|" \
    "$ROOT/deploy/nginx.conf" >"$WORK/site.conf"
  cat >"$WORK/nginx.conf" <<CONF
daemon off;
worker_processes 2;
pid $WORK/nginx.pid;
error_log $WORK/nginx.error.log;
events { worker_connections 1024; }
http {
  client_body_temp_path $WORK/body; proxy_temp_path $WORK/proxy; fastcgi_temp_path $WORK/fastcgi;
  uwsgi_temp_path $WORK/uwsgi; scgi_temp_path $WORK/scgi;
  include $WORK/site.conf;
}
CONF
}

nginx_start() { # PORT-OF-A-NODE...
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$HOST_NAME" \
    -addext "subjectAltName=DNS:$HOST_NAME" \
    -keyout "$WORK/privkey.pem" -out "$WORK/fullchain.pem" 2>/dev/null
  nginx_write "$@"
  launch nginx nginx -c "$WORK/nginx.conf"
  until_so 10 "nginx does not answer" curl -sS --cacert "$WORK/fullchain.pem" \
    --connect-to "::127.0.0.1:$FRONT" "https://$HOST_NAME/health"
}

# --- the storm ----------------------------------------------------------------------------------

storm_start() { # URL [OPTION...]
  local url=$1
  shift
  launch storm "$PYTHON" "$DRILL/storm.py" "$WORK/storm.json" --url "$url" --host "$HOST_NAME" "$@"
  until_so 60 "the storm does not begin" has_begun_or_ended
  grep -q "has begun" "$WORK/storm.log" || fail "the storm does not begin: $(tail -n 1 "$WORK/storm.log")"
  say "a storm of ${STORM_CLIENTS:-16} clients has begun"
}

has_begun_or_ended() { grep -q "has begun" "$WORK/storm.log" || ! kill -0 "${PID[storm]}"; }

# Whoever is still waiting for an answer to a key gets it first.
storm_stop() {
  end storm TERM
  say "the storm is over"
  [ -s "$WORK/storm.json" ] || fail "the storm broke off: $(tail -n 5 "$WORK/storm.log")"
  sed 1d "$WORK/storm.log"
}

# A key where this version knows them, else the session of the first user.
storm_credential() {
  if manage help api_key >/dev/null 2>&1; then
    STORM_AUTHORIZATION="Bearer $(manage api_key create drill --scope manage 2>/dev/null)"
    export STORM_AUTHORIZATION
  else
    export STORM_LOGIN="admin:$PASSWORD"
  fi
}

# shellcheck disable=SC2120 # with options or without
# storm_verify [OPTION...]: ends the drill where anything is lost.
storm_verify() {
  settings_of "$ROOT"
  env -C "$ROOT" "${SETTINGS[@]}" DATABASE_URL="$DIRECT_URL" PYTHONPATH="$ROOT" \
    "$PYTHON" "$DRILL/storm.py" "$WORK/storm.json" "$@" || fail "see above"
  manage check_invariants --records 1000000 || fail "an invariant is broken"
}

SECRET=$("$PYTHON" -c 'import secrets; print(secrets.token_urlsafe(64))')
PASSWORD=$("$PYTHON" -c 'import secrets; print(secrets.token_urlsafe(12))')
