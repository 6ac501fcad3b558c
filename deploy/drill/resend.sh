#!/usr/bin/env bash
# What does nginx send a second time when a node dies over it? Only what may be done twice.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

FRONT=$(free_port) PLAIN=$(free_port) ONE=$(free_port) TWO=$(free_port)
launch one "$PYTHON" "$DRILL/mute.py" "$ONE" "$WORK/taken"
launch two "$PYTHON" "$DRILL/mute.py" "$TWO" "$WORK/taken"
until_so 10 "the nodes do not listen" test -e "$WORK/taken"
sleep 1
nginx_start "$ONE" "$TWO"

# sent TIMES METHOD PATH [OPTION OF CURL]...
sent() {
  local times=$1 method=$2 path=$3 taken status
  shift 3
  # Both nodes are thought to be down for two seconds after each failure.
  sleep 3
  : >"$WORK/taken"
  status=$(curl -s -o "$WORK/answer" -w '%{http_code}' --cacert "$WORK/fullchain.pem" -X "$method" \
    --connect-to "::127.0.0.1:$FRONT" "$@" "https://$HOST_NAME$path")
  taken=$(wc -l <"$WORK/taken")
  say "$method $path $*: sent $taken times, answered $status"
  [ "$status" = 502 ] || fail "502 expected"
  [ "$taken" = "$times" ] || fail "$times times expected: $(cat "$WORK/taken")"
}

sent 2 GET /contacts
sent 1 POST /contacts -d '{}'
sent 1 POST /contacts/ -d '{}'
sent 1 POST /contacts/bulk -d '{}'
sent 1 POST /contacts/7/reassign -d '{}' -H 'Idempotency-Key: a'
sent 1 PATCH /contacts/7/status -d '{}'
sent 1 POST /admin/login/ -d '{}'
sent 2 POST /contacts -d '{}' -H 'Idempotency-Key: a'
sent 2 POST /contacts/bulk -d '{}' -H 'Idempotency-Key: a'
grep -q '"unavailable"' "$WORK/answer" || fail "not in the shape of errors: $(cat "$WORK/answer")"
say "PASSED"
