//! Erasures in a bucket that keeps versions.

use active_learning_aws::bucket::Bucket;
use active_learning_core::keys;
use chrono::Utc;
use erasure::erase::{self, Buckets, Job};
use local_aws::{
    LocalAws,
    iam::RoleSpec,
    s3::{BucketSpec, Versioning},
};
use serde_json::json;

const TEXT: &str = "I live in 4 Elm Street, next to the old mill.";
const OTHER: &str = "Something that another person has said.";
const USER: &str = "jane.roe@example.com";

/// Buckets in memory; that of training keeps versions.
struct World {
    buckets: Buckets,
    aws: LocalAws,
}

impl World {
    fn new() -> Self {
        Self::versioning("training")
    }

    /// With one bucket that keeps versions.
    fn versioning(bucket: &str) -> Self {
        let aws = LocalAws::in_memory();
        for name in ["batch", "feedback", "review", "training"] {
            let spec = BucketSpec {
                name: name.to_owned(),
                versioning: (name == bucket).then_some(Versioning::Enabled),
                ..BucketSpec::default()
            };
            aws.s3.put_bucket(spec).expect("the index works");
        }
        let buckets = buckets(&aws.sdk_config());
        Self { buckets, aws }
    }

    /// Buckets as somebody sees them who may do all but these actions.
    fn without(&self, denied: &[&str]) -> Buckets {
        let arn = "arn:aws:iam::000000000000:role/operator".to_owned();
        let role = RoleSpec {
            name: "operator".to_owned(),
            arn: arn.clone(),
            trust_policy: json!({"Version": "2012-10-17", "Statement": []}),
            policies: vec![json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
                {"Effect": "Deny", "Action": denied, "Resource": "*"},
            ]})],
        };
        self.aws.iam.put_role(role).expect("a role");
        buckets(&self.aws.sdk_config_for_role(&arn).expect("it is there"))
    }

    async fn find(&self, texts: &[&str], users: &[&str]) -> Job {
        let owned = |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
        let found = erase::find(&self.buckets, &owned(texts), &owned(users), Utc::now()).await;
        found.expect("looked through")
    }

    /// Keys of all versions of the training bucket that hold a text, and whether each is what is there now.
    async fn holding(&self, text: &str) -> Vec<(String, bool)> {
        self.holding_in("training", text).await
    }

    async fn holding_in(&self, bucket: &str, text: &str) -> Vec<(String, bool)> {
        let s3 = aws_sdk_s3::Client::new(&self.aws.sdk_config());
        let listed = s3.list_object_versions().bucket(bucket).send().await;
        let mut holding = Vec::new();
        for version in listed.expect("listed").versions() {
            let (key, id) = (
                version.key().expect("a key"),
                version.version_id().expect("an id"),
            );
            let got = s3
                .get_object()
                .bucket(bucket)
                .key(key)
                .version_id(id)
                .send()
                .await;
            let bytes = got.expect("there").body.collect().await.expect("whole").to_vec();
            if String::from_utf8_lossy(&bytes).contains(text) {
                holding.push((key.to_owned(), version.is_latest() == Some(true)));
            }
        }
        holding
    }
}

fn buckets(sdk: &aws_types::SdkConfig) -> Buckets {
    let batch = Bucket::new(aws_sdk_s3::Client::new(sdk), "batch");
    Buckets {
        feedback: batch.other("feedback"),
        review: batch.other("review"),
        training: batch.other("training"),
        batch,
    }
}

async fn put(bucket: &Bucket, key: &str, content: String) {
    bucket
        .put(key, "text/plain", content.into_bytes())
        .await
        .expect("stored");
}

fn labelled(text: &str) -> String {
    json!({"record": {"classifier": "news", "utterance": text}}).to_string()
}

