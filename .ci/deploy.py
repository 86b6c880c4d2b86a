#!/usr/bin/env python3
"""Deploys the stack, runs the loop and deletes everything, on a CloudFormation engine that is not ours.

Usage: deploy.py BINARY PYTHON FOLDER [BEFORE]. PYTHON is one that has the package `ministack`; the AWS CLI is in the PATH.
The commands are those of infra/README.md, as they are typed there. Functions that were not built into target/functions are
the BINARY behind a script. BEFORE is the program of the version before, whose stack is upgraded; without it a new stack is
made, and no upgrade is tried. Prints a line for each check; exits 0 if all passed.
"""

import concurrent.futures
import datetime
import json
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

import features
import prefixes
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
# The commit of the version before, whose template is upgraded and whose program is BEFORE.
VERSION_BEFORE = os.environ.get("VERSION_BEFORE", "6102463d")
# With these every model wins before the upgrade; and what they are after it.
BEFORE = {"MinMacroF1Gain": (0, 0.005), "SelectionSignificance": (0, 0.05), "MaxRecallLoss": (1, 0.1)}
# What changes as questions go on, and what is written at any time, by schedules too.
UNDER_WAY = ("asked/", "backlog/", "claims/", "copies/", "human-review/", "questions/")
RESTLESS = ("builds/tally.json", "builds/first-model.json", "builds/running.json")


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

    def __init__(self, binary, program, folder, before=None):
        self.stack, self.outputs_once, self.api_key, self.cookie = STACK, {}, "", ""
        self.before = before and pathlib.Path(before).resolve()
        # What the stack of the version before held, and what it said.
        self.left_behind = {}
        # How often the loop was run, so that it does not ask what it asked before.
        self.rounds = 0
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
            # The emulator counts it as one of three tries where a function finds no room: so there is room by then.
            "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "5",
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

    def update(self, *parameters):
        """Changes parameters of the stack as an operator does; returns what the script says."""
        options = " ".join(f"--parameter '{parameter}'" for parameter in parameters)
        return self.shell(f"infra/deploy.sh --skip-build --bucket {PACKAGES} {options}")

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

    def etags(self, output):
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.outputs_once[output])
        found = {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", [])}
        return {key: etag for key, etag in found.items() if key not in RESTLESS}

    def program(self, command, binary=None):
        """Runs a command of the README's section about models."""
        words = typed("New models", f"-- {command}").splitlines()
        [line] = [line for line in words if f"-- {command}" in line]
        line = with_outputs(line, self.outputs_once, {
            "TRAINING-BUCKET": "TrainingS3Bucket", "STATE-MACHINE-ARN": "ModelBuildingStateMachineArn"})
        return line.replace("cargo run --release --", str(binary or self.binary))

    def versions(self):
        return json.loads(self.shell(self.program("versions") + " --json"))

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


GOOD = {"classifier": "news", "sentence": "The striker scored twice in the cup final."}
WAITING = "A text that waits over an upgrade"


@check("the stack of the version before serves, and has data in its buckets")
def version_before(aws):
    if not aws.before:
        print("      no program of the version before was given: an upgrade is not tried")
        return
    folder = aws.folder / "before"
    for name in ["template.yaml", "model-building.asl.json"]:
        path = folder / "infra" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(aws.shell(f"git show {VERSION_BEFORE}:infra/{name}"))
    wrap(aws.before, folder / "target/functions", folder / "infra/template.yaml")
    aws.shell(f"""
        aws s3 mb s3://{PACKAGES}
        cd {folder} && aws cloudformation package --template-file infra/template.yaml --s3-bucket {PACKAGES} \\
            --s3-prefix before --output-template-file packaged.yaml >/dev/null
        aws cloudformation deploy --template-file packaged.yaml --stack-name {STACK} --s3-bucket {PACKAGES} \\
            --s3-prefix before --capabilities CAPABILITY_IAM --parameter-overrides FeedbackBufferSeconds=1 \\
            ComprehendClassificationScoreThreshold={THRESHOLD} {parameters_of(0)}""")
    known(aws)
    answer = aws.client("lambda").invoke(
        FunctionName=aws.outputs_once["ReviewPortalFunction"],
        Payload=json.dumps({"operation": "create-sign-in-link", "reviewer": "ann", "role": "admin"}))
    aws.cookie = sign_in(aws, json.loads(answer["Payload"].read())["url"])

    first_model(aws)
    loop(aws)
    prefixes.fill(aws, answer_next, PATIENCE_SECONDS)
    s3, bucket = aws.client("s3"), aws.outputs_once["BatchUploadS3Bucket"]
    s3.put_object(Bucket=bucket, Key="bad.jsonl", Body=b'{"sentence": 1}\n')
    aws.shell(aws.program("build", aws.before))
    prefixes.erase(aws)
    # An erasure takes the packs of labels away, which a build makes again.
    aws.shell(aws.program("build", aws.before))
    s3.put_object(Bucket=bucket, Key="waiting.csv", Body=f"sentence\r\n{WAITING}\r\n".encode())
    until("a question that waits", lambda: WAITING in aws.text_of("FeedbackS3Bucket", "asked/"), PATIENCE_SECONDS)
    until("rejected lines", lambda: aws.keys("FeedbackS3Bucket", "rejected/batch-feedback/"), PATIENCE_SECONDS)
    aws.left_behind = {
        "objects": quiet(aws), "versions": aws.versions(),
        "answer": aws.api("TextClassificationApiGatewayID", GOOD).json["prediction"],
    }
    kinds = prefixes.of(aws.shell(f"git show {VERSION_BEFORE}:{prefixes.OBJECTS}"))
    equal(prefixes.missing(kinds, aws.left_behind["objects"], RESTLESS), [], "prefixes without data")
    print(f"      {len(kinds)} kinds of objects, {sum(map(len, aws.left_behind['objects'].values()))} objects")


def parameters_of(which):
    return " ".join(f"{name}={values[which]}" for name, values in BEFORE.items())


def quiet(aws):
    """Returns what the buckets hold, once nothing is written any more."""
    seen = []

    def is_quiet():
        time.sleep(2)
        seen.append({output: aws.etags(output) for output in prefixes.BUCKETS.values()})
        return len(seen) > 1 and seen[-1] == seen[-2] and seen[-1]

    return until("quiet buckets", is_quiet, PATIENCE_SECONDS)


def known(aws):
    """Notes the outputs of the stack, and its API key."""
    aws.outputs_once = aws.outputs()
    aws.api_key = aws.shell(with_outputs(
        typed("The API key", "get-api-key"), aws.outputs_once, {"API-KEY-ID": "ApiGWKey"})).strip()


@check("the README's commands deploy the stack, with the packages in a bucket")
def deploy(aws):
    aws.shell(f"aws s3api head-bucket --bucket {PACKAGES} 2>/dev/null || aws s3 mb s3://{PACKAGES}")
    commands = typed("Build and deploy", "cloudformation package").replace("YOUR-PACKAGE-BUCKET", PACKAGES)
    commands = re.sub(r"infra/build-functions.sh.*", "", commands)
    commands = commands.replace(
        "--capabilities CAPABILITY_IAM",
        "--capabilities CAPABILITY_IAM --parameter-overrides FeedbackBufferSeconds=1 "
        f"ComprehendClassificationScoreThreshold={THRESHOLD} {parameters_of(1)}")
    table = aws.shell(commands)
    assert "ReviewPortalUrl" in table, table
    known(aws)


@check("after the upgrade all that there was is served and read: objects, model, versions, sessions, open questions")
def upgraded(aws):
    before = aws.left_behind
    if not before:
        print("      not tried")
        return
    for output in prefixes.BUCKETS.values():
        after = aws.etags(output)
        changed = {key for key, etag in before["objects"][output].items() if after.get(key) != etag}
        # What is kept of a question under way changes as it goes on; that it does is seen below.
        changed = {key for key in changed if not key.startswith(UNDER_WAY)}
        equal(changed, set(), f"objects of {output} that an upgrade changed or lost")
    equal(aws.api("TextClassificationApiGatewayID", GOOD).json["prediction"], before["answer"], "prediction")
    keys = ["version", "outcome", "serving", "scores", "trainRows"]
    equal([[version.get(key) for key in keys] for version in aws.versions()],
          [[version.get(key) for key in keys] for version in before["versions"]], "versions")

    def labelled():
        answer_next(aws)
        return WAITING in aws.text_of("TrainingS3Bucket", "labelled/")

    until("the label of a question that was asked before the upgrade", labelled, PATIENCE_SECONDS)


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

    def answered():
        answer = aws.api("TextClassificationApiGatewayID", GOOD)
        return answer.status == 200 and answer.json["prediction"] and answer

    equal(until("a prediction", answered, PATIENCE_SECONDS).json["prediction"], "Sports")


@check("the loop: doubtful and disliked texts and a file are asked, answered in the portal, and labelled")
def loop(aws):
    aws.rounds += 1
    texts = [doubtful_text(aws), f"A text that somebody dislikes, {aws.rounds}", f"A text out of file {aws.rounds}"]
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
        text = f"yxcv {number} uiop jklö {aws.rounds}"
        answer = aws.api("TextClassificationApiGatewayID", {"classifier": "news", "sentence": text})
        equal(answer.status, 200, answer.text)
        if answer.json["review"]:
            equal(answer.json["review"]["queued"], True, answer.text)
            return text
    raise AssertionError(f"the model is sure of everything: {answer.text}")


def answer_next(aws):
    """Answers the next task, if there is one: in each round with another label, so that no model learns to be sure of nonsense."""
    portal = aws.local(aws.outputs_once["ReviewPortalUrl"])
    location = http(f"{portal}next", cookie=aws.cookie).headers["location"] or ""
    if "loop=" not in location:
        return
    page = http(f"{portal}{location}", cookie=aws.cookie).text
    fields = {name: re.search(f'name="{name}" value="([^"]*)"', page) for name in
              ("portal:csrf", "portal:loop", "portal:loop-id")}
    if all(fields.values()):
        form = {name: found.group(1) for name, found in fields.items()}
        label = ["World", "Sports", "Business"][aws.rounds % 3]
        form |= {item: label for item in re.findall('data-item="([^"]*)"', page)}
        http(f"{portal}submit", urllib.parse.urlencode(form).encode(), cookie=aws.cookie, content_type=FORM)


@check("the README's build: the state machine compares a new model and decides")
def build(aws):
    said = aws.shell(aws.program("build"))
    assert "accuracy" in said.lower(), said
    records = [key for key in aws.keys("TrainingS3Bucket", "builds/") if key.endswith("record.json")]
    assert records, said


def is_served_as_before(aws, versions):
    equal(aws.api("TextClassificationApiGatewayID", GOOD).json["prediction"], "Sports", "prediction")
    equal(aws.versions(), versions, "versions")


def other_or_gone(before, after):
    """Returns what a restoration has not brought back: but for what holds builds back, what stays erased and copies.bin."""
    # What is known of copies is forgotten: the next build counts them anew.
    others = {"builds/erasing.json", "datasets/copies.bin"}
    restored = [key for key in before if key not in others and not key.startswith("erased/")]
    return [key for key in restored if after.get(key) != before[key]]


def notifications(aws):
    found = aws.client("s3").get_bucket_notification_configuration(Bucket=aws.outputs_once["TrainingS3Bucket"])
    found.pop("ResponseMetadata")
    return found


@check("the README's backup comes back into a bucket that lost everything, and no function takes it for something new")
def backup(aws):
    block = typed("Back up and restore", "aws s3 sync").replace("YOUR-BACKUP-BUCKET", "backup-of-ci")
    aws.shell(with_outputs(block, aws.outputs_once, {"TRAINING-BUCKET": "TrainingS3Bucket"}))
    objects, versions, told = aws.etags("TrainingS3Bucket"), aws.versions(), notifications(aws)
    assert told.get("LambdaFunctionConfigurations"), told
    aws.shell(f"aws s3 rm --recursive --only-show-errors s3://{aws.outputs_once['TrainingS3Bucket']}")
    assert not set(aws.etags("TrainingS3Bucket")) & set(objects)
    # What was erased since the copy was made stays refused.
    s3, bucket = aws.client("s3"), aws.outputs_once["TrainingS3Bucket"]
    s3.put_object(Bucket="backup-of-ci", Key="training/erased/texts.bin", Body=b"0123456789abcdef")
    if "erased/models.json" not in objects:
        s3.put_object(Bucket="backup-of-ci", Key="training/erased/models.json", Body=b'{"at":"","versions":{}}')
    erased = b"0123456789abcdeffedcba9876543210"
    s3.put_object(Bucket=bucket, Key="erased/texts.bin", Body=erased)

    block = typed("Back up and restore", "--from").replace("YOUR-BACKUP-BUCKET", "backup-of-ci").strip()
    said = aws.shell(block, code=1, typed="no\n")
    assert "Nothing was changed" in said, said
    held = {"until": "2100-01-01T00:00:00.000Z", "by": {"an erasure": "2100-01-01T00:00:00.000Z"}}
    s3.put_object(Bucket=bucket, Key="builds/erasing.json", Body=json.dumps(held).encode())
    said = aws.shell(block, code=1, typed=f"{STACK}\n")
    assert "texts are being erased" in said, said
    s3.delete_object(Bucket=bucket, Key="builds/erasing.json")
    said = aws.shell(block, typed=f"{STACK}\n")
    assert f"active-learning erase --again --bucket {bucket} --yes" in said, said

    after = aws.etags("TrainingS3Bucket")
    equal(other_or_gone(objects, after), [], "objects that are not as they were")
    equal(s3.get_object(Bucket=bucket, Key="erased/texts.bin")["Body"].read(), erased, "erased texts")
    assert "erased/models.json" in after, "what is gone is brought back"
    until = json.loads(s3.get_object(Bucket=bucket, Key="builds/erasing.json")["Body"].read())["until"]
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.999Z")
    assert until <= now, f"builds are held back until {until}"
    s3.delete_object(Bucket=bucket, Key="erased/texts.bin")
    equal(notifications(aws), told, "notifications")
    is_served_as_before(aws, versions)

    said = aws.shell(block.replace("/training", "/trianing") + " --yes", code=1)
    assert "is there a copy of a training bucket? Nothing was changed." in said, said
    # Changes of the label set since the copy are undone by a version of its own.
    s3.put_object(Bucket=bucket, Key="label-sets/00000099.json", Body=b'{"version":99}')
    said = aws.shell(f"{block} --yes")
    assert "as version 100: later changes, up to version 99, are" in said, said
    for key in ["label-set.json", "label-sets/00000100.json"]:
        equal(json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())["version"], 100, key)
    aws.shell("aws s3 rb --force s3://backup-of-ci")


