"""Compares the function `batch-feedback` on a file of a million sentences with a Python handler, in one run.

    infra/build-functions.sh batch-feedback
    python3 -m venv /tmp/boto && /tmp/boto/bin/pip install boto3
    /tmp/boto/bin/python crates/batch-feedback/benches/million_sentences.py target/functions/batch-feedback/bootstrap

Both are processes that poll the same made-up Lambda Runtime API, read their file from the same made-up S3 and write to the
same made-up Firehose, in this process. The Python handler does what AWS's sample of this workflow does: it reads the file
whole and calls PutRecord for each sentence. What the fakes take counts in the rate, and not in the CPU time.

It ends with 1 where a million sentences are not worked off at 50 times the handler's rate, or take a fifth more memory than
a hundred thousand: a file of ten thousand is read before all batches are under way.

CPU time is that of all threads of a process (/proc/PID/task/*/schedstat), so Linux only.
"""

import base64
import json
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time
from http.server import ThreadingHTTPServer

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "classify" / "benches"))
from against_python import Function, Service  # noqa: E402

OURS = [10_000, 100_000, 1_000_000]
THEIRS = 20_000
# What must hold of the largest file: its rate beside the handler's, and its memory beside that of the one before.
LEAST_RATIO = 50
MOST_GROWTH = 1.2

HANDLER = '''
import http.client, json, os, boto3
s3, firehose = boto3.client("s3"), boto3.client("firehose")
def handle(event):
    uploaded = event["Records"][0]["s3"]
    file = s3.get_object(Bucket=uploaded["bucket"]["name"], Key=uploaded["object"]["key"])
    document = json.loads(file["Body"].read())
    for sentence in document["sentences"]:
        line = json.dumps({"utterance": sentence, "prediction": "CLASSIFY", "confidence": "NONE",
                           "classifier": document["classifier"]}) + "\\n"
        firehose.put_record(DeliveryStreamName=os.environ["FEEDBACK_STREAM_NAME"], Record={"Data": line})
    return {"statusCode": 200}
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    runtime.request("GET", "/2018-06-01/runtime/invocation/next")
    reply = runtime.getresponse()
    event = json.loads(reply.read())
    path = f"/2018-06-01/runtime/invocation/{reply.headers['Lambda-Runtime-Aws-Request-Id']}/response"
    runtime.request("POST", path, json.dumps(handle(event)))
    runtime.getresponse().read()
'''


class Services(Service):
    """The Runtime API, S3 with one file, and Firehose, which counts."""

    file = None
    report = {}
    taken = 0
    lock = threading.Lock()

    def do_GET(self):
        if not self.path.startswith("/batch/"):
            return super().do_GET()
        self.send_response(200)
        self.send_header("content-length", str(os.path.getsize(Services.file)))
        self.send_header("etag", '"1"')
        self.end_headers()
        if self.command != "HEAD":
            with open(Services.file, "rb") as file:
                shutil.copyfileobj(file, self.wfile, 1 << 16)
        self.wfile.flush()

    do_HEAD = do_GET

    def do_PUT(self):
        body = self.body()
        if "/batch-reports/" in self.path:
            Services.report = json.loads(body)
        self.say(200, b"", {"etag": '"1"'})

    def do_POST(self):
        target = self.headers.get("x-amz-target", "")
        if not target.startswith("Firehose"):
            return super().do_POST()
        body = self.body()
        count = body.count(b'"Data"')
        with Services.lock:
            Services.taken += count
        if target.endswith("PutRecordBatch"):
            answer = b'{"FailedPutCount":0,"RequestResponses":[' + b",".join([b'{"RecordId":"1"}'] * count) + b"]}"
        else:
            answer = b'{"RecordId": "1", "Encrypted": false}'
        self.say(200, answer, {"content-type": "application/x-amz-json-1.1"})


def sentence(number):
    """A sentence of some 100 characters, another for each number."""
    name = base64.b32encode(number.to_bytes(10, "big")).decode().lower()
    return f"The parliament voted on the border treaty with {name} after a long debate, as the minister had hoped."


def upload(path, count):
    with open(path, "w") as file:
        file.write('{"classifier": "news", "sentences": [')
        for number in range(count):
            file.write((", " if number else "") + json.dumps(sentence(number)))
        file.write("]}")


def event(path, count):
    uploaded = {"key": f"sentences-{count}.json", "size": os.path.getsize(path), "eTag": "1", "sequencer": "1"}
    record = {
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventTime": "2026-11-20T10:00:00.000Z",
        "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "batch"}, "object": uploaded},
    }
    return {"Records": [record]}


def run(command, address, path, count):
    """Returns wall time and CPU time in seconds, and the most memory in MiB, of a new process on a file."""
    upload(path, count)
    Services.file, Services.taken = path, 0
    Service.event = json.dumps(event(path, count)).encode()
    function = Function(command, address)
    cpu, begin = function.cpu(), time.monotonic()
    function.call()
    wall, cpu = time.monotonic() - begin, (function.cpu() - cpu) / 1e3
    peak = function.memory("VmHWM")
    function.end()
    if Services.taken != count:
        raise SystemExit(f"{Services.taken} of {count} sentences have come: {Service.reply}")
    return wall, cpu, peak


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Services)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # Functions end in the middle of a poll.
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    runs = [("Python and boto3", [sys.executable, "-c", HANDLER], THEIRS)]
    runs += [("batch-feedback", [os.path.abspath(sys.argv[1])], count) for count in OURS]

    print("| | sentences | seconds | sentences a second | ratio | CPU µs a sentence | ratio | most memory, MiB |")
    print("|---|---|---|---|---|---|---|---|")
    slow, ratio, peaks = None, 0, []
    with tempfile.TemporaryDirectory() as folder:
        for name, command, count in runs:
            wall, cpu, peak = run(command, address, os.path.join(folder, "sentences.json"), count)
            rate, each = count / wall, cpu / count * 1e6
            slow = slow or (rate, each)
            print(
                f"| {name} | {count:,} | {wall:.1f} | {rate:,.0f} | {rate / slow[0]:.0f} | {each:,.1f} | "
                f"1/{slow[1] / each:.0f} | {peak:.1f} |"
            )
            if name == "batch-feedback":
                ratio = rate / slow[0]
                peaks.append(peak)
            if name == "batch-feedback" and Services.report.get("accepted") != count:
                raise SystemExit(f"the report says otherwise: {Services.report}")
    if ratio < LEAST_RATIO:
        raise SystemExit(f"{OURS[-1]:,} sentences: {ratio:.0f} times the handler's rate, for a goal of {LEAST_RATIO}")
    if peaks[-1] > MOST_GROWTH * peaks[-2]:
        raise SystemExit(f"memory grows with the file: {peaks[-2]:.1f} MiB at {OURS[-2]:,}, {peaks[-1]:.1f} at {OURS[-1]:,}")


main()
