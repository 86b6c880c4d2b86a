#!/usr/bin/env python3
"""Deploys the stack, runs the loop and deletes everything, on a CloudFormation engine that is not ours.

Usage: deploy.py BINARY PYTHON FOLDER. PYTHON is one that has the package `ministack`; the AWS CLI is in the PATH. The
commands are those of infra/README.md, as they are typed there. Functions that were not built into target/functions are
the BINARY behind a script. Prints a line for each check; exits 0 if all passed.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import socket
import stat
import subprocess
import sys
import time
import urllib.parse

import boto3
import botocore.config

import stack
from stack import check, equal, http, until

ROOT = pathlib.Path(__file__).resolve().parent.parent
FUNCTIONS = ROOT / "target/functions"
REGION, STACK, PACKAGES = "us-east-1", "active-learning", "packages-of-ci"
# As many as an account that is new.
CONCURRENCY = 10
PATIENCE_SECONDS = 180
# So high that the model is not sure of texts that say nothing.
THRESHOLD = 0.95
FORM = "application/x-www-form-urlencoded"


# The emulator knows no metric math: an alarm on an expression is one on its first metric there.
LAUNCH = """
import ministack.app, ministack.services.cloudformation.provisioners as provisioners
plain = provisioners._cw_metric_alarm_record
def record(name, properties):
    metrics = [entry["MetricStat"] for entry in properties.get("Metrics", []) if "MetricStat" in entry]
    if metrics:
        first = {**metrics[0]["Metric"], "Period": metrics[0]["Period"], "Statistic": metrics[0]["Stat"]}
        properties = {**properties, **first, "Metrics": None}
    return plain(name, properties)
provisioners._cw_metric_alarm_record = record
ministack.app.main()
"""


class Emulator:
    """A running ministack, and what is deployed on it."""

    def __init__(self, binary, program, folder):
        self.outputs_once, self.api_key, self.cookie = {}, "", ""
        self.binary, self.folder = pathlib.Path(binary).resolve(), pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.folder / "ministack.log"
        self.environment = {
            **os.environ, "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, "AWS_PAGER": "", "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        environment = {
            **self.environment, "GATEWAY_PORT": str(self.port), "BIND_HOST": "127.0.0.1", "TMPDIR": str(self.folder),
            "FUNCTION_URL_BASE": f"{self.url}/_aws/lambda-url", "LAMBDA_ACCOUNT_CONCURRENCY": str(CONCURRENCY),
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [program, "-c", LAUNCH], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until("the emulator", self.answers)

    def answers(self):
        assert self.process.poll() is None, f"the emulator ended: {self.log.read_text()[-2000:]}"
        try:
            return http(f"{self.url}/_ministack/health").status == 200
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def shell(self, script, code=0, typed=""):
        """Runs commands as they are typed in the project's folder; returns what they print."""
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, env=self.environment, input=typed,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        assert run.returncode == code, f"{script}\nended with {run.returncode}:\n{run.stdout[-4000:]}"
        return run.stdout

    def client(self, service):
        config = botocore.config.Config(retries={"total_max_attempts": 1})
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, config=config,
                            aws_access_key_id="test", aws_secret_access_key="test")

    def outputs(self):
        [found] = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}

    def local(self, url):
        """Returns where the emulator serves what has a name of AWS."""
        parts = urllib.parse.urlsplit(url)
        api = parts.hostname.split(".")[0]
        return f"{self.url}/_aws/execute-api/{api}{parts.path}" + (f"?{parts.query}" if parts.query else "")

    def api(self, output, body, **headers):
        return http(self.local(self.outputs_once[output]), body, x_api_key=self.api_key,
                    content_type="application/json", **headers)

    def keys(self, output, prefix=""):
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(
            Bucket=self.outputs_once[output], Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def text_of(self, output, prefix):
        s3, bucket = self.client("s3"), self.outputs_once[output]
        contents = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in self.keys(output, prefix)]
        return b"".join(contents).decode("utf-8", "replace")

    def code(self):
        """Returns what each function runs, and when it was last changed."""
        functions = self.client("lambda").list_functions()["Functions"]
        return {found["FunctionName"]: (found["CodeSha256"], found["LastModified"]) for found in functions}