@check("versions of the training bucket, by a parameter, bring back what was deleted and overwritten by mistake")
def bucket_versions(aws):
    s3, bucket = aws.client("s3"), aws.outputs_once["TrainingS3Bucket"]
    aws.update("TrainingBucketVersionDays=30")
    equal(s3.get_bucket_versioning(Bucket=bucket).get("Status"), "Enabled")
    s3.put_object(Bucket=bucket, Key="labelled/after-a-fashion.jsonl", Body=b"")
    objects, versions = aws.etags("TrainingS3Bucket"), aws.versions()
    time.sleep(1.1)
    moment = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    time.sleep(1.1)
    s3.put_object(Bucket=bucket, Key="label-set.json", Body=b"{}")
    aws.shell(f"aws s3 rm --recursive --only-show-errors s3://{bucket} --exclude label-set.json")

    command = re.sub(r"20\d\d-\S+Z", moment, typed("Back up and restore", "--at")).strip()
    aws.shell(f"{command} --yes")

    after = aws.etags("TrainingS3Bucket")
    equal(other_or_gone(objects, after), [], "objects that are not as they were")
    is_served_as_before(aws, versions)
    said = aws.shell(f"{command} --yes")
    assert ": 0 objects" in said, said
    # The emulator leaves the bucket as it is where CloudFormation suspends it.
    aws.update("TrainingBucketVersionDays=0")


