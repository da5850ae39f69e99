#!/usr/bin/env bash
# Caches SeqIO tasks by Apache Beam, on this machine or on a cluster.
set -euo pipefail
if [ "${1:-}" = --help ] || [ "${1:-}" = -h ] || [ $# = 0 ]; then
  cat <<'HELP'
Usage: bash launch/beam.sh --tasks=TASK,... --output_cache_dir=DIR [arguments]

Runs SeqIO's own caching (seqio.scripts.cache_tasks_main) with our tasks, in a virtual environment
of its own, .venv-beam: Beam needs an older sentencepiece. Compressors come from EIW_COMPRESSORS.

  --min_shards N          files a split (default 64)
  --pipeline_options ...  Beam's options, with commas between; default --runner=DirectRunner
      --runner=DataflowRunner,--project=P,--region=R,--temp_location=gs://B/tmp,...
      --runner=FlinkRunner,--flink_master=HOST:8081,--environment_type=LOOPBACK
      --runner=SparkRunner,--job_endpoint=HOST:8099
  --tfds_data_dir DIR     where TFDS has its data

Workers of a cluster need eiw[beam] installed (a container image: --sdk_container_image) and the
compressors at the same path. Each file of a source is compressed by itself, so there documents of
one file only stand together in an example; on one machine, `eiw compress --tasks` keeps them as
training online would.
HELP
  case ${1:-} in -h | --help) exit 0 ;; esac
  echo "beam.sh: give --tasks and --output_cache_dir" >&2
  exit 2
fi
EIW_VENV=.venv-beam
. "$(dirname "${BASH_SOURCE[0]}")/setup_venv.sh"
make_venv beam
# Beam chooses another local runner by itself, which does not know all of SeqIO's steps.
case " $*" in
  *" --pipeline_options"*) ;;
  *) set -- "$@" --pipeline_options=--runner=DirectRunner ;;
esac
exec "$PYTHON" -m seqio.scripts.cache_tasks_main --module_import=eiw.tasks "$@"
