"""A model behind an endpoint of SageMaker, which on this machine is any HTTP server."""

import contextlib
import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from stack import Stack, check, equal, refused

CLASSES = {"cup": "Sports", "merger": "Business"}


class Container(BaseHTTPRequestHandler):
    """Answers as a Hugging Face container does; a text that says so makes it fail."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.taken.append((self.path, self.headers["content-type"], self.headers["accept"], body))
        text = json.loads(body)["inputs"]
        label = next((label for word, label in CLASSES.items() if word in text), None)
        scores = [{"label": label or "World", "score": 0.97 if label else 0.31}, {"label": "SciTech", "score": 0.02}]
        self.send_response(500 if "broken" in text else 200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(scores).encode())

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def container():
    server = HTTPServer(("127.0.0.1", 0), Container)
    server.taken = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Hosted(Stack):
    """A stack with servers behind endpoints."""

    def __init__(self, binary, state_dir, endpoints, **parameters):
        super().__init__(binary, state_dir, **parameters)
        self.endpoints = endpoints

    def command(self, **parameters):
        return [*super().command(**parameters), *(f"--endpoint={name}={url}" for name, url in self.endpoints.items())]


@check("SageMaker: --endpoint puts any HTTP server behind invoke_endpoint and behind classify, as the guide says")
def hosted_model(stack):
    state = f"{stack.state_dir}-hosted"
    with container() as (server, url), Hosted(stack.binary, state, {"news-bert": url}, FeedbackBufferSeconds=1) as own:
        equal(own.outputs["SageMakerEndpointArnInUse"], "arn:aws:sagemaker:us-east-1:000000000000:endpoint/news-bert")
        invoke = own.client("sagemaker-runtime").invoke_endpoint
        sent = json.dumps({"inputs": "A cup final"}).encode()
        answer = invoke(EndpointName="news-bert", Body=sent, ContentType="application/json", Accept="application/json")
        equal((answer["ContentType"], answer["InvokedProductionVariant"]), ("application/json", "AllTraffic"))
        equal(json.loads(answer["Body"].read())[0], {"label": "Sports", "score": 0.97})
        equal(server.taken[-1], ("/invocations", "application/json", "application/json", sent), "what the server took")
        refused("ModelError", 424, invoke, EndpointName="news-bert", Body=json.dumps({"inputs": "broken"}).encode())
        refused("ValidationError", 400, invoke, EndpointName="another", Body=sent)

        answer = own.api("classify", {"classifier": "news", "sentence": "The merger of two banks"})
        equal((answer.status, answer.json["prediction"], answer.json["review"]), (200, "Business", None), answer.text)
        equal(json.loads(server.taken[-1][3]), {"inputs": "The merger of two banks"}, "what classify sends")
        doubtful = "Nothing that the model knows"
        equal(own.api("classify", {"classifier": "news", "sentence": doubtful}).json["review"]["reason"], "low-confidence")
        equal(own.wait_for_review([doubtful]), {doubtful: 1})
        failed = own.api("classify", {"classifier": "news", "sentence": "A broken text"})
        equal((failed.status, failed.json["code"]), (502, "model_failed"), failed.text)

    # Nothing listens there any more.
    with Hosted(stack.binary, state, {"news-bert": url, "other": url}, FeedbackBufferSeconds=1,
                SageMakerEndpointName="news-bert") as own:
        failed = own.api("classify", {"classifier": "news", "sentence": "The cup of another day"})
        equal((failed.status, failed.json["code"]), (502, "model_failed"), failed.text)
    two = Hosted(stack.binary, f"{state}-two", {"one": url, "two": url})
    said = subprocess.run(two.command(), capture_output=True, text=True, timeout=60)
    assert said.returncode != 0 and "SageMakerEndpointName=one" in said.stderr, (said.returncode, said.stderr)
