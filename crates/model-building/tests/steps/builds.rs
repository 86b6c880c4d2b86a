//! Builds that come to a decision.

use active_learning_core::labels::label_set::{LABEL_SET_KEY, LabelSet, Origin};
use model_building::{BuildRecord, DecisionRecord, Outcome};
use serde_json::{Value, json};

use crate::{
    comprehend::model_arn,
    walk::Walk,
    world::{World, champion},
};

const STEPS_TO_THE_SWITCH: [&str; 22] = [
    "Start",
    "IsMessage",
    "Begin",
    "IsBegun",
    "Assemble",
    "IsNew",
    "Check",
    "IsUsable",
    "Train",
    "WaitForTraining",
    "DescribeTraining",
    "IsTrained",
    "WaitForTraining",
    "DescribeTraining",
    "IsTrained",
    "StartEvaluation",
    "WaitForEvaluation",
    "DescribeEvaluation",
    "IsEvaluated",
    "Select",
    "IsBetter",
    "Deploy",
];

#[tokio::test]
async fn a_better_challenger_is_deployed_and_everything_is_written_down() {
    let world = World::new().await;

    let end = Walk::new(&world, "first").build().await;

    assert_eq!(end.state, "Done", "{end:?}");
    assert_eq!(end.states[..STEPS_TO_THE_SWITCH.len()], STEPS_TO_THE_SWITCH);
    let record: BuildRecord = world.read("builds/first/record.json").await.expect("a record");
    assert_eq!(record.outcome, Outcome::Deployed);
    let challenger = record.challenger.clone().expect("a challenger");
    assert_eq!(world.comprehend.serving(), challenger);
    assert_eq!(record.serving.as_deref(), Some(challenger.as_str()));
    let version = record.dataset.expect("a version");
    assert_eq!(challenger, model_arn("news", &version));
    let decision: DecisionRecord = world
        .read("builds/first/decision.json")
        .await
        .expect("a decision");
    assert!(decision.decision.deploy);
    let measured = decision.decision.champion.expect("a champion");
    assert_eq!(measured.model_arn, champion());
    assert!(
        (0.7..0.9).contains(&measured.evaluation.accuracy),
        "one in five is wrong"
    );
    assert_eq!(decision.decision.challenger.evaluation.accuracy, 1.0);
    assert_eq!(decision.dataset.version, version);
    let deployments = world.deployments().await;
    assert_eq!(deployments.len(), 1);
    assert_eq!(deployments[0]["by"], "build");
    assert_eq!(deployments[0]["previousModelArn"], json!(champion()));
    let (subject, message) = &end.told[0];
    assert_eq!(*subject, format!("Deployed: model news/version/{version}"));
    assert!(
        message.contains("held-out rows initial/version/v0 (champion) has accuracy"),
        "{message}"
    );
    assert_eq!(
        world.keys("builds/running.json").await,
        [""; 0],
        "the lock is given back"
    );
}

#[tokio::test]
async fn training_gets_the_dataset_and_the_test_rows_that_were_held_out() {
    let world = World::new().await;

    Walk::new(&world, "first").build().await;

    let created = &world.comprehend.calls("CreateDocumentClassifier")[0];
    let version = created["VersionName"].as_str().expect("a version");
    let input = &created["InputDataConfig"];
    let manifest: Value = world
        .read(&format!("datasets/{version}/manifest.json"))
        .await
        .expect("a manifest");
    for (uri, file) in [("S3Uri", "train"), ("TestS3Uri", "test")] {
        let key = manifest[file]["key"].as_str().expect("a key");
        assert_eq!(input[uri], format!("s3://training-123456789012/{key}"));
    }
    assert_eq!(
        (&created["LanguageCode"], &created["Mode"]),
        (&json!("en"), &json!("MULTI_CLASS"))
    );
    let jobs = world.comprehend.calls("StartDocumentClassificationJob");
    assert_eq!(jobs.len(), 2);
    assert_eq!(jobs[0]["InputDataConfig"], jobs[1]["InputDataConfig"]);
    assert_eq!(jobs[0]["InputDataConfig"]["InputFormat"], "ONE_DOC_PER_LINE");
}

#[tokio::test]
async fn a_challenger_that_is_no_better_is_refused_with_the_reason() {
    let world = World::new().await;
    world.comprehend.state().wrong.insert(champion(), 0);

    let end = Walk::new(&world, "first").build().await;

    assert_eq!(
        (end.state.as_str(), &end.build["status"]),
        ("Done", &json!("refused"))
    );
    assert!(
        end.why().contains("macro F1 went from 1.0000 to 1.0000"),
        "{}",
        end.why()
    );
    assert_eq!(world.comprehend.serving(), champion());
    assert!(world.comprehend.calls("UpdateEndpoint").is_empty());
    assert!(
        end.told[0].1.contains("did not deploy model news/version/"),
        "{:?}",
        end.told
    );
}

