# Sourced by start.sh and test.sh: finds a Python, keeps .venv, installs locked requirements.

fail() {
  printf '%s\n' "$1" >&2
  exit 1
}

VENV=.venv
# Where it is set, as in many images, each process that is started compiles everything anew.
unset PYTHONDONTWRITEBYTECODE

# Sets PYTHON to a Python of at least 3.11.
find_python() {
  local candidate version found=""
  if [ -n "${PYTHON:-}" ]; then
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && return
    fail "PYTHON=$PYTHON cannot be used ($("$PYTHON" --version 2>&1 || true)): Python 3.11 or newer is needed."
  fi
  for candidate in python3.14 python3.13 python3.12 python3.11 python3 python; do
    command -v "$candidate" >/dev/null 2>&1 || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      PYTHON=$candidate
      return
    fi
    # A version manager's placeholder is there and runs nothing: not worth naming.
    version=$("$candidate" --version 2>&1) || continue
    found=${found:-$candidate is $version}
  done
  if [ -n "$found" ]; then
    fail "Python 3.11 or newer is needed; $found. Install a newer one, or name it: PYTHON=/path/to/python3.11"
  fi
  fail "Python 3.11 or newer is needed and none was found. Install python3, or name it: PYTHON=/path/to/python3.11"
}

# Makes .venv, anew if it is broken or was moved here from elsewhere.
ensure_venv() {
  local here
  here=$(pwd -P)
  if [ "$(cat "$VENV/made-in" 2>/dev/null)" = "$here" ] && [ -x "$VENV/bin/python" ]; then
    return
  fi
  [ ! -L "$VENV" ] ||
    fail "$PWD/$VENV is a link to $(readlink "$VENV"), which would be emptied: remove the link."
  find_python
  "$PYTHON" -c 'import venv, ensurepip' >/dev/null 2>&1 ||
    fail "$PYTHON has no venv module. On Debian and Ubuntu: apt install python3-venv"
  echo "Making $VENV with $("$PYTHON" --version) ..."
  "$PYTHON" -m venv --clear "$VENV" >/dev/null 2>&1 ||
    fail "Could not make $PWD/$VENV: is the folder writable, the disk full?"
  printf '%s' "$here" >"$VENV/made-in"
}

# install_requirements FILE...: what each file locks, unless that is there already.
install_requirements() {
  local file sum
  for file in "$@"; do
    sum=$(cksum <"$file")
    [ "$(cat "$VENV/installed-$file" 2>/dev/null)" = "$sum" ] && continue
    echo "Installing $file ..."
    "$VENV/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes -r "$file" ||
      fail "Installing $file failed (see above). Is the package index reachable?"
    printf '%s' "$sum" >"$VENV/installed-$file"
  done
}
