//! Versions, and going back to one.

use active_learning_aws::overview;
use chrono::Utc;
use model_building::{Outcome, versions};
use serde_json::{Value, json};

use crate::{
    walk::Walk,
    world::{World, champion},
};

#[tokio::test]
async fn versions_show_scores_lineage_and_what_became_of_them() {
    let world = World::new().await;
    Walk::new(&world, "first").build().await;
    let first = world.comprehend.serving();
    world.put_rows("more", 300..400).await;
    world.put_labels("audit", &first, 2_000..2_010, 9).await;
    world
        .function()
        .handle(json!({"operation": "tick"}))
        .await
        .expect("tallied");
    Walk::new(&world, "second").build().await;

    let versions = versions(&world.bucket(), Some(&first)).await.expect("versions");

    let [initial, deployed, refused] = &versions[..] else {
        panic!("{versions:?}")
    };
    assert_eq!(
        (initial.version.as_str(), initial.build_id.as_deref()),
        ("v0", None)
    );
    assert!(initial.scores.is_some_and(|scores| scores.accuracy < 0.9));
    assert_eq!(
        (&deployed.model_arn, deployed.outcome),
        (&first, Some(Outcome::Deployed))
    );
    assert_eq!(deployed.champion, Some(champion()));
    assert_eq!(deployed.scores.map(|scores| scores.accuracy), Some(1.0));
    assert!(deployed.serving && deployed.deployed_at.is_some() && !deployed.rolled_back);
    let audited = deployed.audited.expect("audits");
    assert_eq!((audited.audited, audited.accuracy), (10, 0.9));
    let confidence = deployed.confidence.expect("audits with a confidence");
    assert_eq!(confidence.judged, 10);
    assert!(confidence.ranking.is_none(), "one wrong prediction says nothing");
    assert_eq!(initial.confidence, None);
    assert_eq!(refused.outcome, Some(Outcome::Refused), "{refused:?}");
    assert_eq!(refused.parent.as_deref(), Some(deployed.version.as_str()));
    assert!(refused.train_rows > deployed.train_rows && !refused.serving && refused.deployed_at.is_none());
}

#[tokio::test]
async fn a_person_rolls_back_to_the_model_before_and_no_further() {
    let world = World::new().await;
    Walk::new(&world, "first").build().await;
    let challenger = world.comprehend.serving();
    let roll_back = json!({"action": "roll-back", "reason": "manual"});

    let back = Walk::new(&world, "back")
        .every_step(2)
        .run(roll_back.clone())
        .await;
    let further = Walk::new(&world, "further").run(roll_back).await;

    assert_eq!(back.build["status"], "rolled-back", "{back:?}");
    assert_eq!(world.comprehend.serving(), champion());
    assert_eq!(further.state, "Failed");
    assert!(
        further.why().contains("no model is known to have served before"),
        "{}",
        further.why()
    );
    let versions = versions(&world.bucket(), Some(&champion()))
        .await
        .expect("versions");
    let rolled_back = versions.iter().find(|version| version.model_arn == challenger);
    assert!(rolled_back.is_some_and(|version| version.rolled_back && !version.serving));
}

#[tokio::test]
async fn any_trained_model_can_be_brought_back_by_its_arn() {
    let world = World::new().await;
    Walk::new(&world, "first").build().await;
    let to = |model: &str| json!({"action": "roll-back", "reason": "manual", "modelArn": model});
    let challenger = world.comprehend.serving();

    let same = Walk::new(&world, "same").run(to(&challenger)).await;
    let gone = Walk::new(&world, "gone")
        .run(to("arn:aws:comprehend:us-east-1:1:document-classifier/x"))
        .await;
    let back = Walk::new(&world, "back").run(to(&champion())).await;
    let forth = Walk::new(&world, "forth").run(to(&challenger)).await;

    assert_eq!(
        (same.state.as_str(), &same.build["status"]),
        ("Done", &json!("nothing-to-do"))
    );
    assert!(gone.why().starts_with("there is no model"), "{}", gone.why());
    assert_eq!(
        [&back.build["status"], &forth.build["status"]],
        ["rolled-back", "rolled-back"]
    );
    assert_eq!(world.comprehend.serving(), challenger);
}

