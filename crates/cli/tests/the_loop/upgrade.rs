//! A state folder that an earlier version wrote goes on under this one.

use std::path::Path;

use active_learning_cli::{beginning::Beginning, demo::reviewer::Reviewer, run, sign_in};
use flate2::read::GzDecoder;

use crate::harness::{boot, json_objects, template, until};

/// Written at commit 48a61f9: twelve texts of three classes trained on, and a dislike with a label and one without, which
/// nobody has answered.
const OF_EARLIER: &[u8] = include_bytes!("../data/state-folder-of-48a61f9.tar.gz");
/// The same, written by the version before this one, at commit 2b397b8.
const OF_VERSION_BEFORE: &[u8] = include_bytes!("../data/state-folder-of-2b397b8.tar.gz");

fn unpack(state: &[u8], folder: &Path) {
    tar::Archive::new(GzDecoder::new(state))
        .unpack(folder)
        .expect("a good archive");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_folder_of_the_version_before_serves_and_its_open_questions_become_labels() {
    goes_on(OF_VERSION_BEFORE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_one_of_an_earlier_version() {
    goes_on(OF_EARLIER).await;
}

async fn goes_on(state: &[u8]) {
    let folder = tempfile::tempdir().expect("temporary folder");
    unpack(state, folder.path());
    let parameters = [
        ("FeedbackBufferSeconds", "1"),
        ("ComprehendClassificationCategories", "billing,delivery,login"),
    ];

    let stack = boot(folder.path(), template(), &parameters).await;
    let outputs = run::make_ready(&stack, folder.path(), None, &Beginning::default(), b"").await;
    let outputs = outputs.expect("the model of the version before serves");
    let s3 = aws_sdk_s3::Client::new(&stack.aws.sdk_config());
    let link = sign_in::create_link(&outputs, "ann").await.expect("a link");
    let mut reviewer = Reviewer::sign_in(&link).await.expect("signed in");
    let answered = reviewer.answer_next(|_, _| Some("login".to_owned())).await;
    let mut labelled = Vec::new();
    until(async || {
        labelled = json_objects(&s3, outputs.output("TrainingS3Bucket"), "labelled/", ".jsonl").await;
        labelled.len() >= 2
    })
    .await;
    stack.stop().await;

    assert!(
        answered.expect("the portal answers"),
        "the questions are still asked"
    );
    for row in &labelled {
        assert_eq!(row["consensus"]["answer"]["labels"][0], "login", "{row}");
        assert_eq!(row["decidedBy"], "single-reviewer", "{row}");
    }
}
