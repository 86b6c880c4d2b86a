//! From an output to its labelled object.

use active_learning_aws::s3_event::InvalidEvent;
use active_learning_core::{
    labels::{
        consolidation::Consensus,
        human_loop::Answer,
        label_set::{LABEL_SET_KEY, LabelSet, Origin},
    },
    model::audit::JudgedPrediction,
};
use label_collection::LabelCollectionError;
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};

use crate::harness::{
    A2I_OUTPUT, BUILT_IN_OUTPUT, FEEDBACK, LOOP, OBJECT_CREATED, REVIEW, START, Services, TRAINING, event,
    input, output, output_key,
};

#[tokio::test]
async fn each_record_of_an_output_becomes_one_line_with_its_outcome() {
    let services = Services::start();
    services.put(REVIEW, &output_key(LOOP), BUILT_IN_OUTPUT).await;
    let event: Value = serde_json::from_str(OBJECT_CREATED).expect("JSON");

    services.function().handle(event).await.expect("worked off");

    let lines = services.labelled(LOOP).await;
    let answer = |answer| Consensus::Agreed {
        answer,
        confidence: 1.0,
    };
    let consensus: Vec<Consensus> = lines.iter().map(|line| line.consensus.clone()).collect();
    assert_eq!(
        consensus,
        [
            answer(Answer::labels(["Business"])),
            answer(Answer::labels(["Sports"])),
            answer(Answer::labels(["SciTech"])),
            answer(Answer::NoneFits),
            answer(Answer::Unsure),
            Consensus::Tie,
        ]
    );
    let votes: Vec<usize> = lines.iter().map(|line| line.votes.len()).collect();
    assert_eq!(
        votes,
        [2, 2, 3, 2, 2, 2],
        "the user who suggested a label has a vote"
    );
    assert_eq!(lines[1].record.selection_probability, Some(0.05));
    assert_eq!(
        lines[3].record.utterance,
        "Rain is likely until Thursday, \"maybe longer\" \u{1f327}\u{fe0f}."
    );
    assert_eq!(lines[0].labelled_at, "2026-11-20T10:12:30.000Z");
    assert_eq!(lines[0].votes[0].seconds, Some(7.0));
    assert_eq!(lines[0].human_loop, LOOP);
}

#[tokio::test]
async fn twelve_numbered_answers_in_alphabetical_order_give_twelve_right_pairs() {
    let services = Services::start();
    let name = "comprehend-text-1763632800000";

    services.answered(name, A2I_OUTPUT).await;

    let classes = ["World", "Sports", "Business", "SciTech"];
    let lines = services.labelled(name).await;
    let labels: Vec<&str> = lines
        .iter()
        .map(|line| line.consensus.labels().expect("agreed")[0].as_str())
        .collect();
    assert_eq!(labels, [classes, classes, classes].concat());
    assert_eq!(
        lines[9].record.utterance,
        "Keeper saves two penalties in the rain."
    );
    assert!(services.script.calls(START).is_empty());
}

#[tokio::test]
async fn an_audited_prediction_of_before_a_rename_or_a_merge_is_right_where_people_give_the_label_of_now() {
    for change in [
        |set: &mut LabelSet| set.rename("Sports", "Sport"),
        |set: &mut LabelSet| set.merge("Sports", "Sport"),
    ] {
        let services = Services::start();
        let mut set = LabelSet::seed(["World", "Sports"], Origin::Parameter, "2026-11-20T10:00:00.000Z");
        if change(&mut set.clone()).is_err() {
            set.add("Sport", "").expect("free");
        }
        change(&mut set).expect("allowed");
        services.put(TRAINING, LABEL_SET_KEY, set.to_json()).await;
        let mut input = input();
        let items = input["comprehendPredictions"].as_array_mut().expect("items");
        items.truncate(2);
        for item in items {
            item["prediction"] = "Sports".into();
            item["classes"] = json!([{"name": "Sports", "score": 0.9}, {"name": "World", "score": 0.1}]);
            item["suggestedLabel"] = Value::Null;
            item["signal"] = "audit".into();
            item["source"] = "implicit".into();
            item["selectionProbability"] = 0.05.into();
            item["modelArn"] = "arn:model".into();
        }
        input["labels"] = json!(["World", "Sport"]);
        let answers: [(&str, u32, &[&str]); 1] = [("w1", 1, &["Sport", "World"])];

        services
            .answered(LOOP, output(LOOP, &input.to_string(), &answers))
            .await;

        let lines = services.labelled(LOOP).await;
        let judged = lines
            .iter()
            .map(|line| JudgedPrediction::of(line).expect("an audit"));
        let right: Vec<bool> = judged.map(|(_, judged)| judged.right).collect();
        assert_eq!(right, [true, false]);
        assert_eq!(lines[0].record.prediction.as_deref(), Some("Sport"));
    }
}