#[tokio::test]
async fn a_model_from_before_a_rename_comes_back_be_it_known_by_its_own_words_or_by_the_names_of_then() {
    let world = World::new().await;
    world.put_renamed("Cat", "Feline").await;
    Walk::new(&world, "first").build().await;
    let known: Vec<Value> = world
        .read("builds/first/evaluation/known.json")
        .await
        .expect("rows");
    let roll_back = json!({"action": "roll-back", "reason": "manual"});

    let back = Walk::new(&world, "back").run(roll_back).await;
    let renamed: Vec<Value> = known
        .iter()
        .map(|row| json!({"text": row["text"], "champion": row["champion"], "challenger": "Feline"}))
        .collect();
    let of_before: Vec<Value> = renamed
        .into_iter()
        .zip(&known)
        .map(|(renamed, known)| {
            if known["challenger"] == "Cat" {
                renamed
            } else {
                known.clone()
            }
        })
        .collect();
    let of_before = serde_json::to_vec(&of_before).expect("JSON");
    world.put("builds/first/evaluation/known.json", of_before).await;
    let new = known_model(&world, "first").await;
    let forth = Walk::new(&world, "forth")
        .run(json!({"action": "roll-back", "reason": "manual", "modelArn": new}))
        .await;

    assert!(known.iter().all(|row| row["challenger"] != "Feline"), "{known:?}");
    assert!(known.iter().any(|row| row["challenger"] == "Cat"), "{known:?}");
    assert_eq!(back.build["status"], "rolled-back", "{back:?}");
    assert_eq!(forth.build["status"], "rolled-back", "{forth:?}");
}

async fn known_model(world: &World, build: &str) -> String {
    let record: Value = world
        .read(&format!("builds/{build}/record.json"))
        .await
        .expect("a record");
    record["challenger"].as_str().expect("a model").to_owned()
}

#[tokio::test]
async fn a_roll_back_that_failed_leaves_the_model_as_one_that_served_all_along() {
    let world = World::new().await;
    Walk::new(&world, "first").build().await;
    let serving = world.comprehend.serving();
    world.comprehend.state().wrong.insert(champion(), 0);

    let failed = Walk::new(&world, "back")
        .run(json!({"action": "roll-back", "reason": "manual"}))
        .await;
    let said = overview::serving(&world.bucket(), Utc::now())
        .await
        .expect("read");
    let versions = versions(&world.bucket(), Some(&serving)).await.expect("versions");

    assert!(
        failed.why().contains("the model before serves again"),
        "{}",
        failed.why()
    );
    assert_eq!(
        world.deployments().await.len(),
        3,
        "what happened stays written down"
    );
    let said = said.expect("a model serves");
    assert_eq!((said.model_arn, said.by.as_str()), (serving.clone(), "build"));
    assert_eq!(said.build_id, "first");
    assert!(
        versions.iter().all(|version| !version.rolled_back),
        "{versions:?}"
    );
    let (_, message) = failed.told.last().expect("a message");
    assert!(!message.contains("active-learning build"), "{message}");
}

#[tokio::test]
async fn a_model_that_never_served_is_not_brought_back() {
    let mut world = World::new().await;
    world.settings.insert("APPROVE_DEPLOYMENTS", "true");
    let rejected = Walk::new(&world, "first")
        .approval(Err(("Rejected", "recall of cats fell")))
        .build()
        .await;
    let model = known_model(&world, "first").await;

    let end = Walk::new(&world, "back")
        .run(json!({"action": "roll-back", "reason": "manual", "modelArn": model}))
        .await;

    assert_eq!(rejected.build["status"], "refused", "{rejected:?}");
    assert!(
        end.why().contains("never served, so it cannot be brought back"),
        "{}",
        end.why()
    );
    assert_eq!(world.comprehend.serving(), champion());
    assert!(world.comprehend.calls("UpdateEndpoint").is_empty());
}
