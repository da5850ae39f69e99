#!/usr/bin/env bash
# Sets eiw up (once) and runs the main job, end to end, on text that the installation brings along.
set -euo pipefail
if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
  cat <<'HELP'
Usage: bash launch/smoke.sh [arguments of `eiw smoke`]

Makes .venv and installs eiw into it if need be, then runs `eiw smoke`: train M1, compile
Equal-Info Windows, compress, train M2 on each method's codes, report bits/byte.

  --output DIR    where the results go (default runs/smoke)
  --text GLOB     train on your own text: .txt or .jsonl, also .gz and .xz
  --fresh         do every stage anew
  --gin.NAME=VALUE  change any setting
HELP
  exit 0
fi
. "$(dirname "${BASH_SOURCE[0]}")/setup_venv.sh"
make_venv
exec "$PYTHON" -m eiw.main smoke "$@"