def typed(heading, word):
    """Returns the commands of a section of infra/README.md: the block that has the word in it."""
    section = (ROOT / "infra/README.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    [block] = [block for block in blocks if word in block]
    return block


def with_outputs(commands, outputs, names):
    for placeholder, output in names.items():
        commands = commands.replace(placeholder, outputs[output])
    return commands


@check("the README's commands deploy the stack, with the packages in a bucket")
def deploy(aws):
    aws.shell(f"aws s3 mb s3://{PACKAGES}")
    commands = typed("Build and deploy", "cloudformation package").replace("YOUR-PACKAGE-BUCKET", PACKAGES)
    commands = re.sub(r"infra/build-functions.sh.*", "", commands)
    commands = commands.replace(
        "--capabilities CAPABILITY_IAM",
        "--capabilities CAPABILITY_IAM --parameter-overrides FeedbackBufferSeconds=1 "
        f"ComprehendClassificationScoreThreshold={THRESHOLD}")
    table = aws.shell(commands)
    assert "ReviewPortalUrl" in table, table
    aws.outputs_once = aws.outputs()
    aws.api_key = aws.shell(with_outputs(
        typed("The API key", "get-api-key"), aws.outputs_once, {"API-KEY-ID": "ApiGWKey"})).strip()


@check("deploy.sh again: nothing that is the same is touched, and it ends with a sign-in link that works")
def deploy_again(aws):
    before = aws.code()
    said = aws.shell(f"infra/deploy.sh --skip-build --bucket {PACKAGES} --reviewer ann")
    equal(aws.code(), before, "functions")
    assert said.count("Portal ") == 1 and aws.outputs_once["ReviewPortalUrl"] in said, said
    aws.cookie = sign_in(aws, re.search(r"Sign in +(\S+)", said).group(1))


def sign_in(aws, link):
    token = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["token"][0]
    answer = http(aws.local(link.split("?")[0]), urllib.parse.urlencode({"token": token}).encode(), content_type=FORM)
    assert "set-cookie" in answer.headers, f"{answer.status} {answer.text[:500]}"
    return answer.headers["set-cookie"].split(";")[0]


@check("the README's first model: a file under initial/ makes classify answer")
def first_model(aws):
    aws.shell(with_outputs(
        typed("The first model", "s3 cp"), aws.outputs_once, {"TRAINING-BUCKET": "TrainingS3Bucket"}))
    good = {"classifier": "news", "sentence": "The striker scored twice in the cup final."}

    def answered():
        answer = aws.api("TextClassificationApiGatewayID", good)
        return answer.status == 200 and answer.json["prediction"] and answer

    equal(until("a prediction", answered, PATIENCE_SECONDS).json["prediction"], "Sports")


@check("the loop: doubtful and disliked texts and a file are asked, answered in the portal, and labelled")
def loop(aws):
    texts = [doubtful_text(aws), "A text that somebody dislikes", "A text out of a file"]
    equal(aws.api("FeedbackAPIGatewayID", {"classifier": "news", "sentence": texts[1]}).status, 200)
    aws.client("s3").put_object(
        Bucket=aws.outputs_once["BatchUploadS3Bucket"], Key="more.csv",
        Body=f"classifier,sentence\r\nnews,{texts[2]}\r\n".encode())

    def labelled():
        answer_next(aws)
        known = aws.text_of("TrainingS3Bucket", "labelled/")
        return all(text in known for text in texts)

    until("labelled records of all three", labelled, PATIENCE_SECONDS)


def doubtful_text(aws):
    """Classifies texts until the model is not sure of one, which goes to review."""
    for number in range(40):
        text = f"yxcv {number} uiop jklö"
        answer = aws.api("TextClassificationApiGatewayID", {"classifier": "news", "sentence": text})
        equal(answer.status, 200, answer.text)
        if answer.json["review"]:
            equal(answer.json["review"]["queued"], True, answer.text)
            return text
    raise AssertionError(f"the model is sure of everything: {answer.text}")


def answer_next(aws):
    """Answers the next task with World, if there is one."""
    portal = aws.local(aws.outputs_once["ReviewPortalUrl"])
    location = http(f"{portal}next", cookie=aws.cookie).headers["location"] or ""
    if "loop=" not in location:
        return
    page = http(f"{portal}{location}", cookie=aws.cookie).text
    fields = {name: re.search(f'name="{name}" value="([^"]*)"', page) for name in
              ("portal:csrf", "portal:loop", "portal:loop-id")}
    if all(fields.values()):
        form = {name: found.group(1) for name, found in fields.items()}
        form |= {item: "World" for item in re.findall('data-item="([^"]*)"', page)}
        http(f"{portal}submit", urllib.parse.urlencode(form).encode(), cookie=aws.cookie, content_type=FORM)


@check("the README's build: the state machine compares a new model and decides")
def build(aws):
    commands = typed("New models", "-- build").splitlines()[0]
    commands = with_outputs(commands, aws.outputs_once, {
        "TRAINING-BUCKET": "TrainingS3Bucket", "STATE-MACHINE-ARN": "ModelBuildingStateMachineArn"})
    said = aws.shell(commands.replace("cargo run --release --", str(aws.binary)))
    assert "accuracy" in said.lower(), said
    records = [key for key in aws.keys("TrainingS3Bucket", "builds/") if key.endswith("record.json")]
    assert records, said


@check("another origin takes effect with an update of the stack, and any origin again")
def allowed_origin(aws):
    def preflight(output):
        answer = http(aws.local(aws.outputs_once[output]), method="OPTIONS", origin="https://shop.example",
                      access_control_request_method="POST", access_control_request_headers="x-api-key")
        return answer.status, answer.headers["access-control-allow-origin"]

    for origin in ["https://shop.example", "https://other.example:8443", "*"]:
        aws.shell(f"infra/deploy.sh --skip-build --bucket {PACKAGES} --parameter 'AllowedOrigin={origin}'")
        for output in ["TextClassificationApiGatewayID", "FeedbackAPIGatewayID"]:
            equal(preflight(output), (204, origin), f"preflight of {output}")
            without_key = http(aws.local(aws.outputs_once[output]), {})
            got = without_key.status, without_key.headers["access-control-allow-origin"]
            equal(got, (403, "*"), f"gateway error of {output}")


@check(f"{CONCURRENCY} functions at once: what has no room is told to come again, what was taken is asked once")
def few_functions(aws):
    texts = [f"asdf qwerty {number} zxcv" for number in range(40)]

    def post(text):
        return text, aws.api("TextClassificationApiGatewayID", {"classifier": "news", "sentence": text})

    taken, waiting, refused = [], texts, 0
    for _ in range(60):
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(post, waiting))
        for text, answer in answers:
            if answer.status != 200:
                refused += 1
                # The emulator passes Lambda's own refusal on, which says it in its body.
                seconds = answer.headers["retry-after"] or (answer.json or {}).get("retryAfterSeconds")
                equal(seconds, "1", f"seconds to wait after {answer.status} {answer.text}")
        taken += [text for text, answer in answers if answer.status == 200 and answer.json["review"]]
        waiting = [text for text, answer in answers if answer.status != 200]
        if not waiting:
            break
        time.sleep(1)
    equal(waiting, [], "texts that were never taken")
    print(f"      {refused} answers were 429 or 5xx with Retry-After")

    def asked():
        inputs = aws.text_of("ReviewS3Bucket", "human-review/inputs/")
        counts = [inputs.count(f'"{text}"') for text in taken]
        return all(counts) and counts

    equal(set(until("review of all", asked, PATIENCE_SECONDS)), {1}, "tasks for one text")


