//! The whole loop while S3 conflicts and loses answers.

use std::collections::BTreeMap;

use active_learning_cli::{demo::reviewer::Reviewer, sign_in};
use local_aws::faults::{Fault, S3Call};

use crate::{
    harness::{self, until},
    new_models::{BY_HAND, EASY_TO_WIN, Stack, news},
};

#[tokio::test(flavor = "multi_thread")]
async fn every_item_arrives_though_each_conditional_write_conflicts_once() {
    every_item_arrives_with(&[(S3Call::ConditionalWrite, Fault::Conflict)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_arrives_though_each_object_conflicts_once_and_loses_an_answer_once() {
    let both = [
        (S3Call::ConditionalWrite, Fault::Conflict),
        (S3Call::Write, Fault::LostAnswer),
    ];
    every_item_arrives_with(&both).await;
}

async fn every_item_arrives_with(faults: &[(S3Call, Fault)]) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let threshold = [("ComprehendClassificationScoreThreshold", "1")];
    let parameters = [&BY_HAND[..], &EASY_TO_WIN, &threshold].concat();
    let stack = Stack::start(folder.path(), &rows[..40], &parameters).await;
    let scripted = stack.running.aws.faults.clone();
    for (calls, fault) in faults {
        scripted.once_per_object(*calls, *fault);
    }

    let (labels, _) = stack.ask(&rows[40..56]).await;
    let link = sign_in::create_link(&stack.outputs, "ann").await;
    let mut reviewer = Reviewer::sign_in(&link.expect("a link"))
        .await
        .expect("signed in");
    until(async || {
        let answer = |id: &str, _: &str| labels.get(id).map(|label| (*label).to_owned());
        // An answer that is refused was not taken, and the page says so: it is given again.
        while matches!(reviewer.answer_next(answer).await, Ok(true)) {}
        let exported = harness::command(folder.path(), &["export", "--format", "csv"])
            .await
            .1;
        exported.contains("16 rows")
    })
    .await;
    let built = stack.models().build().await.expect("built");
    let exported = harness::command(folder.path(), &["export", "--format", "csv"])
        .await
        .1;
    stack.stop().await;

    assert!(built.decided, "{}", built.describe());
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for line in exported.lines().filter(|line| line.contains(',')) {
        *times.entry(line).or_default() += 1;
    }
    assert!(times.values().all(|times| *times == 1), "{exported}");
    assert!(exported.contains("16 rows"), "{exported}");
    for (_, fault) in faults {
        let count = scripted.count(*fault);
        println!("{count} times {fault:?}");
        assert!(count > 30, "{fault:?}: {count}");
    }
}
