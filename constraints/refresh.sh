#!/usr/bin/env bash
# Locks everything anew, with hashes and without index addresses, for all Pythons of pyproject.toml.
# Needs uv (python -m pip install uv). Run it after a change of dependencies.
set -euo pipefail
cd "$(dirname "$0")/.."
compile=(uv pip compile --universal --python-version 3.11 --generate-hashes --only-binary :all:
  --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet --upgrade pyproject.toml)
"${compile[@]}" --extra pipeline --extra embedded --output-file constraints/run.txt constraints/build.in
"${compile[@]}" --extra pipeline --extra embedded --group dev --constraints constraints/run.txt --output-file constraints/dev.txt constraints/build.in
