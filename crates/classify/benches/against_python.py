"""Compares the function `classify` with a Python handler of the same service calls, in one run.

    infra/build-functions.sh classify
    python3 -m venv /tmp/boto && /tmp/boto/bin/pip install boto3
    /tmp/boto/bin/python crates/classify/benches/against_python.py target/functions/classify/bootstrap

Both are processes that poll the same made-up Lambda Runtime API and call the same made-up Comprehend, Firehose and S3 in this
process. The Python handler does what AWS's sample of this workflow does: ClassifyDocument, PutRecord where the confidence is
low, an answer. `classify` does more: it looks whether the text was asked before or was erased, and reads the label set. By
default it keeps predictions too, which is measured by itself: NAME=VALUE behind the path sets variables of both.

CPU time is that of all threads of a process (/proc/PID/task/*/schedstat), so Linux only. Medians.
"""

import io
import json
import os
import statistics
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STARTS = 15
WARM_UP, CALLS, ROUNDS = 100, 300, 5

HANDLER = '''
import http.client, json, os, boto3
comprehend, firehose = boto3.client("comprehend"), boto3.client("firehose")
def handle(event):
    body = json.loads(event["body"])
    reply = comprehend.classify_document(Text=body["sentence"], EndpointArn=os.environ["COMPREHEND_ENDPOINT_ARN"])
    best = max(reply["Classes"], key=lambda one: one["Score"])
    answer = {"utterance": body["sentence"], "prediction": best["Name"], "confidence": best["Score"],
              "classifier": body.get("classifier", "")}
    if best["Score"] < float(os.environ["CONFIDENCE_THRESHOLD"]):
        line = json.dumps(answer) + "\\n"
        firehose.put_record(DeliveryStreamName=os.environ["FEEDBACK_STREAM_NAME"], Record={"Data": line})
    return {"statusCode": 200, "body": json.dumps(answer)}
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    runtime.request("GET", "/2018-06-01/runtime/invocation/next")
    reply = runtime.getresponse()
    event = json.loads(reply.read())
    path = f"/2018-06-01/runtime/invocation/{reply.headers['Lambda-Runtime-Aws-Request-Id']}/response"
    runtime.request("POST", path, json.dumps(handle(event)))
    runtime.getresponse().read()
'''

# Every stack with a model has one.
LABEL_SET = json.dumps({
    "schemaVersion": 1, "version": 1, "origin": "parameter", "updatedAt": "2026-11-01T00:00:00.000Z",
    "labels": [{"name": name} for name in ["World", "Sports", "Business", "SciTech"]],
}).encode()