# Comes after the buckets and their policies, and cannot be made.
BROKEN = """
Resources:
  Broken:
    Type: AWS::Lambda::Url
    DependsOn: [TrainingBucketPolicy, FeedbackBucketPolicy, ReviewBucketPolicy, BatchUploadBucketPolicy]
    Properties: { TargetFunctionArn: no-such-function, AuthType: AWS_IAM }
"""


@check("a first create that fails leaves nothing")
def failed_create(aws):
    packaged = (ROOT / "target/packaged.yaml").read_text()
    broken = aws.folder / "broken.yaml"
    broken.write_text(packaged.replace("\nResources:\n", BROKEN, 1))
    before = aws.client("s3").list_buckets()["Buckets"]
    aws.shell(f"aws cloudformation deploy --template-file {broken} --stack-name broken --s3-bucket {PACKAGES} "
              "--s3-prefix broken --capabilities CAPABILITY_IAM", code=255)
    after = aws.client("s3").list_buckets()["Buckets"]
    equal([found["Name"] for found in after], [found["Name"] for found in before], "buckets")
    pages = aws.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName="broken")
    events = [event for page in pages for event in page["StackEvents"]]
    made = {event["LogicalResourceId"] for event in events if event["ResourceStatus"] == "CREATE_COMPLETE"}
    assert "TrainingBucketPolicy" in made, made


