#!/usr/bin/env bash
# Trains on all GPUs of one host, or of several: the same line on each, or by SLURM.
set -euo pipefail
usage() {
  cat <<'HELP'
Usage: bash launch/gpu.sh [--dry-run] [--hosts=A,B,...] [arguments of `eiw train`]

On one host: sets eiw up with JAX for CUDA (once) and runs `eiw train` on all its GPUs.
With --hosts: starts it on each of them by ssh, in this same folder, which they share; the first
one is the coordinator. Logs: OUTPUT/host-N.log.
In a SLURM job (srun bash launch/gpu.sh ...) every task joins the others by itself:

    sbatch --nodes=4 --gpus-per-node=8 --ntasks-per-node=1 --wrap="srun bash launch/gpu.sh \
        --tokens=my_tokens --output=my_m2 --gin_file=runs/train.gin --gin_file=sizes/403m.gin"

  --hosts A,B   names that ssh knows; PORT=12321 is where the first one listens
  --dry-run     print what would run
HELP
}
dry= hosts= arguments=() output=.
for argument in "$@"; do
  case $argument in
    -h | --help) usage; exit 0 ;;
    --dry-run) dry=1 ;;
    --hosts=*) hosts=${argument#*=} ;;
    *)
      case $argument in --output=*) output=${argument#*=} ;; esac
      arguments+=("$argument")
      ;;
  esac
done
[ ${#arguments[@]} -gt 0 ] || { usage >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

run() {
  printf '%q ' "$@" && echo
  [ -n "$dry" ] || "$@"
}

if [ -n "$hosts" ]; then
  IFS=, read -r -a names <<<"$hosts"
  coordinator=${names[0]}:${PORT:-12321}
  [ -n "$dry" ] || mkdir -p "$output"
  children=()
  for number in "${!names[@]}"; do
    line=$(printf '%q ' bash "$root/launch/gpu.sh" "${arguments[@]}" \
      --coordinator="$coordinator" --num_hosts=${#names[@]} --host="$number")
    echo "ssh ${names[$number]} $line"
    [ -z "$dry" ] || continue
    ssh "${names[$number]}" "cd $(printf %q "$PWD") && $line" >"$output/host-$number.log" 2>&1 &
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
run "$PYTHON" -m eiw.main train "${arguments[@]}"
