#!/usr/bin/env bash
# Builds every function for AWS Lambda: target/functions/<function>/bootstrap, where the template looks for it.
set -euo pipefail
cd "$(dirname "$0")/.."

functions=(classify feedback-api batch-feedback a2i-trigger human-review text-classifier)

cargo build --locked --profile lambda "${functions[@]/#/--package=}"
for function in "${functions[@]}"; do
    mkdir -p "target/functions/$function"
    cp "${CARGO_TARGET_DIR:-target}/lambda/$function" "target/functions/$function/bootstrap"
done
du -h target/functions/*/bootstrap
