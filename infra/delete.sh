#!/usr/bin/env bash
# Deletes the stack with everything in it, for ever, after asking: the buckets with every version of every object, the
# log groups, the packages.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: infra/delete.sh [OPTION …]

  --stack-name NAME   name of the stack [default: active-learning]; the ARN of a stack that is deleted already
                      deletes the buckets that it kept
  --region REGION     Region [default: the AWS CLI's]
  --yes               asks nothing
TEXT
}

stack=active-learning region='' ask=yes
while [ $# -gt 0 ]; do
    case $1 in
        --help) usage; exit ;;
        --yes) ask=no; shift ;;
        --stack-name | --region)
            [ $# -ge 2 ] || { echo "infra/delete.sh: $1 needs a value" >&2; exit 1; }
            if [ "$1" = --region ]; then region=$2; else stack=$2; fi
            shift 2 ;;
        *) usage >&2; exit 2 ;;
    esac
done
export AWS_PAGER=''
if [ -n "$region" ]; then
    export AWS_REGION=$region AWS_DEFAULT_REGION=$region
fi

read -r id name status < <(aws cloudformation describe-stacks --stack-name "$stack" --output text \
    --query 'Stacks[0].[StackId, StackName, StackStatus]') || {
    echo "infra/delete.sh: there is no stack $stack here. \`aws cloudformation list-stacks\` has the ARNs of deleted ones" >&2
    exit 1
}
of_type() {
    aws cloudformation list-stack-resources --stack-name "$id" --output text \
        --query "StackResourceSummaries[?ResourceType=='$1' && PhysicalResourceId].[PhysicalResourceId]"
}
mapfile -t buckets < <(of_type AWS::S3::Bucket)
mapfile -t log_groups < <(of_type AWS::Logs::LogGroup)
# What `aws cloudformation package` has uploaded for this stack: the bucket, and each key.
packaged=$(aws cloudformation get-template --stack-name "$id" --query TemplateBody --output text 2>/dev/null || true)
package_bucket=$(sed -n 's/^ *"\{0,1\}S3Bucket"\{0,1\}: *"\{0,1\}\([^" ,]\{1,\}\).*/\1/p' <<<"$packaged" | head -1)
mapfile -t package_keys < <(sed -n 's/^ *"\{0,1\}S3Key"\{0,1\}: *"\{0,1\}\([^" ,]\{1,\}\).*/\1/p' <<<"$packaged" | sort -u)

existing=()
for bucket in "${buckets[@]}"; do
    if aws s3api head-bucket --bucket "$bucket" >/dev/null 2>&1; then
        existing+=("$bucket")
    fi
done

echo "This deletes for ever:"
echo "  the stack $name ($status), $id"
for bucket in "${existing[@]}"; do
    echo "  the bucket $bucket and every version of what is in it"
done
if [ -n "$package_bucket" ]; then
    echo "  the packages of this stack in the bucket $package_bucket"
fi
if [ "$ask" = yes ]; then
    read -r -p "Type the name of the stack to go on: " answer
    if [ "$answer" != "$name" ]; then
        echo "Nothing was deleted."
        exit 1
    fi
fi
echo "Should this stop half-way, go on with: infra/delete.sh --stack-name $id"

if [ "$status" != DELETE_COMPLETE ]; then
    aws cloudformation delete-stack --stack-name "$id"
    aws cloudformation wait stack-delete-complete --stack-name "$id"
fi

page=$(mktemp)
trap 'rm -f "$page"' EXIT
# Deletes every version and delete marker below a prefix, a thousand at a time.
empty() {
    local bucket=$1 prefix=$2 number=0
    while true; do
        aws s3api list-object-versions --bucket "$bucket" --prefix "$prefix" --no-paginate --output json \
            --query '{Quiet: `true`, Objects: [Versions, DeleteMarkers][].{Key: Key, VersionId: VersionId}}' >"$page"
        if ! grep -q '"VersionId"' "$page"; then
            break
        fi
        refused=$(aws s3api delete-objects --bucket "$bucket" --delete "file://$page" --output text --query 'Errors[0]')
        if [ -n "$refused" ] && [ "$refused" != None ]; then
            echo "infra/delete.sh: $bucket cannot be emptied: $refused" >&2
            exit 1
        fi
        number=$((number + $(grep -c '"VersionId"' "$page")))
    done
    echo "$number objects of s3://$bucket/$prefix are deleted"
}

for bucket in "${existing[@]}"; do
    empty "$bucket" ''
    aws s3api delete-bucket --bucket "$bucket"
done
for group in "${log_groups[@]}"; do
    # The stack deletes them; a function that was still running may have made one again.
    aws logs delete-log-group --log-group-name "$group" 2>/dev/null || true
done
if [ -n "$package_bucket" ] && aws s3api head-bucket --bucket "$package_bucket" >/dev/null 2>&1; then
    if [[ ${package_keys[0]} == "$name/"* ]]; then
        empty "$package_bucket" "$name/"
    else
        for key in "${package_keys[@]}"; do
            aws s3api delete-object --bucket "$package_bucket" --key "$key" >/dev/null
        done
    fi
    # Only the bucket that deploy.sh makes by itself, and only when no other stack's packages are in it.
    if [[ $package_bucket == active-learning-packages-* ]]; then
        aws s3api delete-bucket --bucket "$package_bucket" 2>/dev/null &&
            echo "the bucket $package_bucket was empty and is deleted" || true
    fi
fi
echo "Deleted."
