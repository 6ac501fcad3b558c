#!/usr/bin/env bash
# Sets the service up where it lies, then serves it.
set -euo pipefail
cd "$(dirname "$0")"
. scripts/python-env.sh

usage() {
  cat <<'HELP'
./start.sh [--demo]

Makes what it needs (.venv, var/), prepares the database and serves on http://127.0.0.1:8000.
A second run keeps everything and starts faster. Ctrl-C stops it.

  --demo         fill an empty database with Russian demo data
  PORT, HOST     where to listen (8000, 127.0.0.1)
  DATABASE_URL   postgresql://user:password@host/name instead of SQLite in var/db.sqlite3

Every setting is in .env.example; they may stand in a file .env.
HELP
}

demo=""
for argument in "$@"; do
  case "$argument" in
    --demo) demo=--demo ;;
    --help | -h) usage && exit 0 ;;
    *) fail "Unknown option $argument; see ./start.sh --help" ;;
  esac
done

# setting NAME DEFAULT: from the environment, else from .env, as Django reads them later.
setting() {
  local value=${!1:-}
  [ -n "$value" ] || value=$(sed -nE "s/^[[:space:]]*(export[[:space:]]+)?$1[[:space:]]*=//p" \
    "${CRM_DOTENV:-.env}" 2>/dev/null | tail -n 1 | tr -d "\"'[:space:]")
  printf '%s' "${value:-$2}"
}

HOST=$(setting HOST 127.0.0.1) PORT=$(setting PORT 8000)
export HOST PORT
[[ "$PORT" =~ ^[0-9]{1,5}$ ]] && [ "$PORT" -ge 1 ] && [ "$PORT" -le 65535 ] ||
  fail "PORT must be a number from 1 to 65535, not '$PORT'."
# prepare checks both for certain; here they fail before the slow work.
case "$HOST" in
  127.* | localhost | ::1)
    ! (exec 3<>"/dev/tcp/$HOST/$PORT") 2>/dev/null ||
      fail "Port $PORT is taken. Is it running already? Another port: PORT=8080 ./start.sh"
    ;;
  *)
    [ -n "$(setting CRM_PRODUCTION "")" ] ||
      fail "HOST=$HOST would open the API to everybody: without CRM_PRODUCTION=true only 127.0.0.1 is served. See Deployment in README.md."
    ;;
esac
mkdir -p var 2>/dev/null && [ -w var ] || fail "Cannot write to $PWD/var: check who owns the folder."

ensure_venv
install_requirements requirements.txt

"$VENV/bin/python" manage.py prepare --listen "$HOST:$PORT" $demo
case "$(setting CRM_PRODUCTION false)" in
  [Tt]rue | 1 | yes | on)
    echo "Слушает $HOST:$PORT; снаружи — через ваш прокси / Listening on $HOST:$PORT; from outside, through your proxy" >&2
    ;;
esac
# Becomes a child of the service, by the next line, and ends with it.
"$VENV/bin/python" manage.py deliver_events --with-parent >/dev/null &
exec "$VENV/bin/gunicorn" crm_project.wsgi
