#!/usr/bin/env bash
# Makes the files of a release: packages of the functions, the program, the template, what each is made of (CycloneDX), and
# checksums of all.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
Usage: infra/release.sh [OPTION …]

  --output FOLDER  where the files go; made anew [default: target/release-files]
  --skip-build     takes what is in target/functions and target/release
TEXT
}

output=target/release-files build=yes
while [ $# -gt 0 ]; do
    case $1 in
        --help) usage; exit ;;
        --skip-build) build=no; shift ;;
        --output) [ $# -ge 2 ] || { usage >&2; exit 2; }; output=$2; shift 2 ;;
        *) usage >&2; exit 2 ;;
    esac
done

if [ "$build" = yes ]; then
    infra/build-functions.sh
    cargo build --release --locked
fi
if ! cargo cyclonedx --help >/dev/null 2>&1; then
    cargo install --locked --root target/tools 'cargo-cyclonedx@>=0.5,<0.6'
    PATH=$PWD/target/tools/bin:$PATH
fi

rm -rf "$output"
mkdir -p "$output"
cp target/release/active-learning LICENSE "$output/"
# Beside the packages: `aws cloudformation package` takes it from there.
sed -E 's#(Code: )\.\./target/functions/([a-z0-9-]+)$#\1\2.zip#' infra/template.yaml >"$output/template.yaml"
for folder in target/functions/*/; do
    function=$(basename "$folder")
    # The same content makes the same package: without the owner, and with the time that the build gave it.
    (cd "$folder" && zip -q -X - bootstrap) >"$output/$function.zip"
done

# One bill of materials for each package of the workspace: those of what is released are kept.
root=$PWD
trap 'find "$root/crates" -name sbom.json -delete' EXIT
cargo cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps --override-filename sbom
for folder in target/functions/*/ target/release/active-learning; do
    released=$(basename "$folder")
    package=${released/#active-learning/cli}
    # Where the workspace lies on this machine is nobody's business.
    sed "s#file://$root#file:///active-learning#g" "crates/$package/sbom.json" >"$output/$released.cdx.json"
done

cd "$output"
# Named before the list of sums is there, which is none of them.
files=(*)
sha256sum -- "${files[@]}" | tee SHA256SUMS
