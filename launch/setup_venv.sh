# Sourced by the launchers: `make_venv [EXTRA]` leaves a virtual environment with eiw or eiw[EXTRA]
# in .venv (or $EIW_VENV) and its interpreter in $PYTHON. What is installed already is not installed
# again.

find_python() {
  local name
  for name in python3 python3.13 python3.12 python3.11; do
    if command -v "$name" >/dev/null 2>&1 &&
      "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
    then
      command -v "$name"
      return 0
    fi
  done
  echo "eiw needs Python 3.11, 3.12 or 3.13 on the PATH; none was found." >&2
  return 1
}

make_venv() {
  local extra=${1:+[$1]} root venv stamp base
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  venv=$root/${EIW_VENV:-.venv}
  PYTHON=$venv/bin/python
  # The stamp holds what was installed and where: a changed setup.py or a moved folder reinstalls.
  stamp=$venv/installed-eiw$extra
  if [ ! -x "$PYTHON" ]; then
    base=$(find_python) || return 1
    echo "Making $venv with $base"
    "$base" -m venv "$venv" || {
      rm -rf "$venv"
      echo "No virtual environment could be made; on Debian: apt-get install python3-venv" >&2
      return 1
    }
  fi
  if [ "$(cat "$stamp" 2>/dev/null)" != "$root $(cksum <"$root/setup.py")" ]; then
    echo "Installing eiw$extra (once)"
    "$PYTHON" -m pip install --quiet --disable-pip-version-check -e "$root$extra" || {
      echo "The installation failed: see pip's message above." >&2
      return 1
    }
    echo "$root $(cksum <"$root/setup.py")" >"$stamp"
  fi
}