#[tokio::test]
async fn the_same_event_three_times_adds_its_labels_once() {
    let services = Services::start();
    services.answered(LOOP, BUILT_IN_OUTPUT).await;
    let once = services.get(TRAINING, &format!("labelled/{LOOP}.jsonl")).await;

    // Written again with other answers: what was labelled stays as it is.
    let other = BUILT_IN_OUTPUT.replace("\"Business\"", "\"World\"");
    services.answered(LOOP, other).await;
    services.answered(LOOP, BUILT_IN_OUTPUT).await;

    assert_eq!(
        services.keys(TRAINING, "labelled/").await,
        [format!("labelled/{LOOP}.jsonl")]
    );
    let marks = services.keys(TRAINING, "").await.len() - 1;
    assert_eq!(marks, 1, "by which the next tick finds it");
    assert_eq!(
        services.get(TRAINING, &format!("labelled/{LOOP}.jsonl")).await,
        once
    );
    assert_eq!(
        services.review.loops().len(),
        1,
        "one more opinion is asked for once"
    );
}

#[tokio::test]
async fn a_new_label_is_no_class_and_fields_beside_the_answers_are_no_labels() {
    let services = Services::start();
    let mut document: Value = serde_json::from_str(A2I_OUTPUT).expect("JSON");
    document["humanAnswers"][0]["answerContent"]["textCategory3"] = "Weather".into();
    document["humanAnswers"][0]["answerContent"]["textCategory4"] = Value::Null;
    let name = "comprehend-text-1763632800000";

    services.answered(name, document.to_string()).await;

    let lines = services.labelled(name).await;
    let weather = Answer::NewLabel {
        label: "Weather".into(),
    };
    assert!(matches!(&lines[2].consensus, Consensus::Agreed { answer, .. } if *answer == weather));
    assert_eq!(lines[3].consensus, Consensus::Unanswered);
    assert_eq!(lines.len(), 12, "the comment is nobody's label");
    assert!(
        services.review.loops().is_empty(),
        "a loop that something else started is not asked again"
    );
}

#[tokio::test]
async fn objects_that_are_no_output_are_nothing_to_do() {
    let services = Services::start();
    for key in [
        "human-review/loops/a/output.json",
        "output.json",
        "text-review/templates/output.json",
    ] {
        services.put(REVIEW, key, "{}").await;
        services
            .function()
            .handle(event(key))
            .await
            .expect("nothing to do");
    }
    let mut elsewhere = services.output(LOOP, BUILT_IN_OUTPUT).await;
    elsewhere["Records"][0]["s3"]["bucket"]["name"] = "another".into();
    services
        .function()
        .handle(elsewhere)
        .await
        .expect("nothing to do");
    let gone = event(&output_key("review-gone"));
    services.function().handle(gone).await.expect("nothing to do");

    assert!(services.keys(TRAINING, "").await.is_empty());
    assert!(services.keys(FEEDBACK, "").await.is_empty());
}

