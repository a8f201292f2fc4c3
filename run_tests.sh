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
for backend in tensorflow jax; do
  echo "Tests on ${backend}:"
  KERAS_BACKEND="${backend}" python -m pytest --numprocesses=auto --dist=loadfile "$@"
done
