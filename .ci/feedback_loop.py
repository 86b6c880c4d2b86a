"""What users of the stack see: both HTTP APIs, batch files, deliveries repeated, crashes."""

import concurrent.futures
import gzip
import itertools
import json
import subprocess
import threading
import time
import urllib.parse

from stack import Stack, check, equal, http, refused, until

PROBLEM = "application/problem+json"


def delivered(stack):
    """Returns the feedback records that lie in the feedback bucket, all objects together."""
    contents = stack.objects("FeedbackS3Bucket", "feedback/").values()
    lines = [line for content in contents for line in unzipped(content).decode().splitlines()]
    return [json.loads(line) for line in lines]


def unzipped(content):
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


@check("classify: a prediction, and a review where it is doubtful")
def classify(stack):
    sentence = "The striker scored twice in the cup final."
    answer = stack.api("classify", {"classifier": "news", "sentence": sentence})
    equal(answer.status, 200, answer.text)
    equal(answer.headers["content-type"], "application/json")
    equal([answer.json[name] for name in ("utterance", "prediction", "classifier")], [sentence, "Sports", "news"])
    assert 0.7 < answer.json["confidence"] <= 1 and answer.json["review"] is None, answer.text
    assert answer.json["predictionId"] and answer.json["classes"][0]["name"] == "Sports", answer.text

    doubtful = "lorem ipsum dolor"
    answer = stack.api("classify", {"classifier": "news", "sentence": doubtful})
    assert answer.json["confidence"] <= 0.7, f"no doubt about nonsense: {answer.text}"
    equal((answer.json["review"]["reason"], answer.json["review"]["queued"]), ("low-confidence", True))
    equal(stack.wait_for_review([doubtful]), {doubtful: 1})
    equal(stack.api("classify", {"classifier": "news", "sentence": "ä" * 5_000}).status, 200, "10,000 bytes")


@check("feedback: like, dislike and correction")
def feedback(stack):
    liked, disliked, corrected = "A text that is liked", "A text <b>that</b> is not", "A text that is corrected"
    for body, opinion, review in [
        ({"sentence": liked, "feedback": "like", "prediction": "World", "confidence": 0.9}, "like", True),
        ({"sentence": disliked}, "dislike", True),
        ({"sentence": corrected, "prediction": "World", "label": "Business", "user": "u-1"}, "dislike", True),
    ]:
        answer = stack.api("feedback", {"classifier": "news", **body})
        equal((answer.status, answer.json and answer.json["feedback"]), (200, opinion), answer.text)
    equal(stack.wait_for_review([disliked, corrected]), {disliked: 1, corrected: 1})
    until("the like in the feedback bucket", lambda: liked in [record["utterance"] for record in delivered(stack)])
    assert liked not in [record["utterance"] for _, record in stack.review_items()], "a like is reviewed"
    [record] = [record for _, record in stack.review_items() if record["utterance"] == corrected]
    equal((record["suggestedLabel"], record["prediction"], record["source"]), ("Business", "World", "explicit-api"))


@check("both APIs: 400, 413 and 403 with their bodies")
def refusals(stack):
    for api in ["classify", "feedback"]:
        for body in [b"", b"{", b"[]", b'"text"', {"classifier": "news"}, {"Sentence": "text"},
                     {"classifier": "news", "sentence": "  \n"}, {"classifier": "", "sentence": "\u200b"},
                     {"classifier": "news", "sentence": 1}, b'{"classifier":"news","sentence":"\xff"}']:
            answer = stack.api(api, body, method="POST")
            got = answer.status, answer.headers["content-type"], answer.json and answer.json["code"]
            equal(got, (400, PROBLEM, "invalid_request"), f"{api} {body!r}")
        for text in ["x" * 10_001, "ä" * 5_001, "🙂" * 2_501]:
            answer = stack.api(api, {"classifier": "news", "sentence": text})
            equal((answer.status, answer.json and answer.json["code"]), (413, "text_too_long"), f"{api} too long")
        good = {"classifier": "news", "sentence": "A text"}
        for key in ["", "wrong", stack.api_key + "x"]:
            answer = stack.api(api, good, key=key)
            got = answer.status, answer.json, answer.headers["x-amzn-errortype"]
            equal(got, (403, {"message": "Forbidden"}, "ForbiddenException"), f"{api} with key {key!r}")
            equal(answer.headers["access-control-allow-origin"], "*", "CORS header of a refusal")
        equal(stack.api(api, {"sentence": "A text for the default classifier"}).status, 200, "no classifier")
    refused_feedback = stack.api("feedback", {"classifier": "news", "sentence": "A text", "feedback": "hate"})
    equal((refused_feedback.status, refused_feedback.json["code"]), (400, "invalid_request"))


