"""What each feature of the template brings on an engine that is not ours, and takes with it again: for deploy.py."""

import base64
import hashlib
import hmac
import json
import threading
import types
from http.server import BaseHTTPRequestHandler, HTTPServer

from stack import equal, http, until

ACCOUNT = "arn:aws:{}:us-east-1:000000000000:{}"
ENDPOINT = ACCOUNT.format("comprehend", "document-classifier-endpoint/news")
FLYWHEEL = ACCOUNT.format("comprehend", "flywheel/news")
FLOW = ACCOUNT.format("sagemaker", "flow-definition/of-ours")
ISSUER = "https://accounts.example"
OUR_NETWORK, OTHER_NETWORK = "127.0.0.0/8", "203.0.113.0/24"
RETENTION_DAYS = 4000
POOL = {"UserPool", "UserPoolDomain", "UserPoolClient", "UserPoolAdmins", "UserPoolReviewers"}
TEXT_CLASSIFIER = {f"TextClassifierFunction{part}" for part in ("", "Role", "LogGroup", "Url", "Permission", "EventInvokeConfig")}
REVIEW = {
    "ReviewSigningSecret", "ReviewTopic", "LabellingJobRule", "LabellingJobRulePermission", "OldestTaskAlarm",
    "FailedEventsAlarm", "UndeliveredFeedbackAlarm", "DamagedObjectsAlarm", "WithheldTasksAlarm", "HumanReviewSchedule",
    "HumanReviewEndSchedule",
    *(f"HumanReviewFunction{part}" for part in ("", "Role", "LogGroup", "Url", "Permission")),
    *(f"ReviewPortal{part}" for part in ("Api", "Resource", "RootMethod", "Method", "Deployment1", "Stage")),
}
# Of what may differ where a resource was made anew.
MADE_ANEW = ("CLASSIFIER_URL", "HUMAN_REVIEW_URL", "PORTAL_URL", "SIGNING_SECRET_ARN", "REVIEW_ROLE_ARN", "REVIEW_TOPIC_ARN")


def seen(aws):
    """Returns what the stack is made of: resources, outputs, settings and rights by function."""
    pages = aws.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=aws.stack)
    listed = [item for page in pages for item in page["StackResourceSummaries"] if not gone(item)]
    physical = {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in listed}
    of_type = lambda kind: {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in listed if item["ResourceType"] == kind}
    functions = {found["FunctionName"]: found for found in aws.client("lambda").list_functions()["Functions"]}
    settings = {logical: functions[name]["Environment"]["Variables"] for logical, name in of_type("AWS::Lambda::Function").items()}
    rights = {logical: rights_of(aws, name) for logical, name in of_type("AWS::IAM::Role").items()}
    return types.SimpleNamespace(
        physical=physical, resources=set(physical), outputs=aws.outputs(), settings=settings, rights=rights)


def gone(item):
    return item["ResourceStatus"] in ("DELETE_COMPLETE", "DELETE_SKIPPED")


def rights_of(aws, role):
    iam, found = aws.client("iam"), set()
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        for statement in iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]:
            actions, resources = ([of] if isinstance(of, str) else of for of in (statement["Action"], statement["Resource"]))
            found |= {(action, resource) for action in actions for resource in resources}
    return found


def changed(before, after, came=(), went=()):
    """Asserts which resources came and which went, and no others."""
    equal(after.resources - before.resources, set(came), "resources that came")
    equal(before.resources - after.resources, set(went), "resources that went")


def setting(found, name):
    """Returns the values of a setting over all functions that have it."""
    values = {variables[name] for variables in found.settings.values() if name in variables}
    assert values, f"no function has {name}"
    return values


def actions(found, role):
    return {action for action, _ in found.rights[role]}


