#!/usr/bin/env bash
# Builds functions for AWS Lambda: target/functions/<function>/bootstrap, where the template looks for it.
#
# Usage: infra/build-functions.sh [FUNCTION …]; without a name all of them.
set -euo pipefail
cd "$(dirname "$0")/.."

functions=(classify feedback-api batch-feedback a2i-trigger human-review label-collection model-building review-events text-classifier)
[ $# -eq 0 ] || functions=("$@")

cargo build --locked --profile lambda "${functions[@]/#/--package=}"
for function in "${functions[@]}"; do
    bootstrap=target/functions/$function/bootstrap
    mkdir -p "target/functions/$function"
    install -m 755 "${CARGO_TARGET_DIR:-target}/lambda/$function" "$bootstrap"
    # The package holds the file's time: one for all, so that what has not changed makes the same package.
    touch -t 200001010000 "$bootstrap"
done

# provided.al2023 has glibc 2.34.
for function in "${functions[@]}"; do
    newest=$(objdump -T "target/functions/$function/bootstrap" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -1)
    if [ "$(printf 'GLIBC_2.34\n%s\n' "$newest" | sort -V | tail -1)" != GLIBC_2.34 ]; then
        echo "$function needs $newest, and provided.al2023 has GLIBC_2.34: build on an older distribution" >&2
        exit 1
    fi
done
du -h "${functions[@]/#/target/functions/}"
