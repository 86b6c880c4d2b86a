"""From labels to new models: the life of a classifier as Comprehend tells it, and the stack's own builds."""

import csv
import io
import json
import pathlib
import tarfile

from stack import check, equal, refused, until

NEWS = pathlib.Path(__file__).parent.parent / "crates/cli/data/news.csv"
CLASSIFIER_STATUSES = {
    "SUBMITTED", "TRAINING", "DELETING", "STOP_REQUESTED", "STOPPED", "IN_ERROR", "TRAINED", "TRAINED_WITH_WARNING"}
ENDPOINT_STATUSES = {"CREATING", "DELETING", "FAILED", "IN_SERVICE", "UPDATING"}
JOB_STATUSES = {"SUBMITTED", "IN_PROGRESS", "COMPLETED", "FAILED", "STOP_REQUESTED", "STOPPED"}
ROLE = "arn:aws:iam::000000000000:role/data-access"


def rows():
    return list(csv.reader(NEWS.open(encoding="utf-8", newline="")))


def as_csv(of):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(of)
    return text.getvalue().encode()


def archive(stack, uri):
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    content = stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(content)) as files:
        return {member.name: files.extractfile(member).read() for member in files.getmembers() if member.isfile()}


@check("Comprehend: the whole life of a classifier, every status one that Comprehend has")
def life_of_a_classifier(stack):
    s3, comprehend, bucket = stack.client("s3"), stack.client("comprehend"), stack.outputs["TrainingS3Bucket"]
    s3.put_object(Bucket=bucket, Key="life/train/one.csv", Body=as_csv(rows()[:200]))
    s3.put_object(Bucket=bucket, Key="life/test.csv", Body=as_csv(rows()[200:]))
    seen = set()

    def create(version, **more):
        return comprehend.create_document_classifier(
            DocumentClassifierName="life", VersionName=version, DataAccessRoleArn=ROLE, LanguageCode="en",
            InputDataConfig={"S3Uri": f"s3://{bucket}/life/train/", "TestS3Uri": f"s3://{bucket}/life/test.csv"},
            OutputDataConfig={"S3Uri": f"s3://{bucket}/life/out/"}, **more)["DocumentClassifierArn"]

    def trained(arn):
        def look():
            properties = comprehend.describe_document_classifier(
                DocumentClassifierArn=arn)["DocumentClassifierProperties"]
            seen.add(properties["Status"])
            return properties["Status"] in ("TRAINED", "IN_ERROR") and properties
        return until("the end of the training", look)

    def endpoint_in_service(arn, model):
        def look():
            properties = comprehend.describe_endpoint(EndpointArn=arn)["EndpointProperties"]
            assert properties["Status"] in ENDPOINT_STATUSES, properties["Status"]
            return properties["Status"] == "IN_SERVICE" and properties.get("ModelArn") == model
        until(f"{model} in service", look)

    first = create("v1", ClientRequestToken="once")
    equal(create("v1", ClientRequestToken="once"), first, "the same request again")
    assert first.endswith(":document-classifier/life/version/v1"), first
    refused("ResourceInUseException", 400, lambda: create("v1", ClientRequestToken="other"))
    properties = trained(first)
    equal(properties["Status"], "TRAINED", properties.get("Message"))
    metadata = properties["ClassifierMetadata"]
    equal((metadata["NumberOfLabels"], metadata["NumberOfTrainedDocuments"], metadata["NumberOfTestDocuments"]),
          (4, 200, len(rows()) - 200))
    equal(set(metadata["EvaluationMetrics"]) >= {"Accuracy", "Precision", "Recall", "F1Score"}, True, "metrics")
    uri = properties["OutputDataConfig"]["S3Uri"]
    assert uri.endswith("/output/output.tar.gz"), uri
    matrix = json.loads(next(content for name, content in archive(stack, uri).items() if "confusion" in name))
    equal(sum(map(sum, matrix["confusion_matrix"])), len(rows()) - 200, "rows of the confusion matrix")

    endpoint = comprehend.create_endpoint(EndpointName="life", ModelArn=first, DesiredInferenceUnits=1)["EndpointArn"]
    endpoint_in_service(endpoint, first)
    classes = comprehend.classify_document(EndpointArn=endpoint, Text="The striker scored twice in the final.")
    equal(classes["Classes"][0]["Name"], "Sports")

    second = create("v2")
    trained(second)
    comprehend.update_endpoint(EndpointArn=endpoint, DesiredModelArn=second)
    endpoint_in_service(endpoint, second)
    refused("ResourceInUseException", 400, comprehend.delete_document_classifier, DocumentClassifierArn=second)

    s3.put_object(Bucket=bucket, Key="life/lines.txt", Body="A goal in the final.\nShares fell.\n\nA rover on Mars.".encode())
    job = comprehend.start_document_classification_job(
        DocumentClassifierArn=second, DataAccessRoleArn=ROLE,
        InputDataConfig={"S3Uri": f"s3://{bucket}/life/lines.txt", "InputFormat": "ONE_DOC_PER_LINE"},
        OutputDataConfig={"S3Uri": f"s3://{bucket}/life/jobs/"})["JobId"]

    def job_ended():
        properties = comprehend.describe_document_classification_job(
            JobId=job)["DocumentClassificationJobProperties"]
        assert properties["JobStatus"] in JOB_STATUSES, properties["JobStatus"]
        return properties["JobStatus"] in ("COMPLETED", "FAILED") and properties
    ended = until("the end of the job", job_ended)
    equal(ended["JobStatus"], "COMPLETED", ended.get("Message"))
    lines = b"".join(archive(stack, ended["OutputDataConfig"]["S3Uri"]).values()).splitlines()
    predicted = {json.loads(line)["Line"]: json.loads(line) for line in lines}
    assert all(isinstance(number, str) for number in predicted), predicted.keys()
    equal(predicted["0"]["Classes"][0]["Name"], "Sports")

    comprehend.delete_endpoint(EndpointArn=endpoint)
    until("the end of the endpoint", lambda: gone(comprehend.describe_endpoint, EndpointArn=endpoint))
    for arn in (first, second):
        comprehend.delete_document_classifier(DocumentClassifierArn=arn)
        until("the end of the classifier", lambda: gone(
            comprehend.describe_document_classifier, DocumentClassifierArn=arn))
    assert seen <= CLASSIFIER_STATUSES, seen


