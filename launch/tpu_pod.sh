#!/usr/bin/env bash
# Trains on a Cloud TPU slice: makes it if there is none, installs eiw, starts all hosts, shows logs.
set -euo pipefail
usage() {
  cat <<'HELP'
Usage: bash launch/tpu_pod.sh --name=TPU --zone=ZONE [options] -- [arguments of `eiw train`]

Needs gcloud, logged in, with a project. Tokens and output are best in a bucket that every host has
mounted (gcsfuse), so that all of them see the same folders.

  --name NAME       of the TPU VM; one of that name is used, else it is created
  --zone ZONE       europe-west4-b, ...
  --type TYPE       accelerator to create (default v5litepod-16)
  --version V       its software (default v2-alpha-tpuv5-lite)
  --spot            create a cheaper one that may be taken away; start again to go on
  --bucket BUCKET   mount gs://BUCKET at ~/bucket on every host
  --delete          delete the TPU VM when training has ended
  --dry-run         print what would run

    bash launch/tpu_pod.sh --name=eiw --zone=europe-west4-b --bucket=my-bucket -- \
        --tokens=bucket/tokens/equal_info_b16_v65k --output=bucket/m2/25m \
        --gin_file=runs/train.gin --gin_file=sizes/25m.gin
HELP
}
name= zone= type=v5litepod-16 version=v2-alpha-tpuv5-lite spot= bucket= delete= dry=
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --name | --zone | --type | --version | --bucket) # and its value, as one
      [ $# -gt 1 ] || { echo "tpu_pod.sh: $1 needs a value" >&2; exit 2; }
      set -- "$1=$2" "${@:3}"
      continue
      ;;
    --name=*) name=${1#*=} ;;
    --zone=*) zone=${1#*=} ;;
    --type=*) type=${1#*=} ;;
    --version=*) version=${1#*=} ;;
    --bucket=*) bucket=${1#*=} ;;
    --spot) spot=1 ;;
    --delete) delete=1 ;;
    --dry-run | --dry_run) dry=1 ;;
    --) shift; break ;;
    *) echo "tpu_pod.sh: no option $1; see --help" >&2; exit 2 ;;
  esac
  shift
done
if [ -z "$name" ] || [ -z "$zone" ] || [ $# = 0 ]; then
  echo "tpu_pod.sh: give --name, --zone and, after --, the arguments of eiw train; see --help" >&2
  exit 2
fi
if [ -z "$dry" ] && ! command -v gcloud >/dev/null; then
  echo "tpu_pod.sh: gcloud is not installed: see the Google Cloud SDK." >&2
  exit 1
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tpu=(gcloud compute tpus tpu-vm)

run() {
  printf '%q ' "$@" && echo
  [ -n "$dry" ] || "$@"
}
on_every_host() {
  run "${tpu[@]}" ssh "$name" --zone="$zone" --worker=all --command="$1"
}

if [ -n "$dry" ] || ! "${tpu[@]}" describe "$name" --zone="$zone" >/dev/null 2>&1; then
  run "${tpu[@]}" create "$name" --zone="$zone" --accelerator-type="$type" --version="$version" \
    ${spot:+--spot}
fi
archive=$(mktemp -d)
trap 'rm -rf "$archive"' EXIT
# What is committed: the hosts get no other changes.
run git -C "$root" archive --format=tar.gz --output="$archive/eiw.tar.gz" HEAD
run "${tpu[@]}" scp "$archive/eiw.tar.gz" "$name:" --zone="$zone" --worker=all
on_every_host "mkdir -p eiw && tar -xzf eiw.tar.gz -C eiw"
on_every_host ". eiw/launch/setup_venv.sh && make_venv tpu"
if [ -n "$bucket" ]; then
  on_every_host "mkdir -p bucket && { mountpoint -q bucket || gcsfuse --implicit-dirs $bucket bucket; }"
fi
train=$(printf '%q ' eiw/.venv/bin/python -m eiw.main train --distributed "$@")
status=0
# The log of each host stays on it, too: ~/eiw.log.
on_every_host "set -o pipefail; $train 2>&1 | tee -a eiw.log" || status=$?
if [ -n "$delete" ]; then
  run "${tpu[@]}" delete "$name" --zone="$zone" --quiet
fi
exit $status
