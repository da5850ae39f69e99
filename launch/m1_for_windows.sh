#!/usr/bin/env bash
# Trains M1 on long examples, on short ones, and on ones that begin where windows begin, all on as
# many bytes, and measures what dictionaries come out.
set -euo pipefail
if [ "${1:-}" = --help ] || [ "${1:-}" = -h ] || [ $# -lt 2 ]; then
  cat <<'HELP'
Usage: bash launch/m1_for_windows.sh TEXT OUTPUT [arguments of `eiw train`]

TEXT is a glob of .txt or .jsonl files, also .gz and .xz. Leaves in OUTPUT an M1 for each way to
cut examples, its EqualInfoAC[16] and Tunstall[65k] in compressors/, and compression.md.

  b1024, b64      examples of 1,024 and 64 bytes, one after another (the paper's is 1,024)
  a16             16 bytes from anywhere
  w16, t16        16 bytes from where windows of a16's EqualInfoAC (w) or Tunstall (t) begin

  STEPS=800 BYTES=2048   steps, and bytes a step, of every M1 (environment)
HELP
  case ${1:-} in -h | --help) exit 0 ;; esac
  echo "m1_for_windows.sh: give TEXT and OUTPUT" >&2
  exit 2
fi
. "$(dirname "${BASH_SOURCE[0]}")/setup_venv.sh"
make_venv
text=$1 output=$2
shift 2
eiw() { "$PYTHON" -m eiw.main "$@"; }

train() { # NAME LENGTH [arguments]
  local name=$1 length=$2
  shift 2
  eiw train --tokens "$output/tokens" --output "$output/training/$name" \
    --export_m1 "$output/m1/$name" --gin_file=runs/m1.gin --gin_file=sizes/tiny.gin \
    --gin.loop.TrainConfig.steps="${STEPS:-800}" --gin.pipeline.ModelRun.length="$length" \
    --gin.pipeline.ModelRun.batch_size=$((${BYTES:-2048} / length)) "$@"
  for method in equal_info_b16_v65k tunstall_v65k; do
    eiw compile --m1 "$output/m1/$name" --gin_file="methods/$method.gin" \
      --output "$output/compressors/${method}_$name"
  done
}

eiw compile --gin_file=methods/bytes.gin --output "$output/bytes"
eiw compress --compressor "$output/bytes" --text "$text" --output "$output/tokens"
train b1024 1024 "$@"
train b64 64 "$@"
train a16 16 '--gin.crops.Crops.begin="anywhere"' "$@"
for start in w16:equal_info_b16_v65k t16:tunstall_v65k; do
  train "${start%:*}" 16 '--gin.crops.Crops.begin="windows"' \
    "--gin.crops.Crops.dictionary='$output/compressors/${start#*:}_a16'" "$@"
done
eiw evaluate compression --compressors "$output/compressors/*" --corpus "$output/tokens/corpus" \
  --eval_bytes=500_000 --output "$output"