@check("access logs, tracing and deletion of old models are taken on and off again; a wrong network is refused by name")
def operation(aws):
    iam, logs = aws.client("iam"), aws.client("logs")

    def of_type(kind):
        pages = aws.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
        found = [item for page in pages for item in page["StackResourceSummaries"]]
        return {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in found if item["ResourceType"] == kind}

    def traced():
        functions = aws.client("lambda").list_functions()["Functions"]
        return {found.get("TracingConfig", {}).get("Mode") for found in functions}

    def may_trace(role):
        policies = iam.list_role_policies(RoleName=role)["PolicyNames"]
        return "tracing" in policies

    stream = aws.client("firehose").describe_delivery_stream(
        DeliveryStreamName=of_type("AWS::KinesisFirehose::DeliveryStream")["FeedbackStream"])
    destination = stream["DeliveryStreamDescription"]["Destinations"][0]["ExtendedS3DestinationDescription"]
    group = destination["CloudWatchLoggingOptions"]["LogGroupName"]
    equal(logs.describe_log_streams(logGroupName=group)["logStreams"][0]["logStreamName"], "deliveries")
    role = of_type("AWS::IAM::Role")["ClassifyFunctionRole"]
    equal((traced(), may_trace(role)), ({"PassThrough"}, False))

    aws.update("AccessLogs=true", "CreateAccessLogRole=true", "Tracing=true", "KeepModelVersions=1")
    equal((traced(), may_trace(role)), ({"Active"}, True))
    assert "AccessLogGroup" in of_type("AWS::Logs::LogGroup")
    made = of_type("AWS::IAM::Role")["AccessLogRole"]
    [policy] = iam.list_attached_role_policies(RoleName=made)["AttachedPolicies"]
    equal(policy["PolicyName"], "AmazonAPIGatewayPushToCloudWatchLogs")
    loop(aws)
    said = aws.shell(aws.program("build"))
    never_served = [version for version in aws.versions() if version["outcome"] == "refused"]
    # Not within an hour: what was made just now may be about to serve.
    assert never_served and not any(version["deletedAt"] for version in never_served), (said, never_served)
    equal(aws.api("TextClassificationApiGatewayID", GOOD).status, 200)

    aws.update("AccessLogs=false", "CreateAccessLogRole=false", "Tracing=false", "KeepModelVersions=0")
    equal((traced(), may_trace(role)), ({"PassThrough"}, False))
    assert "AccessLogGroup" not in of_type("AWS::Logs::LogGroup")
    # It stays, since other APIs may log with it by then.
    iam.detach_role_policy(RoleName=made, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=made)

    said = aws.shell(f"infra/deploy.sh --skip-build --bucket {PACKAGES} --parameter AllowedReviewNetworks=300.0.0.0/8", code=1)
    assert "AllowedReviewNetworks" in said and "203.0.113.0/24" in said, said


