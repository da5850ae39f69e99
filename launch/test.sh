#!/usr/bin/env bash
# Sets eiw up with its test extra (once), checks the style and runs the tests.
set -euo pipefail
if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
  cat <<'HELP'
Usage: bash launch/test.sh [arguments of pytest]

Makes .venv and installs eiw[test] into it if need be, runs ruff and then pytest.
The slow suites: bash launch/test.sh -m slow
HELP
  exit 0
fi
. "$(dirname "${BASH_SOURCE[0]}")/setup_venv.sh"
make_venv test
cd "$(dirname "${BASH_SOURCE[0]}")/.."
"$PYTHON" -m ruff check --quiet .
"$PYTHON" -m ruff format --check --quiet .
# A file stays in one process: its tests share what they compiled. tests/conftest.py orders them.
exec "$PYTHON" -m pytest -n 2 --dist loadfile --no-loadscope-reorder "$@"
