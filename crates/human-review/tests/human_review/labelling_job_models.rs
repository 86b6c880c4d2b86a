//! What a model may label of an automated job: nothing where it is not right often enough.

use serde_json::{Value, json};

use crate::harness::{FEEDBACK_BUCKET, Review};
use crate::labelling_jobs::{answer_all, describe, drive, label, output, put, request, started};

const SPECIFICATION: &str =
    "arn:aws:sagemaker:us-east-1:027400017018:labeling-job-algorithm-specification/text-classification";
/// Stands before the number of a text.
const MARK: &str = "zeppelin ";

/// Returns the label of a text that says nothing of it: as good as drawn at random.
fn drawn(number: usize) -> &'static str {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    if mixed.count_ones().is_multiple_of(2) {
        "Sports"
    } else {
        "Business"
    }
}

/// Returns the number of the text on a page.
fn number_on(page: &str) -> usize {
    let (_, rest) = page.split_once(MARK).expect("the text");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("its number")
}

/// Has one person label what they are asked, until the job is done; returns how many texts that were.
async fn labelled_by_one(review: &Review, job: &str, truth: impl Fn(usize) -> &'static str) -> usize {
    let session = review.sign_in("ada").await;
    let mut answered = 0;
    // A busy machine needs several runs: each takes up new work for some seconds.
    for _ in 0..200 {
        answered += answer_all(&session, |page| label(truth(number_on(page)))).await;
        drive(review).await;
        if describe(review, job).await["LabelingJobStatus"] == "Completed" {
            break;
        }
    }
    answered
}

fn automated(name: &str) -> Value {
    let algorithm = json!({ "LabelingJobAlgorithmSpecificationArn": SPECIFICATION });
    request(name, json!({ "LabelingJobAlgorithmsConfig": algorithm }))
}

#[tokio::test]
async fn a_model_that_is_not_sure_enough_labels_nothing_and_people_go_on() {
    let review = Review::new();
    let text = |number: usize| json!({ "source": format!("What nobody can tell of {MARK}{number}") });
    let lines: Vec<Value> = (0..300).map(text).collect();
    started(&review, &lines, &automated("random")).await;

    let answered = labelled_by_one(&review, "random", drawn).await;

    let done = describe(&review, "random").await;
    assert_eq!(done["LabelingJobStatus"], "Completed", "{done}");
    assert_eq!(answered, 300);
    assert_eq!(done["LabelCounters"]["MachineLabeled"], 0, "{done}");
}

#[tokio::test]
async fn of_texts_of_which_half_can_be_told_a_model_labels_those_and_is_right_as_often_as_was_promised() {
    let review = Review::new();
    let truth = |number: usize| match number % 4 {
        0 => "Sports",
        1 => "Business",
        _ => drawn(number),
    };
    let text = |number: usize| match number % 4 {
        0 => format!("The cup final: the goalkeeper saved a penalty before the whistle of {MARK}{number}"),
        1 => format!("Rates rise: the bank lends money at more interest to debtors of {MARK}{number}"),
        _ => format!("What nobody can tell of {MARK}{number}"),
    };
    let lines: Vec<Value> = (0..700).map(|number| json!({ "source": text(number) })).collect();
    started(&review, &lines, &automated("half")).await;

    let answered = labelled_by_one(&review, "half", truth).await;

    let all = output(&review, "half").await;
    let by_machine =
        (all.iter().zip(0..)).filter(|(line, _)| line["topic-metadata"]["human-annotated"] == "no");
    let rightly: Vec<bool> = by_machine
        .map(|(line, number)| line["topic-metadata"]["class-name"] == truth(number))
        .collect();
    let right = rightly.iter().filter(|right| **right).count();
    assert_eq!(answered + rightly.len(), 700);
    assert!(
        rightly.len() >= 30,
        "half of what is left can be told: {}",
        rightly.len()
    );
    assert!(right * 100 >= rightly.len() * 95, "{right} of {}", rightly.len());
}

#[tokio::test]
async fn a_model_learns_from_texts_in_objects_of_their_own_and_labels_them() {
    let review = Review::new();
    let text = |number: usize| match number % 2 {
        0 => format!("The cup final: the goalkeeper saved a penalty before the whistle of {MARK}{number}"),
        _ => format!("Rates rise: the bank lends money at more interest to debtors of {MARK}{number}"),
    };
    let truth = |number: usize| ["Sports", "Business"][number % 2];
    let mut lines = Vec::new();
    for number in 0..320 {
        let key = format!("texts/{number}.txt");
        put(&review, &key, &text(number)).await;
        lines.push(json!({ "source-ref": format!("s3://{FEEDBACK_BUCKET}/{key}") }));
    }
    started(&review, &lines, &automated("apart")).await;

    let answered = labelled_by_one(&review, "apart", truth).await;

    let all = output(&review, "apart").await;
    let wrong =
        (all.iter().zip(0..)).filter(|(line, number)| line["topic-metadata"]["class-name"] != truth(*number));
    let done = describe(&review, "apart").await;
    assert!(
        (200..260).contains(&answered),
        "one round, and a model that is sure of most others: {done}"
    );
    assert_eq!(done["LabelCounters"]["MachineLabeled"], 320 - answered, "{done}");
    assert_eq!(wrong.count(), 0);
    assert_eq!(all[0]["source-ref"], lines[0]["source-ref"]);
}
