"""The sequences of A2I's notebooks with boto3: Comprehend's prediction, doubt, a human loop, its output; several workflows."""

import json
import re

from portal import signed_in, submit, task
from stack import check, equal, refused, until

ROLE = "arn:aws:iam::000000000000:role/a2i-notebook"
THRESHOLD = 0.6
TEMPLATE = """<crowd-form><crowd-classifier name="{name}" categories="{categories}" header="{header}">
    <classification-target>{{{{ task.input.taskObject }}}}</classification-target></crowd-classifier></crowd-form>"""


def workflow(stack, name, categories, header, team, bucket, reviewers=1):
    """Makes the template and the flow definition of a notebook and returns the flow definition's ARN once it is active."""
    sagemaker = stack.client("sagemaker")
    template = TEMPLATE.format(name=name, categories=categories, header=header)
    ui = sagemaker.create_human_task_ui(HumanTaskUiName=name, UiTemplate={"Content": template})["HumanTaskUiArn"]
    config = {"WorkteamArn": team, "HumanTaskUiArn": ui, "TaskTitle": header, "TaskDescription": header, "TaskCount": reviewers}
    arn = sagemaker.create_flow_definition(
        FlowDefinitionName=name, RoleArn=ROLE, HumanLoopConfig=config,
        OutputConfig={"S3OutputPath": f"s3://{bucket}/{name}-output"})["FlowDefinitionArn"]
    describe = lambda: sagemaker.describe_flow_definition(FlowDefinitionName=name)["FlowDefinitionStatus"] == "Active"
    until(f"the flow definition {name}", describe)
    return arn


def forget(stack, *names):
    sagemaker = stack.client("sagemaker")
    for name in names:
        sagemaker.delete_flow_definition(FlowDefinitionName=name)
        sagemaker.delete_human_task_ui(HumanTaskUiName=name)


def team_of(stack, name):
    return stack.client("sagemaker").create_workteam(
        WorkteamName=name, Description=name, MemberDefinitions=[{"OidcMemberDefinition": {"Groups": [name]}}])["WorkteamArn"]


def output_of(stack, human_loop):
    """Returns the bucket, the key and the content of a loop's output, as notebooks read it."""
    uri = stack.client("sagemaker-a2i-runtime").describe_human_loop(HumanLoopName=human_loop)["HumanLoopOutput"]["OutputS3Uri"]
    bucket, key = re.fullmatch("s3://([^/]+)/(.+)", uri).groups()
    return bucket, key, json.loads(stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())


@check("A2I: the notebook of a custom classifier, from a prediction below the threshold to its output")
def custom_classifier(stack):
    comprehend, a2i = stack.client("comprehend"), stack.client("sagemaker-a2i-runtime")
    bucket, endpoint = "a2i-notebook", stack.outputs["ComprehendEndpointArnInUse"]
    stack.client("s3").create_bucket(Bucket=bucket)
    flow = workflow(stack, "topic", "['World', 'Sports', 'Business', 'SciTech']", "Which topic?", team_of(stack, "Topic-Team"), bucket)
    equal(comprehend.describe_endpoint(EndpointArn=endpoint)["EndpointProperties"]["Status"], "IN_SERVICE")

    asked = {}
    for number, text in enumerate(["The striker scored twice in the cup final.", "asdf qwerty 7 zxcv"]):
        best = max(comprehend.classify_document(Text=text, EndpointArn=endpoint)["Classes"], key=lambda it: it["Score"])
        if best["Score"] < THRESHOLD:
            content = {"initialValue": best["Name"], "taskObject": text}
            a2i.start_human_loop(HumanLoopName=f"topic-{number}", FlowDefinitionArn=flow,
                                 HumanLoopInput={"InputContent": json.dumps(content)})
            asked[f"topic-{number}"] = content
    equal(list(asked), ["topic-1"], "loops of texts of which the classifier is not sure")

    status = lambda: a2i.describe_human_loop(HumanLoopName="topic-1")["HumanLoopStatus"]
    equal(status(), "InProgress")
    cookie = signed_in(stack, "Reviewer of topics", "Topic-Team")
    page = task(stack, cookie, "topic-1")
    assert "asdf qwerty 7 zxcv" in page.text and "Which topic?" in page.text, page.text[:500]
    submit(stack, cookie, page, {"topic": {"label": "SciTech"}})
    until("the end of the loop", lambda: status() == "Completed")
    found, key, output = output_of(stack, "topic-1")
    equal((found, key.startswith("topic-output/topic/"), key.endswith("/topic-1/output.json")), (bucket, True, True), key)
    equal((output["humanLoopName"], output["flowDefinitionArn"], output["inputContent"]), ("topic-1", flow, asked["topic-1"]))
    [answer] = output["humanAnswers"]
    equal(answer["answerContent"], {"topic": {"label": "SciTech"}})
    assert answer["acceptanceTime"] <= answer["submissionTime"] and answer["timeSpentInSeconds"] >= 0 and answer["workerId"], answer
    a2i.delete_human_loop(HumanLoopName="topic-1")
    forget(stack, "topic")
    stack.client("sagemaker").delete_workteam(WorkteamName="Topic-Team")


