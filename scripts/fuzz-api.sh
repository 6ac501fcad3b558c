#!/usr/bin/env bash
# Throws what schemathesis invents at a running service: every check, seeded, bounded.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/python-env.sh
ensure_venv
install_requirements requirements.txt requirements-dev.txt

folder=$(mktemp -d)
export DATABASE_URL="sqlite:///$folder/db.sqlite3" CRM_DOTENV=/dev/null HOST=127.0.0.1
PORT=$("$VENV/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export PORT
CRM_SECRET_KEY=$("$VENV/bin/python" -c 'import secrets; print(secrets.token_urlsafe(64))')
export CRM_SECRET_KEY
"$VENV/bin/python" manage.py migrate --verbosity 0
"$VENV/bin/gunicorn" crm_project.wsgi >"$folder/log" 2>&1 &
server=$!
finish() {
  local code=$?
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  [ "$code" = 0 ] || tail -n 50 "$folder/log" >&2
  rm -rf "$folder"
}
trap finish EXIT
for _ in $(seq 100); do
  (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null && break
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done

# Channels that believe what is sent: those that `path.code` of schemathesis.toml names.
address=http://127.0.0.1:$PORT token=fuzzing-is-what-i-do
for kind in telegram email_form widget; do
  secrets={}
  [ "$kind" = telegram ] && secrets="{\"secret_token\": \"$token\"}"
  [ "$kind" = email_form ] && secrets="{\"token\": \"$token\"}"
  curl -sf "$address/sources" -o /dev/null -H 'Content-Type: application/json' -d \
    "{\"name\": \"$kind\", \"code\": \"$kind\", \"kind\": \"$kind\", \"channel\": {\"secrets\": $secrets}}"
done

"$VENV/bin/schemathesis" run "http://127.0.0.1:$PORT/openapi.json" \
  -H "Origin: $address" -H "X-Telegram-Bot-Api-Secret-Token: $token" -H "X-Webhook-Token: $token" \
  --checks all --seed "${FUZZ_SEED:-20261123}" --max-examples "${FUZZ_EXAMPLES:-30}" "$@"
