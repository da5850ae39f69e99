#!/usr/bin/env bash
# Sets eiw up (once) and trains M2 on every method x size x learning rate x seed.
set -euo pipefail
if [ "${1:-}" = --help ] || [ "${1:-}" = -h ] || [ $# = 0 ]; then
  cat <<'HELP'
Usage: bash launch/sweep.sh --tokens=GLOB --output=DIR [arguments of `eiw sweep`]

One training after the other; rows go to DIR/results.jsonl. Run it again to go on: finished runs are
skipped. `eiw sweep --help` has all arguments.

  --sizes 25m,113m,403m,2b      model sizes
  --learning_rates 0.5,1,2      a sweep for each method: equal ones for all are unfair to some
  --seeds 0,1,2
  --dry-run                     print what would run
  --gin.NAME=VALUE              any setting, of every run

    bash launch/sweep.sh --tokens='runs/smoke/tokens/*' --output=runs/sweep --sizes=tiny \
        --learning_rates=0.5,1,2 --gin.loop.TrainConfig.steps=500 \
        --gin.pipeline.ModelRun.batch_size=8 --gin.pipeline.ModelRun.length=128
HELP
  case ${1:-} in -h | --help) exit 0 ;; esac
  echo "sweep.sh: give --tokens and --output" >&2
  exit 2
fi
. "$(dirname "${BASH_SOURCE[0]}")/setup_venv.sh"
make_venv
# absl's flags have underscores.
exec "$PYTHON" -m eiw.main sweep "${@/#--dry-run/--dry_run}"