class Service(BaseHTTPRequestHandler):
    """The Runtime API, and as much of AWS as the functions ask for."""

    protocol_version = "HTTP/1.1"
    # An answer goes out in one piece, also the 8.5 kB for a full PutRecordBatch: else each call waits for the acknowledgement
    # of its first piece.
    wbufsize = 1 << 16
    polled = threading.Semaphore(0)
    wanted = threading.Semaphore(0)
    answered = threading.Semaphore(0)
    event = b""
    score = 0.9
    reply = {}
    # Requests to services, not to the Runtime API.
    requests = 0

    def parse_request(self):
        is_one = super().parse_request()
        if is_one and "/invocation/" not in self.path:
            Service.requests += 1
        return is_one

    def do_GET(self):
        if self.path.endswith("/invocation/next"):
            Service.polled.release()
            Service.wanted.acquire()
            headers = {
                "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                "Lambda-Runtime-Deadline-Ms": "9999999999999",
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:classify",
            }
            return self.say(200, Service.event, headers)
        if "label-set.json" in self.path:
            return self.say(200, LABEL_SET, {"content-type": "application/json", "etag": '"1"'})
        missing = b"<Error><Code>NoSuchKey</Code><Message>No such key.</Message></Error>"
        self.say(404, missing, {"content-type": "application/xml"})

    do_HEAD = do_GET

    def do_PUT(self):
        self.body()
        self.say(200, b"", {"etag": '"1"'})

    def do_POST(self):
        body = self.body()
        target = self.headers.get("x-amz-target", "")
        if "/invocation/" in self.path:
            Service.reply = json.loads(body)
            self.say(202, b"{}")
            Service.answered.release()
        elif target.endswith("ClassifyDocument"):
            rest = round((1 - Service.score) / 3, 6)
            names = [("World", Service.score), ("Sports", rest), ("Business", rest), ("SciTech", rest)]
            classes = [{"Name": name, "Score": score} for name, score in names]
            self.say(200, json.dumps({"Classes": classes}).encode(), {"content-type": "application/x-amz-json-1.1"})
        elif target.endswith("PutRecord"):
            self.say(200, b'{"RecordId": "1", "Encrypted": false}', {"content-type": "application/x-amz-json-1.1"})
        else:
            self.say(400, json.dumps({"__type": "UnknownOperationException"}).encode())

    def body(self):
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def say(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        pass


class Function:
    """A process that polls; it has polled once when this is made."""

    def __init__(self, command, address):
        env = {
            "PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": address, "AWS_ENDPOINT_URL": f"http://{address}",
            "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test", "AWS_LAMBDA_FUNCTION_NAME": "classify",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_STREAM_NAME": "log", "AWS_LAMBDA_LOG_GROUP_NAME": "log",
            "COMPREHEND_ENDPOINT_ARN": "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/news",
        } | template_environment()
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
        if not Service.polled.acquire(timeout=60):
            raise SystemExit(f"{command[0]} does not poll: does it lack a variable of its environment?")

    def cpu(self):
        """Returns CPU time so far, in ms."""
        threads = f"/proc/{self.process.pid}/task"
        times = [open(f"{threads}/{thread}/schedstat").read().split()[0] for thread in os.listdir(threads)]
        return sum(map(int, times)) / 1e6

    def memory(self, which="VmRSS"):
        """Returns resident memory, in MiB; `VmHWM` is the most that there was."""
        status = open(f"/proc/{self.process.pid}/status").read()
        return int(status.split(f"{which}:")[1].split()[0]) / 1024

    def call(self):
        Service.wanted.release()
        Service.answered.acquire()
        Service.polled.acquire()

    def calls(self, score):
        """Returns CPU ms of a call whose prediction has this confidence, and how many requests it makes."""
        Service.score = score
        each = []
        requests = []
        number = 0
        for round_ in range(ROUNDS + 1):
            count = CALLS if round_ else WARM_UP
            before = self.cpu()
            asked = Service.requests
            for _ in range(count):
                number += 1
                body = json.dumps({"sentence": f"The parliament voted on the border treaty, number {number}."})
                Service.event = json.dumps(event(body)).encode()
                self.call()
            each.append((self.cpu() - before) / count)
            requests.append((Service.requests - asked) / count)
        if Service.reply.get("statusCode") != 200 or '"World"' not in Service.reply["body"]:
            raise SystemExit(f"not the answer that was wanted: {Service.reply}")
        return statistics.median(each[1:]), round(statistics.median(requests[1:]))

    def end(self):
        self.process.kill()
        self.process.wait()
        # Its last poll is answered to nobody.
        Service.wanted.release()


def template_environment():
    """Variables of `classify` as the template sets them by default, but that nothing is sampled and no prediction kept."""
    return {
        "CLASSIFIER_URL": "", "FEEDBACK_STREAM_NAME": "feedback", "FEEDBACK_BUCKET_NAME": "feedback", "TRAINING_BUCKET_NAME": "training",
        "CONFIDENCE_THRESHOLD": "0.5", "MARGIN_THRESHOLD": "0", "AUDIT_SAMPLE_RATE": "0", "BEFORE_FIRST_MODEL": "label",
        "AUTOMATED_LABELLING_ACCURACY": "0", "DEFAULT_CLASSIFIER_NAME": "news", "PREDICTION_RETENTION_DAYS": "0",
        "SAGEMAKER_ENDPOINT_ARN": "", "SAGEMAKER_CONTENT_TYPE": "application/json", "SAGEMAKER_REQUEST_TEMPLATE": '{"inputs": {{text}}}',
        "SAGEMAKER_LABEL_PATH": "", "SAGEMAKER_SCORE_PATH": "", "SEVERAL_LABELS": "false", "PERSONAL_DATA": "keep", "LANGUAGE_CODE": "en",
        "ALLOWED_ORIGIN": "*", "CLAIM_RETENTION_DAYS": "90", "REVIEW_BUDGET_PER_DAY": "0", "POOL_TEXTS_IN_REVIEW": "200",
    } | dict(pair.split("=", 1) for pair in sys.argv[2:])


def event(body):
    """An event of API Gateway, as both take it."""
    return {
        "resource": "/classify", "path": "/classify", "httpMethod": "POST",
        "headers": {"content-type": "application/json", "host": "api"}, "multiValueHeaders": {},
        "queryStringParameters": None, "multiValueQueryStringParameters": None, "pathParameters": None,
        "stageVariables": None, "body": body, "isBase64Encoded": False,
        "requestContext": {"resourceId": "1", "resourcePath": "/classify", "httpMethod": "POST", "path": "/dev/classify",
                           "accountId": "123456789012", "stage": "dev", "requestId": "1", "identity": {"sourceIp": "127.0.0.1"},
                           "apiId": "api", "protocol": "HTTP/1.1"},
    }


def zipped(path):
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(path, "bootstrap")
    return len(package.getvalue()) / 1e6


def main():
    bootstrap = sys.argv[1]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # Functions end in the middle of a poll.
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    commands = {"classify": [os.path.abspath(bootstrap)], "Python and boto3": [sys.executable, "-c", HANDLER]}

    rows = {name: [] for name in commands}
    requests = {name: [] for name in commands}
    starts = {name: [] for name in commands}
    for _ in range(STARTS):
        for name, command in commands.items():
            function = Function(command, address)
            starts[name].append(function.cpu())
            function.end()
    for name, command in commands.items():
        rows[name].append(statistics.median(starts[name]))
        function = Function(command, address)
        for score in [0.9, 0.4]:
            cpu, count = function.calls(score)
            rows[name].append(cpu)
            requests[name].append(count)
        rows[name].append(function.memory())
        function.end()

    ours, theirs = rows.values()
    print(f"| | {' | '.join(rows)} | ratio |\n|---|---|---|---|")
    names = ["start to first poll, CPU ms", "confident call, CPU ms", "doubtful call, CPU ms", "memory after, MiB"]
    for what, our, their in zip(names, ours, theirs):
        print(f"| {what} | {our:.2f} | {their:.2f} | 1/{their / our:.1f} |")
    for what, our, their in zip(["confident call, requests", "doubtful call, requests"], *requests.values()):
        print(f"| {what} | {our} | {their} | |")
    print(f"| package, MB | {zipped(bootstrap):.1f} | of the runtime | |")


if __name__ == "__main__":
    main()