@check("a Region without function URLs is refused before anything is made")
def regions(aws):
    said = aws.shell("infra/deploy.sh --skip-build --region eu-south-2", code=1)
    assert "eu-south-2 has no Lambda function URLs" in said, said
    said = aws.shell(
        "AWS_REGION=ca-west-1 AWS_DEFAULT_REGION=ca-west-1 aws cloudformation deploy --template-file target/packaged.yaml "
        f"--stack-name elsewhere --s3-bucket {PACKAGES} --capabilities CAPABILITY_IAM", code=255)
    assert "no Lambda function URLs" in said, said


@check("the README's clean-up asks, then leaves nothing: versions, delete markers, packages, log groups")
def clean_up(aws):
    s3, bucket = aws.client("s3"), aws.outputs_once["TrainingS3Bucket"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for number in range(1_100):
        s3.put_object(Bucket=bucket, Key=f"versions/{number % 7} \"ä\"", Body=b"x")
    s3.delete_object(Bucket=bucket, Key='versions/1 "ä"')
    command = typed("Clean up", "infra/delete.sh").strip()
    said = aws.shell(command, code=1, typed="no\n")
    assert "Nothing was deleted" in said, said

    aws.shell(command, typed=f"{STACK}\n")

    left = [found["Name"] for found in s3.list_buckets()["Buckets"]]
    equal(left, [PACKAGES], "buckets")
    equal(s3.list_objects_v2(Bucket=PACKAGES, Prefix=f"{STACK}/").get("Contents", []), [], "packages")
    equal(aws.client("lambda").list_functions()["Functions"], [], "functions")
    equal(aws.client("logs").describe_log_groups(logGroupNamePrefix=STACK)["logGroups"], [], "log groups")
    equal(aws.client("iam").list_roles()["Roles"], [], "roles")
    equal(aws.client("apigateway").get_rest_apis()["items"], [], "APIs")


def wrap(binary):
    """Puts the program where functions were not built, as a script that runs one of them."""
    template = (ROOT / "infra/template.yaml").read_text()
    for name in sorted(set(re.findall(r"Code: \.\./target/functions/(\S+)", template))):
        bootstrap = FUNCTIONS / name / "bootstrap"
        if bootstrap.exists() and not bootstrap.read_bytes().startswith(b"#!"):
            continue
        bootstrap.parent.mkdir(parents=True, exist_ok=True)
        bootstrap.write_text(f'#!/bin/sh\nexec "{binary}" lambda {name}\n')
        bootstrap.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
        os.utime(bootstrap, (946_684_800, 946_684_800))


def main():
    binary, program, folder = sys.argv[1:]
    shutil.rmtree(folder, ignore_errors=True)
    wrap(pathlib.Path(binary).resolve())
    aws = Emulator(binary, program, folder)
    try:
        return stack.run_checks(aws)
    finally:
        aws.stop()


if __name__ == "__main__":
    sys.exit(main())
