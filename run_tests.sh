#!/usr/bin/env bash
# Installs what the tests need, then lints and runs the suite on both backends; stops at the first
# failure. Uses the active virtual environment, or makes .venv. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if [[ -z "${VIRTUAL_ENV:-}" ]]; then
  "${PYTHON:-python3.11}" -m venv .venv
  source .venv/bin/activate
fi
python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt

ruff check .
ruff format --check .
# What no backend takes part in is tested once: these, and tests that are marked so.
without_backend=(
  tests/experiments/{test_settings,runner/test_run_folder,runner/test_run_lock}.py
  tests/experiments/compatibility_analysis/test_{groups,settings}.py
  tests/data/test_{classes,every_source,examples,folder,image_files,npz,splits,tfds,tfds_strangers,unlabelled}.py
  tests/test_{escaping,files,methods,printing,versions}.py
  {tests,keras_compat}/reporting tests/studies/test_{report,studies}.py
)
# Many tests build the same small networks: JAX compiles each once for all of them.
compiled="$(mktemp -d)"
trap 'rm -rf "${compiled}"' EXIT
export JAX_COMPILATION_CACHE_DIR="${compiled}"
export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1
for backend in tensorflow jax; do
  echo "Tests on ${backend}:"
  KERAS_BACKEND="${backend}" python -m pytest --numprocesses=auto --dist=loadfile \
    $([[ "${backend}" == jax ]] && printf -- '--ignore=%s ' "${without_backend[@]}") \
    -m "not slow$([[ "${backend}" == jax ]] && echo ' and not once')" "$@"
done
