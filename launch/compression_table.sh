#!/usr/bin/env bash
# Makes a compressor of every method in gin/methods from one M1, and the paper's tables of them all.
set -euo pipefail
if [ "${1:-}" = --help ] || [ "${1:-}" = -h ] || [ $# -lt 3 ]; then
  cat <<'HELP'
Usage: bash launch/compression_table.sh M1 CORPUS OUTPUT [arguments of `eiw evaluate compression`]

M1 and CORPUS are folders of a run, runs/smoke/m1 and runs/smoke/corpus. Leaves OUTPUT/compressors,
OUTPUT/compression.md and .json. What is there already is not made again; a method that cannot be
made is named, and left out.

  METHODS="ac_v256 ..."   which; default: all but sentencepiece_foreign, which needs a file
  CONTEXT=64 BLOCK=1024   symbols that M1 sees, and bytes a block, where M1 runs on every byte; the
                          paper has 1024 and 10240, which takes an accelerator
HELP
  case ${1:-} in -h | --help) exit 0 ;; esac
  echo "compression_table.sh: give M1, CORPUS and OUTPUT" >&2
  exit 2
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
for method in ${METHODS:-}; do
  if [ ! -e "$root/gin/methods/$method.gin" ]; then
    echo "compression_table.sh: no method $method; gin/methods has them all" >&2
    exit 2
  fi
done
. "$root/launch/setup_venv.sh"
make_venv
m1=$1 corpus=$2 output=$3
shift 3
if [ -z "${METHODS:-}" ]; then
  METHODS=$(cd "$root/gin/methods" && ls ./*.gin | sed 's|./||; s|[.]gin$||' |
    grep -v sentencepiece_foreign)
fi
for method in $METHODS; do
  folder=$output/compressors/$method
  [ -e "$folder/compressor.json" ] && continue
  small=()
  class=$(sed -n 's/^compile.Settings.recipe = @recipes.\(.*\)()$/\1/p' \
    "$root/gin/methods/$method.gin")
  case $class in
    AC | Huffman | ANS)
      small=(--gin.recipes."$class".context="${CONTEXT:-64}"
        --gin.recipes."$class".block_bytes="${BLOCK:-1024}") ;;
  esac
  "$PYTHON" -m eiw.main compile --m1 "$m1" --corpus "$corpus" --output "$folder" \
    --gin_file="methods/$method.gin" "${small[@]}" || echo "$method is left out" >&2
done
exec "$PYTHON" -m eiw.main evaluate compression --compressors "$output/compressors/*" \
  --corpus "$corpus" --output "$output" "$@"