@check("both APIs: unknown routes, and CORS preflight without a key")
def routes(stack):
    for output in ["TextClassificationApiGatewayID", "FeedbackAPIGatewayID"]:
        url = stack.outputs[output]
        missing = {"message": "Missing Authentication Token"}
        for answer in [http(url + "/more", {}), http(url), http(url.rsplit("/", 1)[0] + "/nothing")]:
            equal((answer.status, answer.json), (403, missing))
        equal(http(url.replace("/dev/", "/prod/"), {}).status, 403, "status of an unknown stage")
        preflight = http(
            url, method="OPTIONS", origin="https://shop.example", access_control_request_method="POST",
            access_control_request_headers="content-type,x-api-key")
        assert preflight.status in (200, 204), f"{preflight.status} {preflight.text}"
        equal(preflight.headers["access-control-allow-origin"], "*")
        assert "x-api-key" in preflight.headers["access-control-allow-headers"]
        assert "POST" in preflight.headers["access-control-allow-methods"]


@check("predictions: nothing without the key, 304 as long as nothing has changed, CORS preflight without a key")
def predictions(stack):
    asked = stack.api("classify", {"classifier": "news", "sentence": "lorem ipsum dolor sit"}).json["predictionId"]
    url = f"{stack.outputs['PredictionsApiUrl']}/{asked}"
    for key in [{}, {"x_api_key": ""}, {"x_api_key": "wrong"}, {"x_api_key": stack.api_key + "x"}]:
        answer = http(url, **key)
        got = answer.status, answer.json, answer.headers["x-amzn-errortype"]
        equal(got, (403, {"message": "Forbidden"}, "ForbiddenException"), f"with {key or 'no key'}")
        equal(answer.headers["access-control-allow-origin"], "*", "CORS header of a refusal")

    with_key = {"x_api_key": stack.api_key, "origin": "https://shop.example"}
    found = http(url, **with_key)
    equal((found.status, found.json["predictionId"], found.json["status"]), (200, asked, "in-review"), found.text)
    etag = found.headers["etag"]
    equal((found.headers["access-control-allow-origin"], "ETag" in found.headers["access-control-expose-headers"]), ("*", True))
    for known in [etag, f"W/{etag}", f'"another", {etag}']:
        same = http(url, **with_key, if_none_match=known)
        equal((same.status, same.text, same.headers["etag"]), (304, "", etag), f"with If-None-Match: {known}")
    equal(http(url, **with_key, if_none_match='"another"').status, 200, "with the tag of another answer")
    equal(http(url, if_none_match=etag).status, 403, "304 is for who has the key")
    unknown = http(f"{url}-x", **with_key)
    equal((unknown.status, unknown.headers["content-type"], unknown.json["code"]), (404, PROBLEM, "unknown_prediction"))

    preflight = http(url, method="OPTIONS", origin="https://shop.example", access_control_request_method="GET",
                     access_control_request_headers="x-api-key,if-none-match")
    assert preflight.status in (200, 204), f"{preflight.status} {preflight.text}"
    allowed = {name: preflight.headers[f"access-control-allow-{name}"] for name in ("origin", "methods", "headers")}
    equal((allowed["origin"], "GET" in allowed["methods"], {"x-api-key", "if-none-match"} <= set(allowed["headers"].split(","))),
          ("*", True, True), f"what the preflight allows: {allowed}")


BATCH = {
    "sentences 1.json": json.dumps({"classifier": "news", "sentences": [
        "Batch JSON one", "Batch JSON two", {"sentence": "Batch JSON three", "label": "World"}, " ", 7]}).encode(),
    "lines+ümlaut.jsonl.gz": gzip.compress(b"\r\n".join([
        b'\xef\xbb\xbf{"classifier":"news","sentence":"Batch line one"}', b"no JSON", b"",
        '{"classifier":"news","sentence":"Batch line twö 🙂"}'.encode(),
        b'{"classifier":"news","sentence":"Batch line one"}',
        b'{"classifier":"news","sentence":"Batch line liked","feedback":"like"}'])),
    "rows.csv": 'classifier,sentence,label\r\nnews,"Batch ""row"", one",World\r\nnews,"Batch row\ntwo",\r\nnews\r\n'.encode(),
}
BATCH_TEXTS = [
    "Batch JSON one", "Batch JSON two", "Batch JSON three", "Batch line one", "Batch line twö 🙂",
    'Batch "row", one', "Batch row\ntwo"]
BATCH_REPORTS = {  # accepted, rejected, duplicates
    "sentences 1.json": (3, 2, 0), "lines+ümlaut.jsonl.gz": (3, 1, 1), "rows.csv": (2, 1, 0)}


