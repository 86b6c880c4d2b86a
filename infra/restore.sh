#!/usr/bin/env bash
# Brings the training bucket back: from a copy of it, or from the versions that it keeps. No function is told of what comes
# back, as it would be of something new: a training file would put its own model in service again.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: infra/restore.sh [OPTION …] (--from s3://BUCKET/PREFIX | --at TIME)

  --from s3://BUCKET/PREFIX   copies what is there into the training bucket
  --at TIME                   brings back what the bucket held then, such as 2026-11-29T08:00:00Z; the bucket must
                              keep versions (parameter TrainingBucketVersionDays)
  --stack-name NAME           name of the stack [default: active-learning]
  --region REGION             Region [default: the AWS CLI's]
  --yes                       asks nothing

What has come into the bucket since stays, and so does the list of texts that were erased at a person's wish. No build
begins meanwhile.
TEXT
}

fail() {
    echo "infra/restore.sh: $1" >&2
    exit 1
}

stack=active-learning region='' ask=yes from='' at=''
while [ $# -gt 0 ]; do
    case $1 in
        --help) usage; exit ;;
        --yes) ask=no; shift; continue ;;
        --from | --at | --stack-name | --region) [ $# -ge 2 ] || fail "$1 needs a value" ;;
        *) usage >&2; exit 2 ;;
    esac
    case $1 in
        --from) from=${2%/} ;;
        --at) at=$2 ;;
        --stack-name) stack=$2 ;;
        --region) region=$2 ;;
    esac
    shift 2
done
if [ -z "$from$at" ] || { [ -n "$from" ] && [ -n "$at" ]; }; then
    fail "give --from or --at"