#[tokio::test]
async fn a_label_that_is_renamed_while_a_build_runs_counts_by_its_new_name_for_both_models() {
    let world = World::new().await;
    let mut set = LabelSet::seed(["Cat", "Dog"], Origin::InitialData, "2026-11-20T10:00:00.000Z");
    world.put(LABEL_SET_KEY, set.to_json()).await;
    let mut walk = Walk::new(&world, "first");
    set.rename("Cat", "Feline").expect("free");
    walk.label_set_at_select = Some(set);

    let end = walk.build().await;

    let decision: DecisionRecord = world
        .read("builds/first/decision.json")
        .await
        .expect("a decision");
    assert!(decision.decision.deploy, "{:?}", decision.decision.reasons);
    assert_eq!(decision.decision.challenger.evaluation.accuracy, 1.0);
    let champion = decision
        .decision
        .champion
        .expect("a champion")
        .evaluation
        .accuracy;
    assert!((0.7..0.9).contains(&champion), "one in five is wrong: {champion}");
    let compared: Vec<&String> = decision.decision.recall_changes.keys().collect();
    assert_eq!(compared, ["Dog", "Feline"]);
    assert_eq!(end.build["status"], "deployed", "{end:?}");
}

#[tokio::test]
async fn a_flywheels_model_that_learnt_erased_texts_gives_way_to_an_equal_one_and_any_other_does_not() {
    let arn = "arn:aws:comprehend:us-east-1:123456789012:flywheel/news";
    for (learnt, averages, status, why) in [
        (
            3,
            (0.8, 0.8),
            "deployed",
            "no gain is needed, since the champion is to go: it learnt from 3 rows",
        ),
        (0, (0.8, 0.8), "refused", "a gain of 0.01 is needed"),
        (
            3,
            (0.8, 0.1),
            "refused",
            "the flywheel measured an average F1 of 0.1000",
        ),
    ] {
        let mut world = World::new().await;
        world.settings.insert("FLYWHEEL_ARN", arn);
        world.comprehend.state().averages = averages;
        let learnt = json!({"at": "2026-11-29T10:00:00.000Z", "versions": {"v0": learnt}});
        world
            .put("erased/models.json", learnt.to_string().into_bytes())
            .await;

        let end = Walk::new(&world, "first").build().await;

        assert_eq!(end.build["status"], status, "{end:?}");
        let decision: DecisionRecord = world
            .read("builds/first/decision.json")
            .await
            .expect("a decision");
        let reasons = &decision.decision.reasons;
        assert!(
            reasons.iter().any(|reason| reason.text.contains(why)),
            "{reasons:?}"
        );
        assert_eq!(world.comprehend.serving() == champion(), status == "refused");
    }
}

#[tokio::test]
async fn steps_that_are_repeated_train_once_and_decide_once() {
    let world = World::new().await;

    let end = Walk::new(&world, "first").every_step(3).build().await;

    assert_eq!(end.build["status"], "deployed", "{end:?}");
    assert_eq!(world.comprehend.calls("CreateDocumentClassifier").len(), 1);
    assert_eq!(world.comprehend.calls("UpdateEndpoint").len(), 1);
    assert_eq!(world.deployments().await.len(), 1);
    let jobs = world.comprehend.calls("StartDocumentClassificationJob");
    let tokens: std::collections::BTreeSet<String> = jobs
        .iter()
        .map(|job| job["ClientRequestToken"].to_string())
        .collect();
    assert_eq!(
        (jobs.len(), tokens.len()),
        (6, 2),
        "a job that is started again is the same"
    );
}

#[tokio::test]
async fn without_a_new_label_nothing_is_trained() {
    let world = World::new().await;
    Walk::new(&world, "first").build().await;

    let again = Walk::new(&world, "second").build().await;

    assert_eq!(
        (again.state.as_str(), &again.build["status"]),
        ("Done", &json!("nothing-new"))
    );
    assert_eq!(world.comprehend.calls("CreateDocumentClassifier").len(), 1);
    let record: BuildRecord = world.read("builds/second/record.json").await.expect("a record");
    assert_eq!(record.outcome, Outcome::NothingNew);
}