#[tokio::test]
async fn old_versions_go_that_hold_an_erased_text_also_of_objects_that_are_gone() {
    let world = World::new();
    let training = &world.buckets.training;
    put(training, "disputed/gone.json", labelled(TEXT)).await;
    training.delete("disputed/gone.json").await.expect("deleted");
    for text in [&format!("He wrote: {TEXT}"), OTHER] {
        put(training, "disputed/of-another.json", labelled(text)).await;
    }
    let rows = |text: &str| format!("World,\"{text}\"\nWorld,Other\n");
    for text in [TEXT, OTHER] {
        put(training, "datasets/v1/train.csv", rows(text)).await;
    }
    for text in [OTHER, TEXT] {
        put(training, "disputed/there.json", labelled(text)).await;
    }
    put(training, "label-set.json", labelled(TEXT)).await;
    put(training, "label-set.json", labelled(OTHER)).await;

    let job = world.find(&[TEXT], &[]).await;
    let preview = erase::preview(&world.buckets, job.clone())
        .await
        .expect("looked through");
    let before = world.holding(TEXT).await;
    let report = erase::erase(&world.buckets, job).await.expect("erased");

    assert_eq!((preview.in_old_versions, preview.old_versions), (2, 0));
    assert_eq!(before.len(), 5, "a preview changes nothing");
    // A text that is longer is another; a label set holds no texts of people.
    assert_eq!(
        world.holding(TEXT).await,
        [
            ("disputed/of-another.json".to_owned(), false),
            ("label-set.json".to_owned(), false)
        ]
    );
    // Of `there.json` all that was goes: two versions, and the mark of its deletion.
    assert_eq!((report.in_old_versions, report.old_versions), (0, 5));
    assert!(report.is_complete());
}

#[tokio::test]
async fn texts_of_a_user_are_found_that_only_old_versions_hold() {
    let world = World::new();
    let training = &world.buckets.training;
    let record = json!({"record": {"classifier": "news", "utterance": TEXT, "user": USER}}).to_string();
    put(training, "disputed/a.json", record).await;
    training.delete("disputed/a.json").await.expect("deleted");
    put(training, "datasets/v1/train.csv", format!("World,\"{TEXT}\"\n")).await;

    let job = world.find(&[], &[USER]).await;
    let texts = job.texts.clone();
    erase::erase(&world.buckets, job).await.expect("erased");

    assert_eq!(texts.into_iter().collect::<Vec<_>>(), [TEXT]);
    assert_eq!(world.holding(TEXT).await, []);
}

#[tokio::test]
async fn proposed_labels_that_quote_a_text_go_from_old_sums_too() {
    let world = World::new();
    let training = &world.buckets.training;
    let tally = |name: &str| json!({"proposed": {name: 1}}).to_string();
    for name in [OTHER, TEXT, OTHER] {
        put(training, keys::TALLY, tally(name)).await;
    }

    let job = world.find(&[TEXT], &[]).await;
    let report = erase::erase(&world.buckets, job).await.expect("erased");

    assert_eq!(world.holding(TEXT).await, []);
    assert_eq!(world.holding(OTHER).await.len(), 2);
    assert_eq!(report.old_versions, 1);
}

#[tokio::test]
async fn an_old_version_that_s3_does_not_let_go_is_told() {
    let world = World::new();
    for text in [TEXT, OTHER] {
        put(&world.buckets.training, "disputed/a.json", labelled(text)).await;
    }
    let job = world.find(&[TEXT], &[]).await;
    let buckets = world.without(&["s3:DeleteObjectVersion"]);

    let report = erase::erase(&buckets, job.clone())
        .await
        .expect("the rest is done");
    let again = erase::erase(&world.buckets, job).await.expect("erased");

    assert!(!report.is_complete());
    let kept: Vec<_> = report.kept_versions.iter().collect();
    assert!(
        kept.len() == 1 && kept[0].starts_with("s3://training/disputed/a.json (version "),
        "{kept:?}"
    );
    assert!(again.is_complete());
    assert_eq!(world.holding(TEXT).await, []);
}

#[tokio::test]
async fn a_version_of_the_erasure_s_own_document_that_s3_does_not_let_go_is_told() {
    let world = World::versioning("feedback");
    put(&world.buckets.training, "disputed/a.json", labelled(TEXT)).await;
    let job = world.find(&[TEXT], &[]).await;
    let key = keys::erasure(&job.id);
    let buckets = world.without(&["s3:DeleteObjectVersion"]);

    let report = erase::erase(&buckets, job.clone())
        .await
        .expect("the rest is done");
    let held = world.holding_in("feedback", TEXT).await;
    let again = erase::erase(&world.buckets, job).await.expect("erased");

    assert!(!report.is_complete());
    let told = format!("s3://feedback/{key} (old versions)");
    assert!(report.kept_versions.contains(&told), "{:?}", report.kept_versions);
    assert_eq!(held, [(key, false)], "it is hidden, and not gone");
    assert!(again.is_complete(), "{:?}", again.kept_versions);
    assert_eq!(world.holding_in("feedback", TEXT).await, []);
}