@check("batch files in each format: report, rejected lines, delivery and review")
def batch_files(stack):
    s3 = stack.client("s3")
    for name, content in BATCH.items():
        s3.put_object(Bucket=stack.outputs["BatchUploadS3Bucket"], Key=f"check/{name}", Body=content)

    def reports():
        found = [json.loads(content) for content in stack.objects("FeedbackS3Bucket", "batch-reports/").values()]
        return found if len(found) == len(BATCH) else None

    counts = {
        report["key"].split("/")[-1]: tuple(report[name] for name in ("accepted", "rejected", "duplicates"))
        for report in until("a report on each batch file", reports)}
    equal(counts, BATCH_REPORTS, "accepted, rejected, duplicates")
    equal(set(stack.wait_for_review(BATCH_TEXTS).values()), {1}, "human loops for each text")
    rejected = stack.objects("FeedbackS3Bucket", "rejected/").values()
    lines = [json.loads(line) for content in rejected for line in content.decode().splitlines()]
    equal(len(lines), 4, "rejected lines")
    assert all(line["line"] > 0 and line["reason"] for line in lines), lines
    equal([line["line"] for line in lines if line["raw"] == "no JSON"], [2], "line number of the damaged line")
    until("the like of the batch", lambda: "Batch line liked" in [record["utterance"] for record in delivered(stack)])
    texts = [record["utterance"] for record in delivered(stack) if record.get("source") == "explicit-batch"]
    equal(sorted(texts), sorted([*BATCH_TEXTS, "Batch line liked"]), "delivered texts")


@check("the same event three times, and the same file again, start one set of human loops")
def same_event_thrice(stack):
    s3, bucket = stack.client("s3"), stack.outputs["FeedbackS3Bucket"]
    before = stack.review_items()
    files = {"BatchUploadS3Bucket": [f"check/{name}" for name in BATCH]}
    files["FeedbackS3Bucket"] = list(stack.objects("FeedbackS3Bucket", "feedback/"))
    for output, keys in files.items():
        for key in keys * 3:
            source = {"Bucket": stack.outputs[output], "Key": key}
            s3.copy_object(**source, CopySource=source, MetadataDirective="REPLACE", Metadata={"again": "yes"})
    for name, content in BATCH.items():
        s3.put_object(Bucket=stack.outputs["BatchUploadS3Bucket"], Key=f"another folder/{name}", Body=content)
    # Comes after all of them; once it is in review, they have been looked at.
    last = f"The last text, {time.time_ns()}"
    equal(stack.api("feedback", {"classifier": "news", "sentence": last}).status, 200)
    stack.wait_for_review([last])
    known = lambda items: sorted((name, record["id"]) for name, record in items if record["utterance"] != last)
    equal(known(stack.review_items()), known(before), "review items")


@check("a state folder in use is refused")
def second_start(stack):
    second = subprocess.run(stack.command(), capture_output=True, text=True, timeout=60)
    assert second.returncode not in (0, None), f"it ended with {second.returncode}"
    assert "in use" in second.stderr, second.stderr
    equal(http(f"{stack.endpoint_url}/_aws/health").status, 200, "health of the first stack")


@check("kill -9 loses nothing that was acknowledged, and nothing comes twice")
def crash(stack):
    killed = Stack(stack.binary, f"{stack.state_dir}-killed", FeedbackBufferSeconds=1, PoolTextsInReview=0,
                   UsagePlanMonthlyQuota=100_000)
    opened = ["Opened before the crash", "Waiting before the crash"]
    acknowledged = list(opened)
    with killed:
        for text in opened:
            equal(killed.api("feedback", {"classifier": "news", "sentence": text}).status, 200)
        killed.wait_for_review(opened)
        cookie = sign_in(killed)
        task = http(killed.portal_url.rstrip("/") + "/next", cookie=cookie).headers["location"]
        assert task.startswith("task?loop="), task
    # In the buffer, on the way out of it, and between the functions.
    for buffer_seconds in [30, 1, 0]:
        killed.start(FeedbackBufferSeconds=buffer_seconds)
        acknowledged += post_until_killed(killed, f"Buffer {buffer_seconds}")
    with killed:
        counts = killed.wait_for_review(acknowledged)
        equal({text: count for text, count in counts.items() if count != 1}, {}, "texts in review other than once")
        ids = [record["id"] for _, record in killed.review_items()]
        equal(len(ids), len(set(ids)), "items in review")
        page = http(f"{killed.portal_url.rstrip('/')}/{task}", cookie=cookie)
        equal(page.status, 200, "status of the task that was open before the crash")


def sign_in(stack):
    """Uses the stack's first sign-in link and returns the session's cookie."""
    token = urllib.parse.parse_qs(urllib.parse.urlsplit(stack.sign_in_url).query)["token"][0]
    form = urllib.parse.urlencode({"token": token}).encode()
    answer = http(stack.sign_in_url.split("?")[0], form, content_type="application/x-www-form-urlencoded")
    return answer.headers["set-cookie"].split(";")[0]


