"""Which objects the stack of the version before must hold before it is upgraded, and how they come about: for deploy.py."""

import re

from stack import equal, until

OBJECTS = "crates/core/src/keys/objects.rs"
BUCKETS = {"Batch": "BatchUploadS3Bucket", "Feedback": "FeedbackS3Bucket", "Review": "ReviewS3Bucket", "Training": "TrainingS3Bucket"}
# What needs a failure, a wait, a parameter or a service that is not here, by the reason.
ABSENT = {
    "a failure or damage": [
        "aws/lambda/async/", "feedback/direct/", "feedback/redriven/", "feedback/released/", "firehose-errors/",
        "questions/damaged/", "rejected/review-events/", "rejected/training-data/", "human-review/damaged/"],
    "work that is over once it is done": [
        "erasures/", "relabel/", "human-review/answers/", "human-review/expiring/", "human-review/inputs/",
        "labelled-new/", "notices/", "text-classifier/jobs/"],
    "more texts and answers than fit into a check": [
        "backlog/1-audit/", "backlog/2-exploration/", "backlog/3-ranked/", "backlog/4-pool/", "backlog/vectors/", "disputed/",
        "feedback/relabel/", "labelled/adjudication-"],
    "a parameter or a service that is not here": [
        "claims/unknown-class/", "automated-labelling/promises.json", "machine-labelled/", "datasets/machine-labels", "encoder/", "flywheels/"],
    "a call of SageMaker's API": [
        "human-review/audit-results/", "human-review/flow-definitions/", "human-review/flow-loops/", "human-review/human-task-uis/",
        "human-review/labelling-job", "human-review/open-labelling-jobs/", "human-review/ui-templates/",
        "human-review/workforce.json", "human-review/workteams/"],
    "a reviewer's remark or a template of one's own": ["human-review/remarks.json", "human-review/template-trial.json"],
    "what a day brings": ["stats/arrivals.json", "builds/confidence-warning-", "human-review/notices/"],
}


def of(listing):
    """Returns bucket and beginning of every key in a version's list of objects, up to what differs."""
    kinds = re.findall(r'key: "([^"]*)",\s*bucket: (\w+),', listing)
    assert len(kinds) > 50, f"{OBJECTS} names {len(kinds)} kinds of objects"
    return {(BUCKETS[bucket], key.split("<")[0]) for key, bucket in kinds}


def missing(kinds, objects, restless):
    """Returns the beginnings under which a stack holds nothing, those aside that need not be there or are not looked at."""
    absent = (*restless, *(prefix for prefixes in ABSENT.values() for prefix in prefixes))
    return sorted({(bucket, prefix) for bucket, prefix in kinds if not prefix.startswith(absent)
                   and not any(key.startswith(prefix) for key in objects[bucket])})


IMPORTED = [f"The club won match {number} of its season" for number in range(4)]


def run(aws, command):
    """Runs a command of the version before."""
    return aws.shell(f'"{aws.before}" {command} --bucket {aws.outputs_once["TrainingS3Bucket"]}')


def fill(aws, answer_next, patience):
    """Brings about what a loop and a build leave out: copies, an import, votes, labels changed, a guideline."""
    s3, outputs = aws.client("s3"), aws.outputs_once
    feedback = lambda **body: equal(aws.api("FeedbackAPIGatewayID", {"classifier": "news", **body}).status, 200)
    s3.put_object(Bucket=outputs["ReviewS3Bucket"], Key="guideline.json",
                  Body=b'{"labels": [{"label": "Sports", "meaning": "Matches, athletes, clubs."}]}')
    s3.put_object(Bucket=outputs["FeedbackS3Bucket"], Key="feedback/2026/01/01/00/damaged.jsonl", Body=b"no JSON\n")
    run(aws, "labels describe World 'What happens between countries.' --yes")
    run(aws, "labels rename SciTech Science --yes")
    labelled = aws.folder / "labelled.csv"
    labelled.write_text("text,label\n" + "".join(f"{text},Sports\n" for text in IMPORTED))
    run(aws, f"import {labelled} --yes")

    # Long enough to be remembered for copies that are nearly the same.
    original = ("The committee of the harbour town decided late on Tuesday evening, after a debate of four hours, that the old "
                "lighthouse keeps its lamp, and that visitors may climb it again from the first weekend of May on.")
    feedback(sentence="A text that somebody likes before anybody is asked", feedback="like", prediction="World")
    feedback(sentence=original)
    until("its question", lambda: original in aws.text_of("FeedbackS3Bucket", "asked/"), patience)
    feedback(sentence=original.upper() + "!", label="World")

    def answered():
        answer_next(aws)
        return original in aws.text_of("TrainingS3Bucket", "labelled/") and aws.keys("FeedbackS3Bucket", "duplicates/")

    until("its label", answered, patience)
    feedback(sentence=original, label="Business", user="jane")
    until("a vote of a user", lambda: aws.keys("TrainingS3Bucket", "labelled/vote-"), patience)


def erase(aws):
    """Erases a text that a model has learnt from, which leaves traces of its own."""
    run(aws, f"erase --yes --text '{IMPORTED[0]}'")
