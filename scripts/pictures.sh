#!/usr/bin/env bash
# Takes the pictures of the READMEs anew, from demo data in a database of their own. Needs Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/python-env.sh
ensure_venv
install_requirements requirements.txt requirements-dev.txt
exec "$VENV/bin/python" -m crm_project.testing.pictures
