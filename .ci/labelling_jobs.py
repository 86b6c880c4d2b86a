"""A labelling job as Ground Truth's users run it with boto3: from manifest to manifest."""

import json
import time

from portal import signed_in, submit, task
from stack import PATIENCE_SECONDS, check, equal, refused

OWN = "labels-of-my-own"
ROLE = "arn:aws:iam::000000000000:role/labels"
AWS_FUNCTION = "arn:aws:lambda:us-east-1:432418664414:function:"


def arguments(name, team, **task):
    config = {
        "WorkteamArn": team, "UiConfig": {"UiTemplateS3Uri": f"s3://{OWN}/template.liquid"},
        "PreHumanTaskLambdaArn": f"{AWS_FUNCTION}PRE-TextMultiClass",
        "AnnotationConsolidationConfig": {
            "AnnotationConsolidationLambdaArn": f"{AWS_FUNCTION}ACS-TextMultiClass"},
        "TaskTitle": "Topic", "TaskDescription": "What is it about?", "TaskKeywords": ["topic"],
        "NumberOfHumanWorkersPerDataObject": 1, "TaskTimeLimitInSeconds": 600, **task}
    return {
        "LabelingJobName": name, "LabelAttributeName": "topic", "RoleArn": ROLE,
        "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": f"s3://{OWN}/in.manifest"}}},
        "OutputConfig": {"S3OutputPath": f"s3://{OWN}/out"},
        "LabelCategoryConfigS3Uri": f"s3://{OWN}/labels.json", "HumanTaskConfig": config}


def answer(stack, cookie):
    """Answers the next task of the job as its page's script would; returns whether there was one.

    A job's tasks have no confidence and come after those of the stack; other checks leave such tasks too."""
    marks = stack.client("s3").list_objects_v2(Bucket=stack.outputs["ReviewS3Bucket"], Prefix="human-review/queue/99999-")
    names = [mark["Key"].split("-", 4)[-1] for mark in marks.get("Contents", [])]
    pages = (task(stack, cookie, name) for name in reversed(names))
    texts = ("The cup final", "Rates rise")
    page = next((page for page in pages if page.status == 200 and any(text in page.text for text in texts)), None)
    if not page:
        return False
    label = "Sports" if "cup final" in page.text else "Business"
    submit(stack, cookie, page, {"topic": {"label": label}})
    return True


@check("SageMaker: a labelling job from manifest to manifest")
def labelling_job(stack):
    sagemaker, s3 = stack.client("sagemaker"), stack.client("s3")
    s3.create_bucket(Bucket=OWN)
    template = """<crowd-form><crowd-classifier name="topic" categories="{{ task.input.labels | to_json | escape }}"
        header="?"><classification-target>{{ task.input.taskObject }}</classification-target></crowd-classifier>
        </crowd-form>"""
    lines = [{"source": "The cup final"}, {"source-ref": f"s3://{OWN}/rates.txt", "id": 7}]
    for key, body in [("template.liquid", template), ("rates.txt", "Rates rise"),
                      ("in.manifest", "\n".join(map(json.dumps, lines))),
                      ("labels.json", json.dumps({"labels": [{"label": "Sports"}, {"label": "Business"}]}))]:
        s3.put_object(Bucket=OWN, Key=key, Body=body.encode())
    team = sagemaker.list_workteams()["Workteams"][0]["WorkteamArn"]

    arn = sagemaker.create_labeling_job(**arguments("topics", team))["LabelingJobArn"]
    equal(arn, "arn:aws:sagemaker:us-east-1:000000000000:labeling-job/topics")
    refused("ResourceInUse", 400, sagemaker.create_labeling_job, **arguments("topics", team))
    refused("ValidationException", 400, sagemaker.create_labeling_job, **arguments("x", team, MaxConcurrentTaskCount=1,
            PreHumanTaskLambdaArn=f"{AWS_FUNCTION}PRE-BoundingBox"))
    cookie = signed_in(stack, "Labeller")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer(stack, cookie)
        job = sagemaker.describe_labeling_job(LabelingJobName="topics")
        if job["LabelingJobStatus"] not in ("Initializing", "InProgress"):
            break
        assert time.monotonic() < deadline, job
        time.sleep(0.2)

    equal(job["LabelingJobStatus"], "Completed", job.get("FailureReason"))
    equal(job["LabelCounters"], {"TotalLabeled": 2, "HumanLabeled": 2, "MachineLabeled": 0,
                                 "FailedNonRetryableError": 0, "Unlabeled": 0}, "counters")
    key = job["LabelingJobOutput"]["OutputDatasetS3Uri"].removeprefix(f"s3://{OWN}/")
    equal(key, "out/topics/manifests/output/output.manifest")
    output = [json.loads(line) for line in s3.get_object(Bucket=OWN, Key=key)["Body"].read().splitlines()]
    equal([line["topic"] for line in output], [0, 1], "labels")
    equal([line["topic-metadata"]["class-name"] for line in output], ["Sports", "Business"])
    equal(output[1]["topic-metadata"]["type"], "groundtruth/text-classification")
    equal(output[1]["id"], 7, "what the line held besides")
    listed = sagemaker.list_labeling_jobs(StatusEquals="Completed")["LabelingJobSummaryList"]
    equal([found["LabelingJobName"] for found in listed], ["topics"])
    refused("ValidationException", 400, sagemaker.stop_labeling_job, LabelingJobName="topics")
    refused("ResourceNotFound", 400, sagemaker.describe_labeling_job, LabelingJobName="none")
