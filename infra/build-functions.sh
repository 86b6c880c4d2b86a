#!/usr/bin/env bash
# Builds every function for AWS Lambda: target/functions/<function>/bootstrap, where the template looks for it.
set -euo pipefail
cd "$(dirname "$0")/.."

functions=(classify feedback-api batch-feedback a2i-trigger human-review label-collection model-building text-classifier)

cargo build --locked --profile lambda "${functions[@]/#/--package=}"
for function in "${functions[@]}"; do
    mkdir -p "target/functions/$function"
    cp "${CARGO_TARGET_DIR:-target}/lambda/$function" "target/functions/$function/bootstrap"
done

# provided.al2023 has glibc 2.34.
for function in "${functions[@]}"; do
    newest=$(objdump -T "target/functions/$function/bootstrap" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -1)
    if [ "$(printf 'GLIBC_2.34\n%s\n' "$newest" | sort -V | tail -1)" != GLIBC_2.34 ]; then
        echo "$function needs $newest, and provided.al2023 has GLIBC_2.34: build on an older distribution" >&2
        exit 1
    fi
done
du -h target/functions/*/bootstrap