def gone(describe, **arguments):
    try:
        describe(**arguments)
    except describe.__self__.exceptions.ResourceNotFoundException:
        return True
    return False


def label(stack, human_loop, labelled):
    """Puts what a reviewer said of some texts where the training data lies."""
    at = "2026-11-21T10:00:00.000Z"
    lines = []
    for number, (name, text) in enumerate(labelled):
        answer = {"kind": "labels", "labels": [name]}
        record = {"schemaVersion": 1, "id": f"{number:032x}", "classifier": "news", "utterance": text, "source": "implicit",
                  "signal": "low-confidence", "receivedAt": at}
        lines.append(json.dumps({
            "schemaVersion": 1, "record": record, "humanLoop": human_loop, "flowDefinitionArn": "arn:flow", "labelledAt": at,
            "consensus": {"state": "agreed", "answer": answer, "confidence": 1.0},
            "votes": [{"worker": "ann", "answer": answer, "source": "human-review", "at": at}]}))
    stack.client("s3").put_object(
        Bucket=stack.outputs["TrainingS3Bucket"], Key=f"labelled/{human_loop}.jsonl", Body="\n".join(lines).encode())


@check("Comprehend: training data, input and output in a bucket of one's own, by a role or by the bucket's policy")
def own_bucket(stack):
    s3, comprehend = stack.client("s3"), stack.client("comprehend")
    own = "docs-of-my-own"
    s3.create_bucket(Bucket=own)
    s3.put_object(Bucket=own, Key="train/news.csv", Body=as_csv(rows()[:200]))
    s3.put_object(Bucket=own, Key="in/docs.txt", Body="\n".join(text for _, text in rows()[200:210]).encode())

    def train(name, role):
        arn = comprehend.create_document_classifier(
            DocumentClassifierName=name, DataAccessRoleArn=role, LanguageCode="en",
            InputDataConfig={"S3Uri": f"s3://{own}/train/"},
            OutputDataConfig={"S3Uri": f"s3://{own}/out/"})["DocumentClassifierArn"]

        def look():
            properties = comprehend.describe_document_classifier(
                DocumentClassifierArn=arn)["DocumentClassifierProperties"]
            return properties["Status"] in ("TRAINED", "IN_ERROR") and properties
        return arn, until("the end of the training", look)

    arn, properties = train("own-bucket", ROLE)
    equal(properties["Status"], "TRAINED", properties.get("Message"))
    assert properties["OutputDataConfig"]["S3Uri"].startswith(f"s3://{own}/out/"), properties["OutputDataConfig"]
    job = comprehend.start_document_classification_job(
        JobName="mine", DocumentClassifierArn=arn, DataAccessRoleArn=ROLE,
        InputDataConfig={"S3Uri": f"s3://{own}/in/docs.txt", "InputFormat": "ONE_DOC_PER_LINE"},
        OutputDataConfig={"S3Uri": f"s3://{own}/results/"})["JobId"]

    def done():
        properties = comprehend.describe_document_classification_job(
            JobId=job)["DocumentClassificationJobProperties"]
        return properties["JobStatus"] in ("COMPLETED", "FAILED") and properties
    properties = until("the end of the job", done)
    equal(properties["JobStatus"], "COMPLETED", properties.get("Message"))
    lines = archive(stack, properties["OutputDataConfig"]["S3Uri"])["predictions.jsonl"].splitlines()
    equal(len(lines), 10, "documents")

    # A role of the template has its own rights only, and those that the bucket's policy gives.
    role = stack.outputs["DataAccessRoleArn"]
    _, properties = train("refused", role)
    equal(properties["Status"], "IN_ERROR")
    assert own in properties["Message"] and "AccessDenied" in properties["Message"], properties["Message"]
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": role}, "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{own}", f"arn:aws:s3:::{own}/*"]}]}
    s3.put_bucket_policy(Bucket=own, Policy=json.dumps(policy))
    equal(json.loads(s3.get_bucket_policy(Bucket=own)["Policy"]), policy, "the policy")
    _, properties = train("by-policy", role)
    equal(properties["Status"], "TRAINED", properties.get("Message"))
    s3.delete_bucket_policy(Bucket=own)
    refused("NoSuchBucketPolicy", 404, s3.get_bucket_policy, Bucket=own)

    # A role that was made for Comprehend, as the examples of the SDKs do, has what is attached to it.
    iam, name = stack.client("iam"), {"RoleName": "trainer"}
    trust = {"Effect": "Allow", "Principal": {"Service": "comprehend.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(**name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    rights = {**policy["Statement"][0]}
    del rights["Principal"]
    document = json.dumps({"Version": "2012-10-17", "Statement": [rights]})
    attached = iam.create_policy(PolicyName="train", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(**name, PolicyArn=attached)
    _, properties = train("by-role", role)
    equal(properties["Status"], "TRAINED", properties.get("Message"))
    iam.detach_role_policy(**name, PolicyArn=attached)
    _, properties = train("without-rights", role)
    equal(properties["Status"], "IN_ERROR")
    assert role in properties["Message"], properties["Message"]
    iam.delete_policy(PolicyArn=attached)
    iam.delete_role(**name)


@check("Builds: labels become a dataset, a decision and a record; test texts are never trained on")
def build(stack):
    label(stack, "review-by-ann", [("Sports", "The “cup”, at last,\nis ours \U0001f3c6"), ("World", "\u0627\u0644\u0633\u0644\u0627\u0645 \u0641\u064a \u0627\u0644\u0639\u0627\u0644\u0645")])
    states, s3, bucket = stack.client("stepfunctions"), stack.client("s3"), stack.outputs["TrainingS3Bucket"]
    machine = stack.outputs["ModelBuildingStateMachineArn"]
    started = states.start_execution(stateMachineArn=machine, input='{"action": "build", "reason": "manual"}')

    def ended():
        execution = states.describe_execution(executionArn=started["executionArn"])
        return execution["status"] != "RUNNING" and execution
    execution = until("the end of the build", ended)
    equal(execution["status"], "SUCCEEDED", execution.get("cause"))
    record = json.loads(s3.get_object(Bucket=bucket, Key=f"builds/{execution['name']}/record.json")["Body"].read())
    assert record["outcome"] in ("deployed", "refused", "nothing-new"), record
    serving = stack.client("comprehend").describe_endpoint(
        EndpointArn=stack.outputs["ComprehendEndpointArnInUse"])["EndpointProperties"]
    equal(serving["ModelArn"], record["serving"], "the model that serves")
    texts = {"train": set(), "test": set()}
    for name in stack.objects("TrainingS3Bucket", "datasets/"):
        part = name.rsplit("/", 1)[-1].removesuffix(".csv")
        if part in texts:
            content = s3.get_object(Bucket=bucket, Key=name)["Body"].read().decode()
            texts[part] |= {row[-1] for row in csv.reader(io.StringIO(content, newline=""))}
    assert texts["train"] and texts["test"], "the dataset has both parts"
    equal(texts["train"] & texts["test"], set(), "texts in both parts")


@check("Builds: versions, and export in three formats")
def commands(stack):
    versions = json.loads(stack.command_output("versions", "--json"))
    assert any(version["serving"] for version in versions), versions
    lines = list(csv.reader(io.StringIO(stack.command_output("export", "--format", "csv"))))
    jsonl = [json.loads(line) for line in stack.command_output("export", "--format", "jsonl").splitlines()]
    manifest = [json.loads(line) for line in stack.command_output("export", "--format", "manifest").splitlines()]
    assert ["Sports", "The “cup”, at last, is ours \U0001f3c6"] in lines, lines
    assert any(line["text"] == "The “cup”, at last,\nis ours \U0001f3c6" for line in jsonl), jsonl
    equal(len(manifest), len(lines), "lines of the manifest")
    assert all("source" in line for line in manifest), manifest[0]