#[tokio::test]
async fn a_dataset_that_was_refused_is_not_tried_again_until_labels_come() {
    let world = World::new().await;
    world.comprehend.state().wrong.insert(champion(), 0);
    Walk::new(&world, "first").build().await;

    let same = Walk::new(&world, "second").build().await;
    world.put_rows("more", 300..400).await;
    world.comprehend.state().wrong.insert(champion(), 20);
    let new = Walk::new(&world, "third").build().await;

    assert_eq!(same.build["status"], "nothing-new");
    assert_eq!(new.build["status"], "deployed", "{new:?}");
}

#[tokio::test]
async fn a_dataset_that_fails_its_check_costs_no_training() {
    let mut world = World::new().await;
    world.settings.insert("MIN_ROWS_PER_CLASS", "1000");

    let end = Walk::new(&world, "first").build().await;

    assert_eq!(
        (end.state.as_str(), &end.build["status"]),
        ("Done", &json!("refused"))
    );
    assert!(
        end.why().contains("to train on, at least 1000 are needed"),
        "{}",
        end.why()
    );
    assert!(world.comprehend.calls("CreateDocumentClassifier").is_empty());
}

#[tokio::test]
async fn rows_that_a_model_did_not_answer_count_as_wrong() {
    let world = World::new().await;
    world.comprehend.state().lines_left_out = 5;

    Walk::new(&world, "first").build().await;

    let decision: DecisionRecord = world
        .read("builds/first/decision.json")
        .await
        .expect("a decision");
    let challenger = decision.decision.challenger.evaluation;
    let right = (challenger.accuracy * challenger.rows as f64).round() as usize;
    assert_eq!(right, challenger.rows - 5);
}

#[tokio::test]
async fn the_built_in_endpoint_gets_its_first_model_without_a_comparison() {
    let world = World::new().await;
    let waiting = json!({"EndpointArn": crate::world::ENDPOINT_ARN, "Status": "CREATING"});
    world.comprehend.state().endpoint = Some(waiting);

    let end = Walk::new(&world, "first").build().await;

    assert_eq!(end.build["status"], "deployed", "{end:?}");
    let created = &world.comprehend.calls("CreateEndpoint")[0];
    assert_eq!(
        (&created["EndpointName"], &created["DesiredInferenceUnits"]),
        (&json!("news"), &json!(1))
    );
    assert!(
        world
            .comprehend
            .serving()
            .contains("document-classifier/news/version/")
    );
    assert_eq!(world.deployments().await[0]["previousModelArn"], json!(null));
}

#[tokio::test]
async fn an_endpoint_of_comprehend_whose_mode_would_change_is_left_and_it_is_said_how_to_make_another() {
    let mut world = World::new().await;
    world.settings.insert("SEVERAL_LABELS", "true");
    let mode = "MULTI_CLASS".to_owned();
    world.comprehend.state().modes.insert(champion(), mode);

    let end = Walk::new(&world, "first").build().await;

    let created = &world.comprehend.calls("CreateDocumentClassifier")[0];
    assert_eq!(created["Mode"], "MULTI_LABEL");
    assert_eq!(end.build["status"], "refused", "{end:?}");
    for words in [
        "delete-endpoint --endpoint-arn arn:aws:comprehend:",
        "--endpoint-name news --model-arn arn:aws:",
    ] {
        assert!(end.why().contains(words), "{}", end.why());
    }
    assert!(world.comprehend.calls("DeleteEndpoint").is_empty());
}

#[tokio::test]
async fn the_built_in_endpoint_is_made_anew_for_a_model_of_another_mode() {
    let mut world = World::new().await;
    world.settings.insert("SEVERAL_LABELS", "true");
    world.settings.insert("CLASSIFIER_URL", "http://127.0.0.1:1/");
    let mode = "MULTI_CLASS".to_owned();
    world.comprehend.state().modes.insert(champion(), mode);

    let end = Walk::new(&world, "first").every_step(2).build().await;
    let back = Walk::new(&world, "back")
        .run(json!({"action": "roll-back", "reason": "manual"}))
        .await;

    assert_eq!(end.build["status"], "deployed", "{end:?}");
    assert_eq!(back.build["status"], "rolled-back", "{back:?}");
    assert_eq!(world.comprehend.serving(), champion());
    assert!(world.comprehend.calls("UpdateEndpoint").is_empty());
    let made: Vec<String> = world
        .comprehend
        .calls("CreateEndpoint")
        .iter()
        .map(|call| call["ModelArn"].to_string())
        .collect();
    assert_eq!(
        (made.len(), world.comprehend.calls("DeleteEndpoint").len()),
        (2, 2)
    );
    assert_eq!(made[1], json!(champion()).to_string());
}
