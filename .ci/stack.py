"""A real stack for the checks: starts the binary, waits until it is ready, ends it."""

import json
import os
import pathlib
import signal
import subprocess
import time
import traceback
import types
import urllib.error
import urllib.request

import boto3
import botocore.config
import botocore.exceptions

READY_SECONDS = 240
PATIENCE_SECONDS = 90
CHECKS = []


def check(name):
    """Registers a check; they run in the order of their definition."""

    def register(function):
        CHECKS.append((name, function))
        return function

    return register


def run_checks(*arguments):
    """Runs every registered check, prints a line for each, and returns the exit code."""
    failed = 0
    for name, function in CHECKS:
        begin = time.monotonic()
        try:
            function(*arguments)
        except Exception as error:  # One failed check says nothing of the others.
            failed += 1
            reason = str(error) if isinstance(error, AssertionError) and str(error) else traceback.format_exc()
            print(f"FAIL  {name}\n      {reason}", flush=True)
        else:
            print(f"ok    {name} ({time.monotonic() - begin:.1f} s)", flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


def equal(got, expected, what="value"):
    """Asserts with a message that shows both sides."""
    assert got == expected, f"{what}: got {got!r}, expected {expected!r}"


def refused(code, status, call, **arguments):
    """Asserts that an SDK call is refused with this code and HTTP status; returns the message."""
    try:
        answer = call(**arguments)
    except botocore.exceptions.ClientError as error:
        answer = error.response
        got = answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]
        assert got == (code, status), f"got {got}: {answer['Error'].get('Message')}; expected {(code, status)}"
        return answer["Error"].get("Message", "")
    raise AssertionError(f"got {answer}, expected {code} {status}")


def until(what, look, seconds=PATIENCE_SECONDS):
    """Looks again and again until there is something to return; asserts that it comes in time."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"waited {seconds} s in vain for {what}"
        time.sleep(0.2)


def http(url, body=None, method=None, **headers):
    """Sends a request without a library of AWS; follows no redirect. Underscores in header names are hyphens."""
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method or ("GET" if data is None else "POST"))
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with OPENER.open(request, timeout=60) as response:
            status, answer, content = response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        status, answer, content = error.code, error.headers, error.read()
    text = content.decode("utf-8", "replace")
    parsed = json.loads(text) if text.startswith("{") else None
    return types.SimpleNamespace(status=status, headers=answer, text=text, json=parsed)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


class Stack:
    """One state folder; the process on it may be started, killed and started again."""

    def __init__(self, binary, state_dir, **parameters):
        self.binary, self.state_dir, self.parameters = binary, pathlib.Path(state_dir), parameters
        self.process = None

    def command(self, **parameters):
        given = {**self.parameters, **parameters}
        options = [word for item in given.items() for word in ("--param", "=".join(map(str, item)))]
        return [self.binary, "--port", "0", "--state-dir", str(self.state_dir), *options]

    def start(self, **parameters):
        """Starts the process and waits until it says that it is ready."""
        outputs_file = self.state_dir / "outputs.json"
        outputs_file.unlink(missing_ok=True)
        self.state_dir.parent.mkdir(parents=True, exist_ok=True)
        log_file = self.state_dir.with_name(self.state_dir.name + ".log")
        with open(log_file, "ab") as log:
            self.process = subprocess.Popen(self.command(**parameters), stdout=log, stderr=log)

        def ready():
            code = self.process.poll()
            assert code is None, f"the stack ended with {code}: {log_file.read_text()[-2000:]}"
            return outputs_file.exists()

        until("outputs.json of the stack", ready, READY_SECONDS)
        document = json.loads(outputs_file.read_text())
        self.endpoint_url, self.api_key = document["endpointUrl"], document["apiKeyValue"]
        self.portal_url, self.sign_in_url = document["portalUrl"], document["signInUrl"]
        self.outputs = document["outputs"]
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def kill(self):
        """Ends the process as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Asks the process to end, as Ctrl-C does, and returns its exit code."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process and self.process.returncode

    def client(self, service, secret="test", key="test", **config):
        """Returns a boto3 client of the user who has all rights; refusals are shown, not retried."""
        config = botocore.config.Config(retries={"total_max_attempts": 1}, **config)
        return boto3.client(
            service, endpoint_url=self.endpoint_url, region_name="us-east-1", config=config,
            aws_access_key_id=key, aws_secret_access_key=secret,
        )

    def cli(self, *arguments):
        """Runs the AWS CLI and returns its JSON output, or the text where it prints none."""
        environment = {
            **os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_PAGER": "", "AWS_DEFAULT_OUTPUT": "json",
        }
        command = ["aws", "--endpoint-url", self.endpoint_url, *arguments]
        run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
        assert run.returncode == 0, f"aws {' '.join(arguments)}: {run.stderr}"
        return json.loads(run.stdout) if run.stdout.startswith("{") else run.stdout

    def command_output(self, *arguments):
        """Runs a command of the binary against this stack and returns what it printed."""
        command = [self.binary, "--state-dir", str(self.state_dir), *arguments]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert run.returncode == 0, f"{' '.join(arguments)}: {run.stderr}"
        return run.stdout

    def api(self, name, body, key=None, **more):
        """Posts to one of the two APIs: "classify" or "feedback"."""
        outputs = {"classify": "TextClassificationApiGatewayID", "feedback": "FeedbackAPIGatewayID"}
        headers = {"x_api_key": self.api_key if key is None else key, "content_type": "application/json"}
        return http(self.outputs[outputs[name]], body, **{**headers, **more})

    def objects(self, output, prefix=""):
        """Returns key and content of every object in the bucket that an output names."""
        s3, bucket = self.client("s3"), self.outputs[output]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        contents = {}
        for key in keys:
            try:
                contents[key] = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            except s3.exceptions.NoSuchKey:  # Deleted since it was listed.
                pass
        return contents

    def review_items(self):
        """Returns (human loop's name, record) for every item that is or was in review."""
        loops = [json.loads(state) for state in self.objects("ReviewS3Bucket", "human-review/loops/").values()]
        inputs = self.objects("ReviewS3Bucket", "human-review/inputs/")
        # The state of a loop holds its input where that is small.
        contents = {
            loop["name"]: loop.get("input") or json.loads(inputs.get(f"human-review/inputs/{loop['id']}.json", b"{}"))
            for loop in loops
        }
        return [
            (name, record)
            for name, content in contents.items()
            for record in content.get("comprehendPredictions", [])
        ]

    def wait_for_review(self, utterances):
        """Waits until each text is in review and returns how often each is."""

        def counts():
            texts = [record["utterance"] for _, record in self.review_items()]
            missing = [text for text in utterances if text not in texts]
            return None if missing else {text: texts.count(text) for text in utterances}

        return until(f"review of {len(utterances)} texts, such as {next(iter(utterances))!r}", counts)
