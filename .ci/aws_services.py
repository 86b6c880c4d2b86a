"""What clients of AWS see: S3, Comprehend, A2I, Firehose, Secrets Manager, STS, EventBridge, Lambda, API Gateway."""

import datetime
import json
import tempfile
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

import botocore.exceptions

from portal import signed_in, submit, task
from stack import check, equal, http, refused, until

A2I_PATTERN = "^[a-z0-9](-*[a-z0-9])*$"


@check("S3: put, get, range, copy and list with paging")
def s3_objects(stack):
    s3, bucket = stack.client("s3"), stack.outputs["TrainingS3Bucket"]
    keys = [f"check/page {number}+ä.txt" for number in range(5)]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), Metadata={"who": "check"})
    equal(s3.get_object(Bucket=bucket, Key=keys[1])["Body"].read(), keys[1].encode())
    equal(s3.get_object(Bucket=bucket, Key=keys[1], Range="bytes=2-4")["Body"].read(), b"eck")
    s3.copy_object(Bucket=bucket, Key="check/copy", CopySource={"Bucket": bucket, "Key": keys[2]})
    equal(s3.head_object(Bucket=bucket, Key="check/copy")["Metadata"], {"who": "check"})
    pages = list(s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix="check/page", PaginationConfig={"PageSize": 2}))
    equal([len(page["Contents"]) for page in pages], [2, 2, 1], "objects a page")
    equal([found["Key"] for page in pages for found in page["Contents"]], keys, "listed keys")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key=keys[0])
    refused("NoSuchBucket", 404, s3.list_objects_v2, Bucket="no-such-bucket-here")


