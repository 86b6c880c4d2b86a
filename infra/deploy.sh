#!/usr/bin/env bash
# Builds, packages and deploys the stack, and ends with the portal's URL and a sign-in link. Run it again to update.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
Usage: infra/deploy.sh [OPTION …]

  --stack-name NAME       name of the stack [default: active-learning]
  --bucket NAME           bucket for the packages, in the same Region
                          [default: active-learning-packages-<account>-<region>, made where it is missing]
  --region REGION         Region [default: the AWS CLI's]
  --parameter KEY=VALUE   a parameter of the template; may be repeated. One that is not named keeps its value
  --reviewer NAME         who the sign-in link is for [default: first-reviewer]
  --skip-build            packages what is in target/functions
TEXT
}

fail() {
    echo "infra/deploy.sh: $1" >&2
    exit 1
}

stack=active-learning bucket='' region='' reviewer=first-reviewer build=yes
parameters=()
while [ $# -gt 0 ]; do
    case $1 in
        --help) usage; exit ;;
        --skip-build) build=no; shift; continue ;;
        --stack-name | --bucket | --region | --parameter | --reviewer)
            [ $# -ge 2 ] || fail "$1 needs a value" ;;
        *) usage >&2; exit 2 ;;
    esac
    case $1 in
        --stack-name) stack=$2 ;;
        --bucket) bucket=$2 ;;
        --region) region=$2 ;;
        --reviewer) reviewer=$2 ;;
        --parameter) parameters+=("$2") ;;
    esac
    shift 2
done
for parameter in "${parameters[@]}"; do
    [[ $parameter == [A-Za-z]*=* ]] || fail "--parameter takes KEY=VALUE, not \"$parameter\""
done
[[ $reviewer =~ ^[A-Za-z0-9._@-]+$ ]] || fail "--reviewer takes letters, digits and . _ @ -"

command -v aws >/dev/null || fail "the AWS CLI is not installed"
region=${region:-${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}}
[ -n "$region" ] || fail "no Region: use --region, or \`aws configure\`"
export AWS_REGION=$region AWS_DEFAULT_REGION=$region AWS_PAGER=''

account=$(aws sts get-caller-identity --query Account --output text) || fail "the AWS CLI has no valid credentials"

# The template's rule says the same, after the build. A stack that is there keeps what is not named.
given=" ${parameters[*]}"
elsewhere=no
if [[ $given == *' HumanReviewWorkflowArn=arn:'* &&
    ($given == *' ComprehendEndpointArn=arn:'* || $given == *' SageMakerEndpointName='[a-z0-9]*) ]]; then
    elsewhere=yes
fi
if [ $elsewhere = no ] &&
    sed -n '/^  FunctionUrlsInThisRegion:/,/^Conditions:/p' infra/template.yaml | grep -Eq -- "- $region\$" &&
    ! aws cloudformation describe-stacks --stack-name "$stack" >/dev/null 2>&1; then
    fail "$region has no Lambda function URLs, which the built-in classifier and the built-in review service need: take
another Region, or give HumanReviewWorkflowArn and ComprehendEndpointArn or SageMakerEndpointName"
fi

if [ -z "$bucket" ]; then
    bucket=active-learning-packages-$account-$region
    if ! aws s3api head-bucket --bucket "$bucket" --expected-bucket-owner "$account" >/dev/null 2>&1; then
        echo "Making the bucket $bucket for the packages"
        aws s3 mb "s3://$bucket" >/dev/null
        aws s3api put-public-access-block --bucket "$bucket" --public-access-block-configuration \
            BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
    fi
fi
aws s3api head-bucket --bucket "$bucket" --expected-bucket-owner "$account" >/dev/null ||
    fail "the bucket $bucket is not there, or is not yours"

concurrency=$(aws lambda get-account-settings --query AccountLimit.ConcurrentExecutions --output text || true)
if [[ $concurrency =~ ^[0-9]+$ ]] && [ "$concurrency" -lt 100 ]; then
    echo "This account runs $concurrency functions at once, and a classification takes two: see \"Few functions at once\""
    echo "in infra/README.md"
fi

if [ "$build" = yes ]; then
    infra/build-functions.sh
fi

# A create that failed has left nothing, but for its name.
status=$(aws cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].StackStatus' --output text 2>/dev/null || true)
if [ "$status" = ROLLBACK_COMPLETE ]; then
    echo "Removing what is left of the create that failed"
    aws cloudformation delete-stack --stack-name "$stack"
    aws cloudformation wait stack-delete-complete --stack-name "$stack"
fi

mkdir -p target
aws cloudformation package --template-file infra/template.yaml --s3-bucket "$bucket" --s3-prefix "$stack" \
    --output-template-file target/packaged.yaml >/dev/null
deploy=(aws cloudformation deploy --template-file target/packaged.yaml --stack-name "$stack"
    --s3-bucket "$bucket" --s3-prefix "$stack" --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset)
if [ ${#parameters[@]} -gt 0 ]; then
    deploy+=(--parameter-overrides "${parameters[@]}")
fi
if ! "${deploy[@]}"; then
    aws cloudformation describe-stack-events --stack-name "$stack" --output text \
        --query "StackEvents[?contains(ResourceStatus, 'FAILED')].[LogicalResourceId, ResourceStatusReason]" >&2 || true
    fail "the stack was not deployed; the reasons are above, if there are any"
fi

aws cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].Outputs' --output table
output() {
    aws cloudformation describe-stacks --stack-name "$stack" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue | [0]"
}
portal=$(output ReviewPortalUrl)
if [ "$portal" = None ]; then
    echo 'Deployed. Human review is a flow definition of yours, so that there is no portal.'
    exit
fi
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
printf '{"operation": "create-sign-in-link", "reviewer": "%s", "role": "admin"}' "$reviewer" |
    aws lambda invoke --function-name "$(output ReviewPortalFunction)" --payload fileb:///dev/stdin "$answer" >/dev/null
link=$(grep -o '"url": *"[^"]*"' "$answer" | cut -d'"' -f4) || fail "no sign-in link: $(head -c 500 "$answer")"
cat <<TEXT

Portal    $portal
Sign in   $link
          works once, within 60 minutes, for $reviewer, who may run the console as well
TEXT