fi
[[ -z $from || $from == s3://?* ]] || fail "--from takes s3://BUCKET/PREFIX, not \"$from\""
[[ -z $at || $at =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$ ]] ||
    fail "--at takes a time in UTC such as 2026-11-29T08:00:00Z, not \"$at\""
export AWS_PAGER=''
if [ -n "$region" ]; then
    export AWS_REGION=$region AWS_DEFAULT_REGION=$region
fi

output() {
    aws cloudformation describe-stacks --stack-name "$stack" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue | [0]"
}
bucket=$(output TrainingS3Bucket) || fail "there is no stack $stack here"
machine=$(output ModelBuildingStateMachineArn)
no_build_runs() {
    local running
    running=$(aws stepfunctions list-executions --state-machine-arn "$machine" --status-filter RUNNING --output text \
        --query 'executions[].name')
    [ -z "$running" ] || fail "wait for the end of $running: it writes to the bucket"
}
no_build_runs

# Tells builds until when they are held back, as `active-learning erase` does.
hold=builds/erasing.json
in_minutes() {
    date -u -d "+$1 minutes" +%Y-%m-%dT%H:%M:%S.000Z 2>/dev/null || date -u -v "+$1M" +%Y-%m-%dT%H:%M:%S.000Z
}
put_hold() {
    printf '{"until":"%s","by":{"restore":"%s"}}' "$1" "$1" >"$work/hold.new"
    aws s3api put-object --bucket "$bucket" --key "$hold" --body "$work/hold.new" \
        --content-type application/json >/dev/null
    mv "$work/hold.new" "$work/hold"
}
is_held() {
    aws s3api get-object --bucket "$bucket" --key "$hold" "$work/held" >/dev/null 2>&1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -n "$at" ]; then
    status=$(aws s3api get-bucket-versioning --bucket "$bucket" --query Status --output text)
    [ "$status" != None ] || fail "$bucket keeps no versions: there is nothing to bring back from"
    for kind in Versions DeleteMarkers; do
        aws s3api list-object-versions --bucket "$bucket" --output text \
            --query "$kind[].[Key, LastModified, VersionId, IsLatest, ETag, '$kind']"
    done | grep -v '^None$' >"$work/versions" || true
    # Of each key the version that was the newest then, unless what is there now is the same. The list has the newest of a
    # second first. What was erased since stays erased: its list is brought back only where it is gone.
    awk -F '\t' -v at="${at%Z}" '
        $1 == "builds/running.json" || $1 == "builds/erasing.json" { next }
        { time = substr($2, 1, 19) }
        tolower($4) == "true" && $6 == "Versions" { now[$1] = $5 }
        time <= at && time > newest[$1] { newest[$1] = time; id[$1] = $3; then[$1] = $5; kind[$1] = $6 }
        END {
            for (key in newest)
                # Asked before now[key] is read, which makes it.
                if (kind[key] == "Versions" && !(key ~ /^erased\// && key in now) && then[key] != now[key])
                    print key "\t" id[key]
        }' "$work/versions" | sort >"$work/wanted"
    what="$(wc -l <"$work/wanted") objects as they were at $at"
else
    aws s3 cp --only-show-errors "$from/label-set.json" "$work/label-set" ||
        fail "$from/label-set.json cannot be read: is there a copy of a training bucket? Nothing was changed."
    objects=$(aws s3 ls --recursive --summarize "$from/" | sed -n 's/.*Total Objects: *//p')
    what="$objects objects that are under $from"
fi

echo "This brings back into $bucket of the stack $stack: $what"
if [ "$ask" = yes ]; then
    read -r -p "Type the name of the stack to go on: " answer
    if [ "$answer" != "$stack" ]; then
        echo "Nothing was changed."
        exit 1
    fi
fi

# No build may begin on half of it.
if is_held; then
    until=$(sed -n 's/.*"until" *: *"\([^"]*\)".*/\1/p' "$work/held")
    [[ ! $until > $(in_minutes 0) ]] ||
        fail "texts are being erased, or something else is brought back: try again when that is done, or after $until"
fi
put_hold "$(in_minutes 15)"
while sleep 300; do put_hold "$(in_minutes 15)" || true; done >/dev/null 2>&1 &
renewing=$!
release() {
    kill "$renewing" 2>/dev/null || true
    # Only one's own: an erasure may have begun meanwhile.
    if is_held && cmp -s "$work/held" "$work/hold"; then
        put_hold "$(in_minutes 0)"
    fi
}
trap 'release; rm -rf "$work"' EXIT
no_build_runs

# Without notifications meanwhile; they come back in whatever way this ends.
aws s3api get-bucket-notification-configuration --bucket "$bucket" --output json >"$work/notifications"
[ -s "$work/notifications" ] || echo '{}' >"$work/notifications"
notify_again() {
    release
    cp "$work/notifications" "$bucket.notifications.json"
    aws s3api put-bucket-notification-configuration --bucket "$bucket" \
        --notification-configuration "file://$work/notifications" || {
        echo "infra/restore.sh: the notifications are off. Put them back from $bucket.notifications.json" >&2
        exit 1
    }
    rm -rf "$work" "$bucket.notifications.json"
}
aws s3api put-bucket-notification-configuration --bucket "$bucket" --notification-configuration '{}' ||
    fail "the notifications cannot be taken off: nothing was brought back"
trap notify_again EXIT

# Returns the version of a label set.
version_of() {
    grep -o '"version" *: *[0-9]*' "$1" | sed -n '1s/[^0-9]*//p'
}
newest_label_set() {
    aws s3api list-objects-v2 --bucket "$bucket" --prefix label-sets/ --output text --query 'Contents[].Key' |
        tr '\t' '\n' | sed -n 's/^label-sets\/0*\([1-9][0-9]*\)\.json$/\1/p' | sort -n | tail -1
}

if [ -n "$at" ]; then
    # Eight at a time: each waits for S3 most of its time.
    tr '\t\n' '\0\0' <"$work/wanted" | BUCKET=$bucket xargs -0 -r -n 2 -P 8 sh -c \
        'exec aws s3api copy-object --bucket "$BUCKET" --key "$0" --copy-source "$BUCKET/$0?versionId=$1" >/dev/null'
else
    aws s3 cp --recursive --only-show-errors "$from/" "s3://$bucket/" --exclude builds/running.json --exclude "$hold" \
        --exclude 'erased/*'
    # What was erased since stays erased: its list is brought back only where it is gone.
    source=${from#s3://}
    prefix=${source#"${source%%/*}"}
    prefix=${prefix#/}
    for key in erased/texts.bin erased/models.json; do
        if ! aws s3api head-object --bucket "$bucket" --key "$key" >/dev/null 2>&1 &&
            aws s3api head-object --bucket "${source%%/*}" --key "${prefix:+$prefix/}$key" >/dev/null 2>&1; then
            aws s3 cp --only-show-errors "$from/$key" "s3://$bucket/$key"
        fi
    done
fi
# Versions of the label set count on: a number names one set for good.
if aws s3 cp --only-show-errors "s3://$bucket/label-set.json" "$work/label-set" 2>/dev/null; then
    restored=$(version_of "$work/label-set") newest=$(newest_label_set)
    if [ "${newest:-0}" -gt "${restored:-0}" ] && [ -n "$restored" ]; then
        next=$((newest + 1))
        sed "s/\"version\" *: *$restored\([^0-9]\)/\"version\":$next\1/" "$work/label-set" >"$work/label-set.next"
        for key in label-set.json "label-sets/$(printf %08d "$next").json"; do
            aws s3 cp --only-show-errors --content-type application/json "$work/label-set.next" "s3://$bucket/$key"
        done
        echo "The label set is that of version $restored again, as version $next: later changes, up to version $newest, are"
        echo "undone. They are kept under label-sets/. Labels by names that came with them are proposals until you add them."
    fi
fi
# The next build counts copies anew: some have come since, and builds know of them no more.
aws s3 rm --only-show-errors "s3://$bucket/datasets/copies.bin" ||
    fail "all is brought back, but delete s3://$bucket/datasets/copies.bin: the next build counts copies wrongly by it"
echo "Brought back. Texts that were erased since then are in it again: take them out by"
echo "  active-learning erase --again --bucket $bucket --yes"