@check("S3: multipart upload")
def s3_multipart(stack):
    s3, bucket, part = stack.client("s3"), stack.outputs["TrainingS3Bucket"], b"p" * (5 << 20)
    upload = {"Bucket": bucket, "Key": "check/parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    parts = []
    for number, body in enumerate([part, b"end"], 1):
        etag = s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    found = s3.get_object(Bucket=bucket, Key="check/parts")
    equal(found["Body"].read(), part + b"end")
    assert found["ETag"].endswith('-2"'), f"{found['ETag']} does not tell of two parts"


@check("S3: presigned links work until somebody changes them")
def s3_presigned(stack):
    bucket = stack.outputs["TrainingS3Bucket"]
    target = {"Bucket": bucket, "Key": "check/presigned"}
    s3 = stack.client("s3", signature_version="s3v4")
    s3.put_object(**target, Body=b"by link")
    link = s3.generate_presigned_url("get_object", Params=target, ExpiresIn=60)
    equal((http(link).status, http(link).text), (200, "by link"))
    equal(http(link.replace("presigned", "other")).status, 403, "status of a changed link")
    equal(http(f"{stack.endpoint_url}/{bucket}/check/presigned").status, 403, "status without a signature")
    refused("InvalidAccessKeyId", 403, stack.client("s3", key="nobody").get_object, **target)
    refused("SignatureDoesNotMatch", 403, stack.client("s3", secret="wrong").get_object, **target)


@check("S3: conditional writes and reads")
def s3_conditions(stack):
    s3, target = stack.client("s3"), {"Bucket": stack.outputs["TrainingS3Bucket"], "Key": "check/once"}
    first = s3.put_object(**target, Body=b"1", IfNoneMatch="*")["ETag"]
    refused("PreconditionFailed", 412, s3.put_object, **target, Body=b"2", IfNoneMatch="*")
    second = s3.put_object(**target, Body=b"2", IfMatch=first)["ETag"]
    refused("PreconditionFailed", 412, s3.put_object, **target, Body=b"3", IfMatch=first)
    refused("304", 304, s3.get_object, **target, IfNoneMatch=second)
    equal(s3.get_object(**target)["Body"].read(), b"2")


@check("AWS CLI: S3, STS, Comprehend and A2I")
def command_line(stack):
    bucket = stack.outputs["TrainingS3Bucket"]
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x" * (9 << 20))
        file.flush()
        stack.cli("s3", "cp", file.name, f"s3://{bucket}/check/by cli", "--only-show-errors")
    assert str(9 << 20) in stack.cli("s3", "ls", f"s3://{bucket}/check/by"), "the upload is not listed"
    equal(stack.cli("sts", "get-caller-identity")["Account"], "000000000000")
    answer = stack.cli(
        "comprehend", "classify-document", "--endpoint-arn", stack.outputs["ComprehendEndpointArnInUse"],
        "--text", "The goalkeeper saved a penalty in the final.")
    assert answer["Classes"], answer
    flow = stack.outputs["HumanReviewWorkflowArnInUse"]
    assert "HumanLoopSummaries" in stack.cli(
        "sagemaker-a2i-runtime", "list-human-loops", "--flow-definition-arn", flow)


@check("Comprehend: ClassifyDocument and DescribeEndpoint")
def comprehend_answers(stack):
    comprehend, endpoint = stack.client("comprehend"), stack.outputs["ComprehendEndpointArnInUse"]
    classes = comprehend.classify_document(
        EndpointArn=endpoint, Text="The striker scored twice in the cup final.")["Classes"]
    equal(classes[0]["Name"], "Sports", "best class")
    scores = [found["Score"] for found in classes]
    equal(len(scores), 3, "classes in the answer")
    assert scores == sorted(scores, reverse=True) and 0 <= scores[-1] and sum(scores) <= 1.0001, scores
    comprehend.classify_document(EndpointArn=endpoint, Text="ä" * 5_120)
    properties = comprehend.describe_endpoint(EndpointArn=endpoint)["EndpointProperties"]
    equal(properties["Status"], "IN_SERVICE")
    assert ":document-classifier/" in properties["ModelArn"], properties["ModelArn"]


@check("Comprehend: DetectPiiEntities and ContainsPiiEntities")
def comprehend_personal_data(stack):
    comprehend, text = stack.client("comprehend"), "\U0001F600 \u00e4: zoe@example.com or +49 30 1234567"
    found = comprehend.detect_pii_entities(Text=text, LanguageCode="en")["Entities"]
    equal([(it["Type"], text[it["BeginOffset"]:it["EndOffset"]]) for it in found],
          [("EMAIL", "zoe@example.com"), ("PHONE", "+49 30 1234567")], "what is found, by characters")
    labels = comprehend.contains_pii_entities(Text=text, LanguageCode="es")["Labels"]
    equal(sorted(label["Name"] for label in labels), ["EMAIL", "PHONE"])
    refused("UnsupportedLanguageException", 400, comprehend.detect_pii_entities, Text=text, LanguageCode="de")
    refused("TextSizeLimitExceededException", 400, comprehend.contains_pii_entities,
            Text="x" * 102_401, LanguageCode="en")


@check("Comprehend: refusals by code")
def comprehend_refusals(stack):
    endpoint = stack.outputs["ComprehendEndpointArnInUse"]
    classify = stack.client("comprehend").classify_document
    refused("ResourceUnavailableException", 400, classify, EndpointArn=endpoint + "x", Text="Some text")
    refused("ValidationException", 400, classify, EndpointArn="arn:aws:s3:::bucket", Text="Some text")
    refused("TextSizeLimitExceededException", 400, classify, EndpointArn=endpoint, Text="x" * 10_241)
    refused("TextSizeLimitExceededException", 400, classify, EndpointArn=endpoint, Text="ä" * 5_121)
    try:
        classify(EndpointArn=endpoint, Text="")
        raise AssertionError("boto3 let an empty text pass")
    except botocore.exceptions.ParamValidationError:
        pass
    unchecked = stack.client("comprehend", parameter_validation=False).classify_document
    refused("ValidationException", 400, unchecked, EndpointArn=endpoint, Text="")
    refused("ValidationException", 400, unchecked, Text="Some text")
    refused("InvalidRequestException", 400, unchecked, EndpointArn=endpoint)
    wrong_secret = stack.client("comprehend", secret="wrong").classify_document
    refused("InvalidSignatureException", 400, wrong_secret, EndpointArn=endpoint, Text="Some text")
    nobody = stack.client("comprehend", key="nobody").classify_document
    refused("UnrecognizedClientException", 400, nobody, EndpointArn=endpoint, Text="Some text")


def start_arguments(stack, name, content='{"text": "Rates rise"}'):
    flow = stack.outputs["HumanReviewWorkflowArnInUse"]
    return {"HumanLoopName": name, "FlowDefinitionArn": flow, "HumanLoopInput": {"InputContent": content}}


@check("A2I: start, describe, stop and delete a human loop")
def a2i_life_cycle(stack):
    a2i, name = stack.client("sagemaker-a2i-runtime"), "check-life-cycle"
    arguments = start_arguments(stack, name, '{"text": "ä"}')
    arn = a2i.start_human_loop(**arguments)["HumanLoopArn"]
    equal(arn, f"arn:aws:sagemaker:us-east-1:000000000000:human-loop/{name}")
    equal(a2i.start_human_loop(**arguments)["HumanLoopArn"], arn, "ARN of a repeated start")
    found = a2i.describe_human_loop(HumanLoopName=name)
    equal(found["HumanLoopStatus"], "InProgress")
    flow = arguments["FlowDefinitionArn"]
    created = found["CreationTime"].astimezone(datetime.timezone.utc).strftime("%Y/%m/%d/%H/%M/%S")
    uri = f"s3://{stack.outputs['ReviewS3Bucket']}/{flow.split('/')[-1]}/{created}/{name}/output.json"
    equal(found["HumanLoopOutput"]["OutputS3Uri"], uri)
    equal((found["HumanLoopName"], found["HumanLoopArn"], found["FlowDefinitionArn"]), (name, arn, flow))
    refused("ValidationException", 400, a2i.delete_human_loop, HumanLoopName=name)
    a2i.stop_human_loop(HumanLoopName=name)
    equal(a2i.describe_human_loop(HumanLoopName=name)["HumanLoopStatus"], "Stopped")
    refused("ValidationException", 400, a2i.stop_human_loop, HumanLoopName=name)
    a2i.delete_human_loop(HumanLoopName=name)
    refused("ResourceNotFoundException", 404, a2i.describe_human_loop, HumanLoopName=name)
    # A deleted loop's name is free again, also for another input.
    a2i.start_human_loop(**start_arguments(stack, name, '{"text": "another"}'))
    a2i.stop_human_loop(HumanLoopName=name)
    a2i.delete_human_loop(HumanLoopName=name)


@check("A2I: list human loops by page, order and time")
def a2i_listing(stack):
    a2i, flow = stack.client("sagemaker-a2i-runtime"), stack.outputs["HumanReviewWorkflowArnInUse"]
    names = [f"check-list-{number}" for number in range(5)]
    for name in names:
        a2i.start_human_loop(**start_arguments(stack, name))
        time.sleep(0.002)  # Creation times are told apart by milliseconds.
    times = [a2i.describe_human_loop(HumanLoopName=name)["CreationTime"] for name in names]

    def listed(**filters):
        pages = a2i.get_paginator("list_human_loops").paginate(FlowDefinitionArn=flow, **filters)
        return [loop["HumanLoopName"] for page in pages for loop in page["HumanLoopSummaries"]]

    since = {"CreationTimeAfter": times[0]}
    equal(listed(**since), names[::-1], "newest first")
    equal(listed(**since, SortOrder="Ascending", PaginationConfig={"PageSize": 2}), names, "oldest first by twos")
    equal(listed(CreationTimeAfter=times[1], CreationTimeBefore=times[3]), [names[2], names[1]], "by time")
    first = a2i.list_human_loops(FlowDefinitionArn=flow, MaxResults=1)
    fields = {"HumanLoopName", "HumanLoopStatus", "CreationTime", "FlowDefinitionArn"}
    equal(set(first["HumanLoopSummaries"][0]), fields, "fields of a summary")
    listing = {"FlowDefinitionArn": flow}
    refused("ValidationException", 400, a2i.list_human_loops, **listing, NextToken="of nobody")
    unchecked = stack.client("sagemaker-a2i-runtime", parameter_validation=False).list_human_loops
    refused("ValidationException", 400, unchecked, **listing, MaxResults=101)
    refused("ValidationException", 400, unchecked, **listing, SortOrder="Random")
    refused("ResourceNotFoundException", 404, a2i.list_human_loops, FlowDefinitionArn=flow + "-x")
    for name in names:
        a2i.stop_human_loop(HumanLoopName=name)
        a2i.delete_human_loop(HumanLoopName=name)
    equal(listed(**since), [], "loops after deletion")


@check("A2I: ValidationException, ConflictException, ResourceNotFoundException, InternalServerException")
def a2i_refusals(stack):
    """ServiceQuotaExceededException has a check of its own. ThrottlingException needs an S3 that says SlowDown: the
    crate's test `a_busy_bucket_is_throttling_and_a_broken_one_an_internal_error_without_details` provokes it."""
    a2i = stack.client("sagemaker-a2i-runtime")
    unchecked = stack.client("sagemaker-a2i-runtime", parameter_validation=False)
    for name in ["Upper", "-first", "last-", "under_score", "a" * 64, "dots.dots"]:
        message = refused("ValidationException", 400, unchecked.start_human_loop, **start_arguments(stack, name))
        assert "humanLoopName" in message, message
        refused("ValidationException", 400, unchecked.describe_human_loop, HumanLoopName=name)
    good = start_arguments(stack, "check-refused")
    for wrong in [
        {"HumanLoopInput": {"InputContent": "not JSON"}}, {"HumanLoopInput": {"InputContent": "{}"}}, {"HumanLoopInput": {"InputContent": '["no object"]'}},
        {"HumanLoopInput": {"InputContent": json.dumps({"a": "x" * 3_145_728})}}, {"HumanLoopInput": None},
        {"FlowDefinitionArn": "arn:aws:s3:::bucket"}, {"FlowDefinitionArn": good["FlowDefinitionArn"] + "-x"},
        {"HumanLoopName": None}, {"DataAttributes": {"ContentClassifiers": ["FreeOfEverything"]}},
    ]:
        arguments = {name: value for name, value in {**good, **wrong}.items() if value is not None}
        refused("ValidationException", 400, unchecked.start_human_loop, **arguments)
    for call in [a2i.describe_human_loop, a2i.stop_human_loop, a2i.delete_human_loop]:
        refused("ResourceNotFoundException", 404, call, HumanLoopName="check-refused")

    a2i.start_human_loop(**good)
    other = start_arguments(stack, "check-refused", '{"other": 1}')
    refused("ConflictException", 409, a2i.start_human_loop, **other)
    state = {"Bucket": stack.outputs["ReviewS3Bucket"], "Key": "human-review/loops/check-refused.json"}
    s3 = stack.client("s3")
    kept = s3.get_object(**state)["Body"].read()
    s3.put_object(**state, Body=b"damaged")
    refused("InternalServerException", 500, a2i.describe_human_loop, HumanLoopName="check-refused")
    s3.put_object(**state, Body=kept)
    a2i.stop_human_loop(HumanLoopName="check-refused")
    a2i.delete_human_loop(HumanLoopName="check-refused")


@check("Firehose: records are delivered; refusals by code")
def firehose(stack):
    client = stack.client("firehose", parameter_validation=False)
    streams = client.list_delivery_streams()["DeliveryStreamNames"]
    equal(len(streams), 1, "delivery streams")
    stream = {"DeliveryStreamName": streams[0]}
    equal(client.describe_delivery_stream(**stream)["DeliveryStreamDescription"]["DeliveryStreamStatus"], "ACTIVE")
    texts = [f"Firehose text number {number} “ä”" for number in range(4)]
    # As the reference sample writes it: no version, words for what is unknown.
    lines = [
        json.dumps({"utterance": text, "prediction": "CLASSIFY", "confidence": "NONE", "classifier": "news"}) + "\n"
        for text in texts]
    assert client.put_record(**stream, Record={"Data": lines[0]})["RecordId"]
    batch = client.put_record_batch(**stream, Records=[{"Data": line} for line in lines[1:]])
    equal((batch["FailedPutCount"], len(batch["RequestResponses"])), (0, 3))
    equal(set(stack.wait_for_review(texts).values()), {1}, "human loops for each text")

    nowhere, record = {"DeliveryStreamName": "nowhere"}, {"Data": "x"}
    refused("ResourceNotFoundException", 400, client.put_record, **nowhere, Record=record)
    refused("ValidationException", 400, client.put_record, **stream, Record={"Data": "x" * 1_024_001})
    refused("ValidationException", 400, client.put_record_batch, **stream, Records=[])
    refused("ValidationException", 400, client.put_record_batch, **stream, Records=[record] * 501)
    large = [{"Data": "x" * 1_000_000}] * 5
    refused("InvalidArgumentException", 400, client.put_record_batch, **stream, Records=large)


@check("Secrets Manager: the signing secret; STS: who calls")
def secrets_and_identity(stack):
    secrets = stack.client("secretsmanager")
    [secret] = secrets.list_secrets()["SecretList"]
    value = secrets.get_secret_value(SecretId=secret["ARN"])["SecretString"]
    assert len(value) == 64 and value.isalnum(), f"a secret of {len(value)} characters"
    equal(secrets.get_secret_value(SecretId=secret["ARN"])["SecretString"], value, "the secret read twice")
    refused("ResourceNotFoundException", 400, secrets.get_secret_value, SecretId="nothing")
    identity = stack.client("sts").get_caller_identity()
    equal((identity["Account"], identity["Arn"]), ("000000000000", "arn:aws:iam::000000000000:root"))


@check("EventBridge: buses, rules, targets, events and API destinations; refusals by code")
def event_bridge(stack):
    events, bus = stack.client("events"), stack.outputs["EventBusName"]
    on_bus = {"EventBusName": bus}
    equal([found["Name"] for found in events.list_event_buses()["EventBuses"]], [bus, "default"], "buses")
    rules = [rule["Name"] for rule in events.list_rules(**on_bus)["Rules"]]
    targets = [target for rule in rules for target in events.list_targets_by_rule(Rule=rule, **on_bus)["Targets"]]
    [target] = [target for target in targets if target["Id"] == "label-collection"]
    pattern = json.dumps({"source": ["check"], "detail": {"votes": [{"numeric": [">", 1]}]}})
    made = events.put_rule(Name="check", EventPattern=pattern, **on_bus)["RuleArn"]
    assert made.endswith(f":rule/{bus}/check"), made
    failed = events.put_targets(Rule="check", Targets=[{"Id": "it", "Arn": target["Arn"]}], **on_bus)
    equal(failed["FailedEntryCount"], 0)
    equal(events.describe_rule(Name="check", **on_bus)["EventPattern"], pattern)
    entry = {"Source": "check", "DetailType": "Told", "Detail": json.dumps({"votes": 0}), "EventBusName": bus}
    answer = events.put_events(Entries=[entry, {**entry, "Source": "aws.check"}, {**entry, "Detail": "none"}])
    equal(answer["FailedEntryCount"], 2)
    codes = [found.get("ErrorCode") for found in answer["Entries"]]
    equal(codes, [None, "NotAuthorizedForSourceException", "MalformedDetail"], "codes")
    refused("ValidationException", 400, events.delete_rule, Name="check", **on_bus)
    events.remove_targets(Rule="check", Ids=["it"], **on_bus)
    events.delete_rule(Name="check", **on_bus)
    refused("ResourceNotFoundException", 400, events.describe_rule, Name="check", **on_bus)
    refused("InvalidEventPatternException", 400, events.put_rule, Name="x", EventPattern="[]", **on_bus)
    key = {"ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "value"}}
    connection = events.create_connection(Name="check", AuthorizationType="API_KEY", AuthParameters=key)
    endpoint = {"ConnectionArn": connection["ConnectionArn"], "InvocationEndpoint": "http://127.0.0.1:9/"}
    events.create_api_destination(Name="check", HttpMethod="POST", **endpoint)
    equal(events.describe_api_destination(Name="check")["ApiDestinationState"], "ACTIVE")
    assert "value" not in json.dumps(events.describe_connection(Name="check")["AuthParameters"])
    events.delete_api_destination(Name="check")
    events.delete_connection(Name="check")
    refused("ResourceNotFoundException", 400, events.describe_connection, Name="check")


@check("EventBridge: an event reaches an HTTP endpoint with the role of the stack")
def api_destination(stack):
    events, bus = stack.client("events"), stack.outputs["EventBusName"]
    on_bus, taken = {"EventBusName": bus}, []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            taken.append((self.headers["x-key"], json.loads(body)["detail"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    receiver = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    key = {"ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "value"}}
    made = events.create_connection(Name="told", AuthorizationType="API_KEY", AuthParameters=key)
    url = f"http://127.0.0.1:{receiver.server_port}/reviewed"
    endpoint = {"ConnectionArn": made["ConnectionArn"], "HttpMethod": "POST", "InvocationEndpoint": url}
    arn = events.create_api_destination(Name=f"{bus}-told", **endpoint)["ApiDestinationArn"]
    events.put_rule(Name="told", EventPattern=json.dumps({"source": ["told"]}), **on_bus)
    target = {"Id": "it", "Arn": arn, "RoleArn": "arn:aws:iam::000000000000:role/mine"}
    refused("ValidationException", 400, events.put_targets, Rule="told", Targets=[target], **on_bus)
    iam, name = stack.client("iam"), {"RoleName": "mine"}
    trust = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    made = iam.create_role(**name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    equal(made["Role"]["Arn"], target["RoleArn"])
    equal(iam.get_role(**name)["Role"]["AssumeRolePolicyDocument"]["Statement"], [trust], "the trust policy")
    equal(events.put_targets(Rule="told", Targets=[target], **on_bus)["FailedEntryCount"], 0)
    equal([role["RoleName"] for role in iam.list_roles()["Roles"] if role["RoleName"] == "mine"], ["mine"])
    target["RoleArn"] = stack.outputs["ApiDestinationRoleArn"]
    equal(events.put_targets(Rule="told", Targets=[target], **on_bus)["FailedEntryCount"], 0)
    events.put_events(Entries=[{"Source": "told", "DetailType": "Told", "Detail": '{"votes": 2}', **on_bus}])
    until("the event at the endpoint", lambda: taken)
    receiver.shutdown()
    iam.delete_role(**name)
    equal(taken, [("value", {"votes": 2})])


@check("Lambda: invoke the portal's function for a sign-in link")
def sign_in_link(stack):
    function = {"FunctionName": stack.outputs["ReviewPortalFunction"]}
    invoke = stack.client("lambda").invoke
    operation = {"operation": "create-sign-in-link", "reviewer": "Zoë Ångström"}
    answer = invoke(**function, Payload=json.dumps(operation))
    assert "FunctionError" not in answer, answer["Payload"].read()
    link = json.loads(answer["Payload"].read())
    assert link["url"].startswith(stack.portal_url), f"the link leads to {link['url'].split('?')[0]}"
    page = http(link["url"])
    equal(page.status, 200, "status of the sign-in page")
    assert "Zoë Ångström" in page.text, "the page does not greet the reviewer"
    form = urllib.parse.urlencode({"token": link["url"].split("token=")[1]}).encode()
    sign_in = link["url"].split("?")[0]
    equal(http(sign_in, form, content_type="application/x-www-form-urlencoded").status, 303, "first use")
    equal(http(sign_in, form, content_type="application/x-www-form-urlencoded").status, 403, "second use")
    failed = invoke(**function, Payload=json.dumps({**operation, "reviewer": " "}))
    equal((failed["FunctionError"], json.loads(failed["Payload"].read())["errorType"]), ("Unhandled", "InvalidReviewer"))
    refused("InvalidRequestContentException", 400, invoke, **function, Payload="{")
    refused("ResourceNotFoundException", 404, invoke, FunctionName="nothing")


@check("SageMaker: a template, a team and a flow definition; its loop ends in a bucket of one's own")
def flow_definition(stack):
    sagemaker, a2i, s3 = (stack.client(name) for name in ("sagemaker", "sagemaker-a2i-runtime", "s3"))
    own = "a2i-results-of-my-own"
    s3.create_bucket(Bucket=own)
    template = """<crowd-form><crowd-classifier name="sentiment" categories="['positive', 'negative']" header="Tone?">
        <classification-target>{{ task.input.taskObject }}</classification-target></crowd-classifier></crowd-form>"""
    ui = sagemaker.create_human_task_ui(HumanTaskUiName="tone", UiTemplate={"Content": template})["HumanTaskUiArn"]
    refused("ResourceInUse", 400, sagemaker.create_human_task_ui, HumanTaskUiName="tone",
            UiTemplate={"Content": template})
    role = "arn:aws:iam::000000000000:role/a2i-notebook"
    rendered = sagemaker.render_ui_template(
        HumanTaskUiArn=ui, Task={"Input": json.dumps({"taskObject": "<b>fine</b>"})}, RoleArn=role)
    assert "&lt;b&gt;fine" in rendered["RenderedContent"] and not rendered["Errors"], rendered
    team = sagemaker.create_workteam(
        WorkteamName="Mail-Team", Description="Mail",
        MemberDefinitions=[{"OidcMemberDefinition": {"Groups": ["mail"]}}])["WorkteamArn"]
    assert "Mail-Team" in [found["WorkteamName"] for page in sagemaker.get_paginator("list_workteams").paginate()
                           for found in page["Workteams"]]
    config = {"WorkteamArn": team, "HumanTaskUiArn": ui, "TaskTitle": "Tone of a mail", "TaskDescription": "Say it",
              "TaskCount": 1, "TaskTimeLimitInSeconds": 3600, "TaskKeywords": ["mail"]}
    arguments = {"FlowDefinitionName": "tone", "RoleArn": role, "HumanLoopConfig": config,
                 "OutputConfig": {"S3OutputPath": f"s3://{own}/results"}}
    flow = sagemaker.create_flow_definition(**arguments)["FlowDefinitionArn"]
    described = sagemaker.describe_flow_definition(FlowDefinitionName="tone")
    equal((described["FlowDefinitionStatus"], described["HumanLoopConfig"]), ("Active", config), "flow definition")

    a2i.start_human_loop(HumanLoopName="check-tone", FlowDefinitionArn=flow, HumanLoopInput={
        "InputContent": json.dumps({"initialValue": "negative", "taskObject": "I love this"})})
    stranger = task(stack, signed_in(stack, "Somebody else"), "check-tone")
    equal(stranger.status, 404, "a task of another team")
    cookie = signed_in(stack, "Mail reviewer", "Mail-Team")
    page = task(stack, cookie, "check-tone")
    assert "Tone of a mail" in page.text and "I love this" in page.text, page.text[:500]
    submit(stack, cookie, page, {"sentiment": {"label": "positive"}})
    done = a2i.describe_human_loop(HumanLoopName="check-tone")
    equal((done["HumanLoopStatus"], done["FlowDefinitionArn"]), ("Completed", flow))
    bucket, key = done["HumanLoopOutput"]["OutputS3Uri"].removeprefix("s3://").split("/", 1)
    assert bucket == own and key.startswith("results/tone/"), key
    output = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    equal(output["humanAnswers"][0]["answerContent"], {"sentiment": {"label": "positive"}})
    listed = a2i.list_human_loops(FlowDefinitionArn=flow)["HumanLoopSummaries"]
    equal([found["HumanLoopName"] for found in listed], ["check-tone"])
    a2i.delete_human_loop(HumanLoopName="check-tone")
    sagemaker.delete_flow_definition(FlowDefinitionName="tone")
    refused("ResourceNotFound", 400, sagemaker.describe_flow_definition, FlowDefinitionName="tone")
    sagemaker.delete_human_task_ui(HumanTaskUiName="tone")
    sagemaker.delete_workteam(WorkteamName="Mail-Team")


@check("SNS: a work team is told of its tasks on a topic of its own, with the rights that the function has")
def topic_of_a_team(stack):
    sagemaker, a2i, sns = (stack.client(name) for name in ("sagemaker", "sagemaker-a2i-runtime", "sns"))
    stacks_own = stack.outputs["ReviewTopicArn"]
    topic = sns.create_topic(Name=f"{stacks_own.rsplit(':', 1)[1]}-desk", Attributes={"DisplayName": "Desk"})["TopicArn"]
    equal(topic, f"{stacks_own}-desk", "the name begins with that of the stack's topic")
    equal(sns.create_topic(Name=topic.rsplit(":", 1)[1])["TopicArn"], topic, "made once more")
    equal(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"], "Desk")
    assert topic in [found["TopicArn"] for found in sns.list_topics()["Topics"]]
    refused("InvalidParameter", 400, sns.create_topic, Name="no name")
    refused("InvalidParameter", 400, sns.delete_topic, TopicArn=stacks_own)
    team = sagemaker.create_workteam(
        WorkteamName="Desk", Description="Desk", MemberDefinitions=[{"OidcMemberDefinition": {"Groups": ["desk"]}}],
        NotificationConfiguration={"NotificationTopicArn": topic})["WorkteamArn"]
    template = """<crowd-form><crowd-classifier name="tone" categories="['good', 'bad']" header="Tone?">
        <classification-target>{{ task.input.taskObject }}</classification-target></crowd-classifier></crowd-form>"""
    ui = sagemaker.create_human_task_ui(HumanTaskUiName="desk", UiTemplate={"Content": template})["HumanTaskUiArn"]
    config = {"WorkteamArn": team, "HumanTaskUiArn": ui, "TaskTitle": "Tone", "TaskDescription": "Say it", "TaskCount": 1}
    stack.client("s3").create_bucket(Bucket="desk-results")
    flow = sagemaker.create_flow_definition(
        FlowDefinitionName="desk", RoleArn="arn:aws:iam::000000000000:role/desk", HumanLoopConfig=config,
        OutputConfig={"S3OutputPath": "s3://desk-results/"})["FlowDefinitionArn"]
    a2i.start_human_loop(HumanLoopName="desk-1", FlowDefinitionArn=flow,
                         HumanLoopInput={"InputContent": json.dumps({"taskObject": "Where is my parcel?"})})

    stack.client("lambda").invoke(FunctionName=stack.outputs["ReviewPortalFunction"],
                                  Payload=json.dumps({"operation": "measure"}))
    log = stack.state_dir / "logs" / f"{topic.rsplit(':', 1)[1]}.log"
    until("the message", log.exists)
    [told] = [json.loads(line)["message"] for line in log.read_text().splitlines()]
    assert told.startswith("1 task waits for reviewers.") and "parcel" not in told, told
    a2i.stop_human_loop(HumanLoopName="desk-1")
    sagemaker.delete_flow_definition(FlowDefinitionName="desk")
    sagemaker.delete_human_task_ui(HumanTaskUiName="desk")
    sagemaker.delete_workteam(WorkteamName="Desk")
    sns.delete_topic(TopicArn=topic)
    assert topic not in [found["TopicArn"] for found in sns.list_topics()["Topics"]]


@check("API Gateway: the API key by its id")
def api_key(stack):
    client, key = stack.client("apigateway"), {"apiKey": stack.outputs["ApiGWKey"]}
    equal(client.get_api_key(**key, includeValue=True)["value"], stack.api_key)
    assert "value" not in client.get_api_key(**key), "the key's value is shown unasked"
    refused("NotFoundException", 404, client.get_api_key, apiKey="nothing")
