"""What users look at with the AWS CLI: the stack, its logs, its usage plan, parameters."""

import datetime

import botocore.exceptions

from stack import check, equal, until


@check("AWS CLI: describe-stacks, describe-stack-resources and list-stack-resources")
def stacks(stack):
    [found] = stack.cli("cloudformation", "describe-stacks", "--stack-name", "local")["Stacks"]
    equal(found["StackStatus"], "CREATE_COMPLETE")
    equal({output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}, stack.outputs, "outputs")
    parameters = {it["ParameterKey"]: it["ParameterValue"] for it in found["Parameters"]}
    equal(parameters["FeedbackBufferSeconds"], "1", "a parameter that was given")
    equal(len(stack.cli("cloudformation", "describe-stacks")["Stacks"]), 1, "stacks")
    described = stack.cli("cloudformation", "describe-stack-resources", "--stack-name", "local")["StackResources"]
    listed = stack.cli("cloudformation", "list-stack-resources", "--stack-name", "local")["StackResourceSummaries"]
    equal({it["LogicalResourceId"] for it in described}, {it["LogicalResourceId"] for it in listed}, "resources")
    names = {it["LogicalResourceId"]: it["PhysicalResourceId"] for it in listed}
    equal(names["TrainingBucket"], stack.outputs["TrainingS3Bucket"], "physical id of a bucket")
    try:
        stack.client("cloudformation").describe_stacks(StackName="another")
        raise AssertionError("there is no such stack")
    except botocore.exceptions.ClientError as error:
        equal(error.response["Error"]["Code"], "ValidationError")


@check("AWS CLI: the logs of a function")
def logs(stack):
    stack.api("classify", b"{", method="POST")  # Is logged as a warning.
    group = stack.cli(
        "cloudformation", "describe-stack-resources", "--stack-name", "local",
        "--logical-resource-id", "ClassifyFunctionLogGroup")["StackResources"][0]["PhysicalResourceId"]
    groups = stack.cli("logs", "describe-log-groups", "--log-group-name-prefix", group)["logGroups"]
    equal([found["logGroupName"] for found in groups], [group], "log groups")

    def filtered():
        pattern = '{ $.level = "WARN" }'
        return stack.cli(
            "logs", "filter-log-events", "--log-group-name", group, "--filter-pattern", pattern)["events"]
    events = until("the warning", filtered)
    assert any("invalid_request" in event["message"] for event in events), events
    [stream] = stack.cli("logs", "describe-log-streams", "--log-group-name", group)["logStreams"]
    got = stack.cli("logs", "get-log-events", "--log-group-name", group, "--log-stream-name", stream["logStreamName"])
    assert len(got["events"]) >= len(events), got


@check("AWS CLI: usage plans, their keys and their usage")
def usage(stack):
    [plan] = stack.cli("apigateway", "get-usage-plans")["items"]
    equal((plan["quota"]["limit"], plan["quota"]["period"]), (100_000, "MONTH"), "quota")
    [key] = stack.cli("apigateway", "get-usage-plan-keys", "--usage-plan-id", plan["id"])["items"]
    equal(key["id"], stack.outputs["ApiGWKey"], "key of the plan")
    [shown] = stack.cli("apigateway", "get-api-keys", "--include-values")["items"]
    equal(shown["value"], stack.api_key, "value of the key")

    today = datetime.datetime.now(datetime.timezone.utc).date()
    period = ["--start-date", str(today - datetime.timedelta(1)), "--end-date", str(today)]

    def used():
        found = stack.cli("apigateway", "get-usage", "--usage-plan-id", plan["id"], *period)
        return found["items"][key["id"]][-1]
    before, left = used()
    equal(stack.api("classify", {"classifier": "news", "sentence": "Counted once"}).status, 200)
    equal(used(), [before + 1, left - 1], "used and left of today")


@check("AWS CLI: parameters")
def parameters(stack):
    stack.cli("ssm", "put-parameter", "--name", "/check/url", "--type", "String", "--value", "one")
    got = stack.cli("ssm", "get-parameter", "--name", "/check/url")["Parameter"]
    equal((got["Value"], got["Version"]), ("one", 1))
    try:
        stack.client("ssm").get_parameter(Name="/check/absent")
        raise AssertionError("there is no such parameter")
    except botocore.exceptions.ClientError as error:
        equal(error.response["Error"]["Code"], "ParameterNotFound")