@check("webhook, provider, networks, e-mail, masking and retention come with their parameters, and the loop goes on")
def features_around_the_loop(aws):
    aws.features = [features.seen(aws)]
    aws.features.append(features.around_the_loop(aws, aws.features[0], loop))


@check("Comprehend, a flywheel and a user pool take the place of the built-in classifier and of a provider")
def features_of_aws(aws):
    aws.features.append(features.services_of_aws(aws, aws.features[0], aws.features[-1]))


@check("a model on SageMaker and a flow definition of Amazon A2I take the place of the built-in services")
def features_elsewhere(aws):
    aws.features.append(features.services_elsewhere(aws, aws.features[-1]))


@check("with all of them off the stack is what it was, and the loop goes on; without retention no prediction is kept")
def features_off(aws):
    features.all_off(aws, aws.features[0])
    aws.outputs_once = aws.outputs()
    said = aws.shell(f"infra/deploy.sh --skip-build --bucket {PACKAGES} --reviewer ann")
    aws.cookie = sign_in(aws, re.search(r"Sign in +(\S+)", said).group(1))
    until("the model serves again", lambda: aws.api("TextClassificationApiGatewayID", GOOD).status == 200)
    equal(aws.api("TextClassificationApiGatewayID", GOOD).json["prediction"], "Sports", "prediction")
    features.without_predictions(aws)
    loop(aws)