@check("A2I: the notebook of DetectSentiment, up to that call, which is refused by name")
def detect_sentiment(stack):
    sagemaker = stack.client("sagemaker")
    stack.client("s3").create_bucket(Bucket="a2i-sentiment")
    team = sagemaker.list_workteams()["Workteams"][0]["WorkteamArn"]
    workflow(stack, "sentiment", "['POSITIVE', 'NEGATIVE', 'NEUTRAL', 'MIXED']", "Which sentiment?", team, "a2i-sentiment")
    message = refused("UnsupportedOperationException", 501, stack.client("comprehend").detect_sentiment,
                      Text="I like this notebook", LanguageCode="en")
    assert "DetectSentiment" in message, message
    forget(stack, "sentiment")


@check("A2I: two flow definitions and the stack's own, with open loops at once: each page, each list, each output")
def several_flows(stack):
    sagemaker, a2i, s3 = (stack.client(name) for name in ("sagemaker", "sagemaker-a2i-runtime", "s3"))
    for bucket in ("urgency-of-mails", "language-of-mails"):
        s3.create_bucket(Bucket=bucket)
    urgency = workflow(stack, "urgency", "['now', 'later']", "How urgent?", team_of(stack, "Urgency-Team"), "urgency-of-mails")
    language = workflow(stack, "language", "['en', 'de']", "Which language?", team_of(stack, "Language-Team"),
                        "language-of-mails", reviewers=2)
    own, text = stack.outputs["HumanReviewWorkflowArnInUse"], "A text of the stack beside two other workflows"
    equal(stack.api("feedback", {"classifier": "news", "sentence": text}).status, 200)
    for name, flow, mail in [("urgency-1", urgency, "The server burns"), ("language-1", language, "Der Server brennt"),
                             ("urgency-2", urgency, "A newsletter")]:
        content = {"InputContent": json.dumps({"taskObject": mail})}
        a2i.start_human_loop(HumanLoopName=name, FlowDefinitionArn=flow, HumanLoopInput=content)
    stack.wait_for_review([text])
    [(own_loop, record)] = [(name, record) for name, record in stack.review_items() if record["utterance"] == text]

    def listed(flow):
        pages = a2i.get_paginator("list_human_loops").paginate(FlowDefinitionArn=flow)
        return {loop["HumanLoopName"]: loop["HumanLoopStatus"] for page in pages for loop in page["HumanLoopSummaries"]}

    open_loops = lambda *names: dict.fromkeys(names, "InProgress")
    equal(listed(urgency), open_loops("urgency-1", "urgency-2"))
    equal(listed(language), open_loops("language-1"))
    assert listed(own)[own_loop] == "InProgress" and not {"urgency-1", "urgency-2", "language-1"} & set(listed(own)), listed(own)

    people = {"ursula": "Urgency-Team", "lena": "Language-Team", "leo": "Language-Team"}
    cookies = {name: signed_in(stack, name, team) for name, team in people.items()}
    pages = {}
    for name, loop, words in [("ursula", "urgency-1", ["How urgent?", "The server burns", "later"]),
                              ("lena", "language-1", ["Which language?", "Der Server brennt", "de"]),
                              ("leo", "language-1", ["Which language?", "Der Server brennt", "de"]),
                              ("ursula", own_loop, [text, "Sports"])]:
        page = pages[name, loop] = task(stack, cookies[name], loop)
        assert page.status == 200 and all(word in page.text for word in words), f"{name}, {loop}: {page.status} {page.text[:500]}"
    for name, loop in [("ursula", "language-1"), ("lena", "urgency-1"), ("leo", "urgency-2")]:
        equal(task(stack, cookies[name], loop).status, 404, f"{name} opens {loop}")

    status = lambda loop: a2i.describe_human_loop(HumanLoopName=loop)["HumanLoopStatus"]
    submit(stack, cookies["lena"], pages["lena", "language-1"], {"language": {"label": "de"}})
    submit(stack, cookies["ursula"], pages["ursula", "urgency-1"], {"urgency": {"label": "now"}})
    equal([status(loop) for loop in ("language-1", "urgency-1", "urgency-2", own_loop)],
          ["InProgress", "Completed", "InProgress", "InProgress"], "after one answer each")
    submit(stack, cookies["leo"], pages["leo", "language-1"], {"language": {"label": "en"}})
    items = re.findall('data-item="([^"]*)"', pages["ursula", own_loop].text)
    submit(stack, cookies["ursula"], pages["ursula", own_loop], **dict.fromkeys(items, "Sports"))
    equal([status(loop) for loop in ("language-1", "urgency-1", "urgency-2", own_loop)],
          ["Completed", "Completed", "InProgress", "Completed"], "in the end")

    outputs_lie(stack, own, own_loop)
    labels = lambda: [line for content in stack.objects("TrainingS3Bucket", "labelled/").values() for line in content.decode().splitlines()]
    [label] = until("the label of the stack's own text", lambda: [line for line in labels() if text in line])
    equal(json.loads(label)["consensus"]["answer"], {"kind": "labels", "labels": ["Sports"]})
    trained = [line for line in labels() if "The server burns" in line or "Der Server brennt" in line]
    equal(trained, [], "answers of other workflows among the labels")

    a2i.stop_human_loop(HumanLoopName="urgency-2")
    for loop in ("urgency-1", "urgency-2", "language-1"):
        a2i.delete_human_loop(HumanLoopName=loop)
    forget(stack, "urgency", "language")
    for team in ("Urgency-Team", "Language-Team"):
        sagemaker.delete_workteam(WorkteamName=team)


def outputs_lie(stack, own, own_loop):
    """Asserts that each output lies where its flow definition says, and nowhere else."""
    for loop, bucket, prefix, answers in [
            ("urgency-1", "urgency-of-mails", "urgency-output/urgency/", [{"urgency": {"label": "now"}}]),
            ("language-1", "language-of-mails", "language-output/language/",
             [{"language": {"label": "de"}}, {"language": {"label": "en"}}]),
            (own_loop, stack.outputs["ReviewS3Bucket"], own.split("/")[-1] + "/", None)]:
        found, key, output = output_of(stack, loop)
        equal((found, key.startswith(prefix), output["humanLoopName"]), (bucket, True, loop), f"output of {loop} at {key}")
        if answers:
            equal([answer["answerContent"] for answer in output["humanAnswers"]], answers, f"answers of {loop}")
    outputs = [found["Key"] for bucket in ("urgency-of-mails", "language-of-mails")
               for found in stack.client("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    equal(len([key for key in outputs if key.endswith("output.json")]), 2, f"outputs in both buckets: {outputs}")