class Receiver:
    """Takes webhooks, and keeps headers and body of each."""

    def __enter__(self):
        self.taken = taken = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                taken.append((self.headers, self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/reviewed"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def portal(aws, **headers):
    return http(aws.local(aws.outputs_once["ReviewPortalUrl"]), **headers).status


def around_the_loop(aws, begin, loop):
    """Takes on what stands around the loop of the built-in services; returns what the stack is made of then."""
    secret = aws.client("secretsmanager").create_secret(Name="portal-at-the-provider", SecretString="of the provider")["ARN"]
    with Receiver() as receiver:
        aws.update(
            f"ResultWebhookUrl={receiver.url}", f"OidcIssuer={ISSUER}", "OidcClientId=portal", f"OidcClientSecretArn={secret}",
            f"AllowedReviewNetworks={OUR_NETWORK},2001:db8::/32", "ReviewersEmail=reviewers@example.com", "PersonalData=mask",
            f"TextRetentionDays={RETENTION_DAYS}")
        now = seen(aws)
        changed(begin, now, came={"ResultWebhookSecret", "WebhooksRefusedAlarm", "ReviewSubscription"})
        equal(set(now.outputs) - set(begin.outputs), {"ResultWebhookSecretArn"}, "outputs that came")
        equal(setting(now, "RESULT_WEBHOOK_URL"), {receiver.url})
        equal(setting(now, "RESULT_WEBHOOK_SECRET_ARN"), {now.outputs["ResultWebhookSecretArn"]})
        equal([setting(now, name) for name in ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET_ARN")],
              [{ISSUER}, {"portal"}, {secret}])
        read = "secretsmanager:GetSecretValue"
        equal(now.rights["HumanReviewFunctionRole"] - begin.rights["HumanReviewFunctionRole"], {(read, secret)})
        equal(now.rights["ReviewEventsFunctionRole"] - begin.rights["ReviewEventsFunctionRole"],
              {(read, now.outputs["ResultWebhookSecretArn"])})
        [told] = aws.client("sns").list_subscriptions_by_topic(TopicArn=now.outputs["ReviewTopicArn"])["Subscriptions"]
        equal((told["Protocol"], told["Endpoint"]), ("email", "reviewers@example.com"))
        # The emulator leaves a bucket's rules of expiry out: what the functions are told is what can be seen of them.
        equal((setting(now, "TEXT_RETENTION_DAYS"), setting(now, "PERSONAL_DATA")), ({str(RETENTION_DAYS)}, {"mask"}))

        # The emulator knows no ExcludePunctuation: the secret is replaced, as an operator may at any time.
        key = base64.b64encode(bytes(range(48))).decode()
        aws.client("secretsmanager").put_secret_value(SecretId=now.outputs["ResultWebhookSecretArn"], SecretString=key)
        equal((portal(aws), portal(aws, x_forwarded_for="198.51.100.7")), (401, 404), "portal from our network and another")
        text = "Write to zoe@example.com about the cup final"
        answer = aws.api("TextClassificationApiGatewayID", {"classifier": "news", "sentence": text})
        equal((answer.status, "zoe@example.com" in answer.text), (200, False), "a text that is masked")
        loop(aws)
        headers, body = until("a webhook", lambda: receiver.taken and receiver.taken[0])
        is_signed(key, headers, body)
    return now


def is_signed(key, headers, body):
    """Checks a message as a receiver does that keeps to Standard Webhooks."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    signature = base64.b64encode(hmac.digest(base64.b64decode(key), signed, hashlib.sha256)).decode()
    assert f"v1,{signature}" in headers["webhook-signature"].split(), headers["webhook-signature"]
    equal(json.loads(body)["data"]["status"], "answered")


def services_of_aws(aws, begin, before):
    """Puts Comprehend, a flywheel and a user pool in place of our classifier and a provider of one's own."""
    aws.update(
        f"ComprehendEndpointArn={ENDPOINT}", f"FlywheelArn={FLYWHEEL}", "PersonalData=comprehend", "CreateUserPool=true",
        "OidcIssuer=", "OidcClientId=", "OidcClientSecretArn=", f"AllowedReviewNetworks={OTHER_NETWORK}", "ResultWebhookUrl=",
        "ReviewersEmail=")
    now = seen(aws)
    changed(before, now, came=POOL,
            went={"ResultWebhookSecret", "WebhooksRefusedAlarm", "ReviewSubscription"} | TEXT_CLASSIFIER)
    equal(now.outputs["ComprehendEndpointArnInUse"], ENDPOINT)
    assert "TextClassifierRoleArn" not in now.outputs, now.outputs
    equal([setting(now, name) for name in ("CLASSIFIER_URL", "RESULT_WEBHOOK_URL", "RESULT_WEBHOOK_SECRET_ARN")], [{""}] * 3)
    equal([setting(now, name) for name in ("COMPREHEND_ENDPOINT_ARN", "FLYWHEEL_ARN", "MIN_ROWS_PER_CLASS")],
          [{ENDPOINT}, {FLYWHEEL}, {"50"}])
    assert {("comprehend:ClassifyDocument", ENDPOINT), ("comprehend:DetectPiiEntities", "*")} <= now.rights["ClassifyFunctionRole"]
    assert ("comprehend:StartFlywheelIteration", FLYWHEEL) in now.rights["ModelBuildingFunctionRole"]
    assert "lambda:InvokeFunctionUrl" not in actions(now, "ClassifyFunctionRole"), now.rights["ClassifyFunctionRole"]
    for role in ("FeedbackApiFunctionRole", "BatchFeedbackFunctionRole"):
        assert "comprehend:DetectPiiEntities" in actions(now, role), role
    assert "comprehend:StartFlywheelIteration" not in actions(begin, "ModelBuildingFunctionRole")

    pool, client = now.physical["UserPool"], now.physical["UserPoolClient"]
    equal(now.outputs["UserPoolId"], pool)
    equal([setting(now, name) for name in ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_GROUPS_CLAIM", "OIDC_CLIENT_SECRET_ARN")],
          [{f"https://cognito-idp.us-east-1.amazonaws.com/{pool}"}, {client}, {"cognito:groups"}, {""}])
    cognito = aws.client("cognito-idp")
    groups = {group["GroupName"] for group in cognito.list_groups(UserPoolId=pool)["Groups"]}
    equal(groups, {"admins", "reviewers"}, "groups of the pool")
    shown = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]
    equal(shown["CallbackURLs"], [now.outputs["ReviewPortalUrl"] + "callback"], "where the pool leads back")
    assert "ClientSecret" not in shown, "the portal's client has no secret"
    equal((portal(aws), portal(aws, x_forwarded_for="203.0.113.7")), (404, 401), "portal from our network and another")
    return now


def services_elsewhere(aws, before):
    """Puts a model on SageMaker and a flow definition of Amazon A2I in place of what classifies and asks."""
    aws.update(
        "SageMakerEndpointName=news-bert", "ComprehendEndpointArn=", "FlywheelArn=", "PersonalData=keep",
        f"HumanReviewWorkflowArn={FLOW}", "AllowedReviewNetworks=", "TextRetentionDays=0", "PredictionRetentionDays=0")
    now = seen(aws)
    changed(before, now, went=REVIEW | POOL)
    endpoint = ACCOUNT.format("sagemaker", "endpoint/news-bert")
    equal((now.outputs["SageMakerEndpointArnInUse"], now.outputs["HumanReviewWorkflowArnInUse"]), (endpoint, FLOW))
    gone_outputs = {"ComprehendEndpointArnInUse", "ReviewPortalUrl", "ReviewPortalFunction", "ReviewTopicArn", "UserPoolId"}
    equal(gone_outputs & set(now.outputs), set(), "outputs of what went")
    equal([setting(now, name) for name in ("SAGEMAKER_ENDPOINT_ARN", "HUMAN_REVIEW_WORKFLOW_ARN", "HUMAN_REVIEW_URL")],
          [{endpoint}, {FLOW}, {""}])
    equal([setting(now, name) for name in ("FLYWHEEL_ARN", "PREDICTION_RETENTION_DAYS", "PERSONAL_DATA")], [{""}, {"0"}, {"keep"}])
    assert ("sagemaker:InvokeEndpoint", endpoint) in now.rights["ClassifyFunctionRole"]
    assert not {"comprehend:ClassifyDocument", "comprehend:DetectPiiEntities"} & actions(now, "ClassifyFunctionRole")
    assert ("sagemaker:StartHumanLoop", FLOW) in now.rights["A2iTriggerFunctionRole"], now.rights["A2iTriggerFunctionRole"]

    name = now.physical["HumanLoopRule"].split("|")[-1]
    rule = aws.client("events").describe_rule(Name=name)
    pattern = json.loads(rule["EventPattern"])
    equal((rule["EventBusName"], pattern["source"], pattern["detail"]["flowDefinitionArn"]), ("default", ["aws.sagemaker"], [FLOW]))
    # The pool has accounts of people: it stays when its feature goes, and is deleted by hand.
    pool, cognito = before.physical["UserPool"], aws.client("cognito-idp")
    assert pool in [found["Id"] for found in cognito.list_user_pools(MaxResults=60)["UserPools"]], "the pool is gone"
    cognito.delete_user_pool(UserPoolId=pool)


def all_off(aws, begin):
    """Takes the rest off: but for what is made anew, the stack is what it was in the beginning."""
    aws.update("SageMakerEndpointName=", "HumanReviewWorkflowArn=", "CreateUserPool=false")
    now = seen(aws)
    changed(begin, now)
    equal(set(now.outputs), set(begin.outputs), "outputs")
    for function, variables in begin.settings.items():
        kept = {name: value for name, value in variables.items() if name not in (*MADE_ANEW, "PREDICTION_RETENTION_DAYS")}
        equal({name: now.settings[function].get(name) for name in kept}, kept, f"settings of {function}")
    for role in begin.rights:
        equal(actions(now, role), actions(begin, role), f"rights of {role}")


def without_predictions(aws):
    """Asserts that nothing is kept by which a client can ask, with PredictionRetentionDays=0."""
    before = set(aws.keys("FeedbackS3Bucket", "predictions"))
    answer = aws.api("TextClassificationApiGatewayID", {"classifier": "news", "sentence": "A text whose prediction is not kept"})
    equal(answer.status, 200, answer.text)
    url = aws.local(aws.outputs_once["PredictionsApiUrl"])
    asked = http(f"{url}/{answer.json['predictionId']}", x_api_key=aws.api_key)
    equal((asked.status, asked.json and asked.json["code"]), (404, "unknown_prediction"), asked.text)
    equal(set(aws.keys("FeedbackS3Bucket", "predictions")), before, "objects of predictions")