#[tokio::test]
async fn an_output_that_cannot_be_used_is_set_aside_with_its_reason_and_not_tried_for_ever() {
    let other_name = BUILT_IN_OUTPUT.replace(LOOP, "tc-2");
    let not_ours = output(LOOP, &input().to_string(), &[]).replace("comprehendPredictions", "items");
    for (content, reason) in [
        (
            "{\"secret\": ".to_owned(),
            "not the output of a human loop (line 1",
        ),
        (other_name, "it is that of another human loop"),
        (not_ours, "has no `comprehendPredictions`"),
    ] {
        let services = Services::start();

        services.answered(LOOP, content.clone()).await;
        services.answered(LOOP, content).await;

        let rejected = services.rejected(LOOP).await;
        let found = rejected[0]["reason"].as_str().expect("a reason");
        assert!(found.contains(reason), "{found}");
        assert!(found.contains(&output_key(LOOP)), "{found}");
        assert!(services.keys(TRAINING, "").await.is_empty(), "{reason}");
    }
}

#[tokio::test]
async fn an_output_beyond_the_bound_is_set_aside() {
    let services = Services::start();
    let endless = " ".repeat((32 << 20) + 1);
    services
        .script
        .answer(1, &format!("GET /{REVIEW}/"), 200, endless);

    services.answered(LOOP, BUILT_IN_OUTPUT).await;

    let reason = services.rejected(LOOP).await[0]["reason"].to_string();
    assert!(reason.contains("it is larger than 33554432 bytes"), "{reason}");
}

#[tokio::test]
async fn keys_are_decoded_and_a_prefix_of_the_output_path_is_kept() {
    let services = Services::start();
    let key = format!("our output/{}", output_key(LOOP));
    services.put(REVIEW, &key, BUILT_IN_OUTPUT).await;

    services
        .function()
        .handle(event(&key.replace(' ', "+")))
        .await
        .expect("worked off");

    assert_eq!(services.labelled(LOOP).await.len(), 6);
}

#[tokio::test]
async fn what_cannot_be_written_or_is_unknown_fails_the_event() {
    let services = Services::start();
    let denied = "<Error><Code>AccessDenied</Code></Error>";
    services
        .script
        .always(&format!("PUT /{TRAINING}/labelled/"), 403, denied);
    let event = services.output(LOOP, BUILT_IN_OUTPUT).await;

    let failed = services.function().handle(event).await.expect_err("not written");
    let unknown = services.function().handle(json!({"operation": "swoop"})).await;
    let no_event = services.function().handle(json!({"detail": {}})).await;

    assert_eq!(Diagnostic::from(failed).error_type, "TrainingBucket");
    assert!(matches!(
        unknown,
        Err(LabelCollectionError::InvalidEvent(InvalidEvent::UnknownOperation))
    ));
    assert!(matches!(no_event, Err(LabelCollectionError::InvalidEvent(_))));
    assert_eq!(
        services.open().await,
        [format!("{LOOP}-again-1")],
        "what is to be asked is known, not asked"
    );
    assert!(services.script.calls(START).is_empty());
}

#[tokio::test]
async fn spellings_and_synonyms_of_a_label_are_no_disagreement() {
    let services = Services::start();
    let mut set = LabelSet::seed(
        ["World", "Sports", "Business", "SciTech"],
        Origin::Parameter,
        "2026-11-20T10:00:00Z",
    );
    set.rename("SciTech", "Science").expect("free");
    services.put(TRAINING, LABEL_SET_KEY, set.to_json()).await;
    let mut input = input();
    input["labels"] = json!(["World", "Sports", "Business", "Science"]);
    let items = input["comprehendPredictions"].as_array().expect("items").len();
    let mut answers = vec!["World"; items];
    answers[0] = "scitech ";
    let mut others = answers.clone();
    others[0] = "ＳＣＩＥＮＣＥ";
    let output = output(
        LOOP,
        &input.to_string(),
        &[("w1", 1, &answers), ("w2", 2, &others)],
    );

    services.answered(LOOP, output).await;

    let line = &services.labelled(LOOP).await[0];
    assert_eq!(line.consensus.labels(), Some(&["Science".to_owned()][..]));
}
