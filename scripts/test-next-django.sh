#!/usr/bin/env bash
# Runs the tests on SQLite with Python 3.13 and the newest Django 6, deprecations being errors.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.13 -m venv "$folder/venv"
sed 's/^django~=.*/django~=6.1/' requirements.in >"$folder/requirements.in"
grep -v '^-c ' requirements-dev.in >>"$folder/requirements.in"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check -r "$folder/requirements.in"
DATABASE_URL="" CRM_DOTENV=/dev/null "$folder/venv/bin/python" -W error::DeprecationWarning \
  -m pytest -q -n auto -p no:cacheprovider
