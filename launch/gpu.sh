#!/usr/bin/env bash
# Trains on all GPUs of one host, or of several: the same line on each, or by SLURM.
set -euo pipefail
usage() {
  cat <<'HELP'
Usage: bash launch/gpu.sh [--dry-run] [--hosts=A,B,...] [arguments of `eiw train`]

On one host: sets eiw up with JAX for CUDA (once) and runs `eiw train` on all its GPUs.
With --hosts: starts it on each of them by ssh, in this same folder, which they share; the first
one is the coordinator. Logs: OUTPUT/host-N.log. Variables (EIW_COMPRESSORS) are those that ssh
finds there. Ctrl-C here does not reach them: SIGTERM to the training of one, and all save and end.
In a SLURM job (srun bash launch/gpu.sh ...) every task joins the others by itself:

    sbatch --nodes=4 --gpus-per-node=8 --ntasks-per-node=1 --wrap="srun bash launch/gpu.sh \
        --tokens=my_tokens --output=my_m2 --gin_file=runs/train.gin --gin_file=sizes/403m.gin"

  --hosts A,B   names that ssh knows; PORT=12321 is where the first one listens
  --dry-run     print what would run
HELP
}
dry= hosts= arguments=() output=.
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --dry-run | --dry_run) dry=1 ;;
    --hosts | --output) # and its value, as one
      [ $# -gt 1 ] || { echo "gpu.sh: $1 needs a value" >&2; exit 2; }
      set -- "$1=$2" "${@:3}"
      continue
      ;;
    --hosts=*) hosts=${1#*=} ;;
    --output=*) output=${1#*=} arguments+=("$1") ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
[ ${#arguments[@]} -gt 0 ] || { usage >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ -n "$hosts" ]; then
  IFS=, read -r -a names <<<"$hosts"
  coordinator=${names[0]}:${PORT:-12321}
  [ -n "$dry" ] || mkdir -p "$output"
  children=()
  for number in "${!names[@]}"; do
    line="cd $(printf %q "$PWD") && $(printf '%q ' bash "$root/launch/gpu.sh" "${arguments[@]}" \
      --coordinator="$coordinator" --num_hosts=${#names[@]} --host="$number")"
    echo "ssh ${names[$number]} $line"
    [ -z "$dry" ] || continue
    ssh "${names[$number]}" "$line" >"$output/host-$number.log" 2>&1 &
    children+=($!)
  done
  status=0
  for child in "${children[@]}"; do wait "$child" || status=1; done
  [ -n "$dry" ] || [ $status = 0 ] || echo "A host failed: see $output/host-*.log" >&2
  exit $status
fi
[ "${SLURM_NTASKS:-1}" = 1 ] || arguments+=(--distributed)
if [ -z "$dry" ]; then
  . "$root/launch/setup_venv.sh"
  make_venv cuda
else
  PYTHON=$root/.venv/bin/python
fi
printf '%q ' "$PYTHON" -m eiw.main train "${arguments[@]}" && echo
# In this process's place, so that its signals are the training's.
[ -n "$dry" ] || exec "$PYTHON" -m eiw.main train "${arguments[@]}"