@check("another origin takes effect with an update of the stack, and any origin again")
def allowed_origin(aws):
    def preflight(output):
        answer = http(aws.local(aws.outputs_once[output]), method="OPTIONS", origin="https://shop.example",
                      access_control_request_method="POST", access_control_request_headers="x-api-key")
        return answer.status, answer.headers["access-control-allow-origin"]

    for origin in ["https://shop.example", "https://other.example:8443", "*"]:
        aws.update(f"AllowedOrigin={origin}")
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
        loops = aws.text_of("ReviewS3Bucket", "human-review/loops/")
        inputs = loops + aws.text_of("ReviewS3Bucket", "human-review/inputs/")
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
    assert "eu-south-2 has no Lambda function URLs" in said and "SageMakerEndpointName" in said, said
    # With services elsewhere it goes on, here to a wrong network.
    for classifier in ["SageMakerEndpointName=news-bert", f"ComprehendEndpointArn={features.ENDPOINT}"]:
        said = aws.shell(f"infra/deploy.sh --skip-build --bucket {PACKAGES} --region eu-south-2 --parameter {classifier} "
                         f"--parameter HumanReviewWorkflowArn={features.FLOW} --parameter AllowedReviewNetworks=300.0.0.0/8", code=1)
        assert "no Lambda function URLs" not in said and "AllowedReviewNetworks" in said, said
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


def wrap(binary, functions=FUNCTIONS, template=ROOT / "infra/template.yaml"):
    """Puts the program where functions were not built, as a script that runs one of them."""
    for name in sorted(set(re.findall(r"Code: \.\./target/functions/(\S+)", template.read_text()))):
        bootstrap = functions / name / "bootstrap"
        if bootstrap.exists() and not bootstrap.read_bytes().startswith(b"#!"):
            continue
        bootstrap.parent.mkdir(parents=True, exist_ok=True)
        bootstrap.write_text(f'#!/bin/sh\nexec "{binary}" lambda {name}\n')
        bootstrap.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
        os.utime(bootstrap, (946_684_800, 946_684_800))


def main():
    binary, program, folder, *before = sys.argv[1:]
    shutil.rmtree(folder, ignore_errors=True)
    wrap(pathlib.Path(binary).resolve())
    aws = Emulator(binary, program, folder, *before)
    try:
        return stack.run_checks(aws)
    finally:
        aws.stop()


if __name__ == "__main__":
    sys.exit(main())
