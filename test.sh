#!/usr/bin/env bash
# Runs the tests on SQLite and on PostgreSQL.
set -euo pipefail
cd "$(dirname "$0")"

if [ "${1:-}" = "--help" ]; then
  cat <<'HELP'
./test.sh [pytest arguments]

Makes what it needs in .venv, then runs pytest on SQLite and on a real PostgreSQL, which comes with
the development requirements. TEST_DATABASE_URL=postgresql://... takes that server instead; its
user must be allowed to create databases. Examples:

  ./test.sh                        everything
  ./test.sh contacts -k reopening  some of it
  ./test.sh -n 0                   in one process
HELP
  exit 0
fi

. scripts/python-env.sh
ensure_venv
install_requirements requirements.txt requirements-dev.txt

# What the tests see does not depend on how the service is set up here.
for name in $(compgen -e | grep '^CRM_' || true); do unset "$name"; done
export CRM_DOTENV=/dev/null DJANGO_SETTINGS_MODULE=crm_project.settings

run() {
  echo "== Tests on $1"
  shift
  "$@" || result=$?
}

trap 'exit 130' INT # pytest answers Ctrl-C itself; without this the second run would begin
result=0
parallel="-n auto"
case " $* " in *" -n"*) parallel="" ;; esac
# shellcheck disable=SC2086  # nothing or two words
set -- .venv/bin/python -m pytest $parallel "$@"

DATABASE_URL="" run SQLite "$@"
sqlite=$result result=0
if [ -n "${TEST_DATABASE_URL:-}" ]; then
  DATABASE_URL=$TEST_DATABASE_URL run "PostgreSQL (TEST_DATABASE_URL)" "$@"
else
  run PostgreSQL .venv/bin/python -m crm_project.testing.postgres "$@"
fi
postgresql=$result

[ "$sqlite$postgresql" = 00 ] && echo "All tests passed on SQLite and PostgreSQL." && exit 0
[ "$sqlite" = 0 ] && fail "Tests passed on SQLite and failed on PostgreSQL."
[ "$postgresql" = 0 ] && fail "Tests failed on SQLite and passed on PostgreSQL."
fail "Tests failed on SQLite and on PostgreSQL."