def post_until_killed(stack, name):
    """Sends feedback in posts and files, kills the stack meanwhile, and returns the acknowledged texts."""
    acknowledged, enough = [], threading.Event()

    def post(client):
        for number in range(1_000):
            text = f"{name} {client}-{number}"
            try:
                answer = stack.api("feedback", {"classifier": "news", "sentence": text})
            except OSError:  # Killed: whether this one was stored is open.
                return
            equal(answer.status, 200, answer.text)
            acknowledged.append(text)
            if len(acknowledged) >= 60:
                enough.set()

    lines = [f"{name} line {line}" for line in range(300)]
    file = "\n".join(json.dumps({"classifier": "news", "sentence": line}) for line in lines)
    s3, batch = stack.client("s3"), {"Bucket": stack.outputs["BatchUploadS3Bucket"]}
    s3.put_object(**batch, Key=f"{name}/early.jsonl", Body=file)
    with concurrent.futures.ThreadPoolExecutor(4) as clients:
        posts = [clients.submit(post, client) for client in range(4)]
        came = enough.wait(60)
        s3.put_object(**batch, Key=f"{name}/late.jsonl", Body=file.replace("line", "late line"))
        stack.kill()
        for finished in posts:
            finished.result()
    assert came, f"only {len(acknowledged)} posts in 60 s"
    return [*acknowledged, *lines, *(line.replace("line", "late line") for line in lines)]


@check("usage plan: 429 after the last request of the month, also after a restart")
def usage_plan(stack):
    limited = Stack(stack.binary, f"{stack.state_dir}-limited", UsagePlanMonthlyQuota=3)
    good = {"classifier": "news", "sentence": "A text"}
    with limited:
        statuses = [limited.api(api, good).status for api in ("classify", "feedback", "classify")]
        equal(statuses, [200, 200, 200], "statuses within the quota")
        for api in ["classify", "feedback"]:
            answer = limited.api(api, good)
            got = answer.status, answer.json, answer.headers["x-amzn-errortype"]
            equal(got, (429, {"message": "Limit Exceeded"}, "LimitExceededException"))
    with limited:
        equal(limited.api("classify", good).status, 429, "status after a restart")
        fill_queue(limited)
    # A process trusts its count of the human loops for minutes; a new one counts anew.
    with limited:
        human_loop_quota(limited)


def fill_queue(stack):
    """Puts marks of human loops into the queue: to start so many takes minutes, and the service counts their marks."""
    s3, bucket = stack.client("s3", max_pool_connections=16), stack.outputs["ReviewS3Bucket"]
    now = time.time_ns() // 1_000_000

    def mark(number):
        s3.put_object(Bucket=bucket, Key=f"human-review/queue/50000-{now}-{number:032x}-mark-{number}", Body=b"")

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(mark, range(5_000)))


def human_loop_quota(stack):
    """5,000 human loops in flight are the most: ServiceQuotaExceededException."""
    a2i, names = stack.client("sagemaker-a2i-runtime"), (f"one-more-{number}" for number in itertools.count())
    arguments = {"FlowDefinitionArn": stack.outputs["HumanReviewWorkflowArnInUse"],
                 "HumanLoopInput": {"InputContent": '{"text": "Rates rise"}'}}

    def is_full():
        try:
            a2i.start_human_loop(HumanLoopName=next(names), **arguments)
        except a2i.exceptions.ServiceQuotaExceededException as error:
            return equal(error.response["ResponseMetadata"]["HTTPStatusCode"], 402) is None

    until("the refusal of one more", is_full)


@check("in the end nothing is in review twice, and no event failed")
def nothing_twice(stack):
    ids = [record["id"] for _, record in stack.review_items()]
    equal(len(ids), len(set(ids)), "items in review")
    equal(list(stack.objects("FeedbackS3Bucket", "aws/lambda/async/")), [], "failed events")


@check("logs are JSON and hold neither texts nor keys")
def quiet_logs(stack):
    files = [*stack.state_dir.glob("logs/**/*"), stack.state_dir.with_name(stack.state_dir.name + ".log")]
    logs = {str(path): path.read_text(errors="replace") for path in files if path.is_file()}
    assert len(logs) > 5, f"only {len(logs)} logs"
    printed = logs.popitem()[1]  # What the user is shown at start has the key.
    equal([text for text in BATCH_TEXTS if text in printed], [], "texts on the console")
    secret = stack.client("secretsmanager").list_secrets()["SecretList"][0]["ARN"]
    secrets = [stack.api_key, stack.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]]
    for path, log in logs.items():
        equal([line[:80] for line in log.splitlines() if not line.startswith("{")], [], f"lines in {path} that are no JSON")
        shown = [text for text in [*BATCH_TEXTS, "lorem ipsum dolor", "no JSON", "A text that", *secrets] if text in log]
        equal(shown, [], f"private words in {path}")
