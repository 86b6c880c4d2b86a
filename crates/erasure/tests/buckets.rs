//! Erasures over whole buckets: what is worked off is not delivered again, what was broken off is ended.

use active_learning_aws::{bucket::Bucket, erased::ErasedList, overview::RefusedFile, training_files};
use active_learning_core::{
    dataset::{DatasetManifest, inspect_csv},
    erasure::{ErasedTexts, Erasing, LearntAndErased},
    feedback::{FeedbackRecord, Signal},
    keys,
    labels::{
        human_loop::Answer,
        label_set::{LABEL_SET_KEY, LabelSet, Origin},
        labelled::LabelledRecord,
        prediction_result::{KeptPrediction, Status},
        vote::{Note, Vote, VoteSource},
    },
};
use chrono::{TimeDelta, Utc};
use erasure::erase::{self, Buckets, Job};
use human_review::human_loop::{FlowRules, HumanLoop, Status as LoopStatus};
use local_aws::{LocalAws, s3::BucketSpec};
use serde_json::{Value, json};

const TEXT: &str = "I live in 4 Elm Street, next to the old mill.";
const OTHER: &str = "Something that another person has said.";

/// Buckets in memory.
struct World {
    buckets: Buckets,
    _aws: LocalAws,
}

impl World {
    fn new() -> Self {
        let aws = LocalAws::in_memory();
        for name in ["batch", "feedback", "review", "training"] {
            let name = name.to_owned();
            let spec = BucketSpec {
                name,
                ..BucketSpec::default()
            };
            aws.s3.put_bucket(spec).expect("the index works");
        }
        let batch = Bucket::new(aws_sdk_s3::Client::new(&aws.sdk_config()), "batch");
        let buckets = Buckets {
            feedback: batch.other("feedback"),
            review: batch.other("review"),
            training: batch.other("training"),
            batch,
        };
        Self { buckets, _aws: aws }
    }

    async fn erase(&self) -> erase::Report {
        let job = self.find().await;
        erase::erase(&self.buckets, job).await.expect("erased")
    }

    async fn find(&self) -> Job {
        let found = erase::find(&self.buckets, &[TEXT.to_owned()], &[], Utc::now()).await;
        found.expect("looked through")
    }
}

async fn put(bucket: &Bucket, key: &str, content: impl Into<Vec<u8>>) {
    let content: Vec<u8> = content.into();
    bucket.put(key, "text/plain", content).await.expect("stored");
}

async fn content(bucket: &Bucket, key: &str) -> Option<String> {
    let object = bucket.read(key, 1 << 20).await.expect("S3 answers");
    object.map(|object| String::from_utf8(object.bytes).expect("UTF-8"))
}

fn record(text: &str) -> FeedbackRecord {
    let record = json!({"classifier": "news", "utterance": text}).to_string();
    FeedbackRecord::parse(record.as_bytes()).expect("a record")
}

#[tokio::test]
async fn what_was_worked_off_is_marked_and_what_was_not_is_delivered_again() {
    let world = World::new();
    let feedback = &world.buckets.feedback;
    let lines = record(TEXT).to_line() + &record(OTHER).to_line();
    put(feedback, "feedback/2026/11/29/10/old.gz", lines.clone()).await;
    put(feedback, "feedback/2026/11/29/10/new.gz", lines).await;
    put(feedback, "feedback/2026/11/29/10/own.gz", record(TEXT).to_line()).await;
    let done = keys::worked_off("feedback", "feedback/2026/11/29/10/old.gz");
    put(feedback, &keys::claim(&done), "{}").await;

    let report = world.erase().await;

    let left = record(OTHER).to_line();
    for (name, is_left) in [("old", true), ("new", false)] {
        let key = format!("feedback/2026/11/29/10/{name}.gz");
        assert_eq!(content(feedback, &key).await.as_deref(), Some(left.as_str()));
        assert_eq!(
            feedback.is_left(&key).await.expect("S3 answers"),
            is_left,
            "{name}"
        );
    }
    assert_eq!(content(feedback, "feedback/2026/11/29/10/own.gz").await, None);
    assert_eq!(report.delivered_again, 1);
}

#[tokio::test]
async fn marks_of_an_earlier_erasure_are_no_text_of_a_later_one() {
    let world = World::new();
    let training = &world.buckets.training;
    let rows = format!("World,\"{TEXT}\"\nSports,\"{OTHER}\"\n");
    put(training, "initial/a.csv", rows).await;
    world.erase().await;

    let found = erase::find(&world.buckets, &["true".to_owned()], &[], Utc::now()).await;
    let later = erase::erase(&world.buckets, found.expect("looked through")).await;

    let later = later.expect("erased");
    assert!(later.is_complete(), "{later:?}");
    let left = content(training, "initial/a.csv").await;
    assert_eq!(left, Some(format!("Sports,\"{OTHER}\"\n")));
}

#[tokio::test]
async fn uploads_that_are_not_completed_and_metadata_with_the_text_are_named() {
    let world = World::new();
    let batch = &world.buckets.batch;
    let s3 = aws_sdk_s3::Client::new(&world._aws.sdk_config());
    let begun = |bucket: &str, key: &str| s3.create_multipart_upload().bucket(bucket).key(key).send();
    begun("batch", "big.jsonl").await.expect("begun");
    begun("training", "encoder/model.bin").await.expect("begun");
    let put_with = |key: &str, name: &str, value: &str| {
        let put = s3.put_object().bucket("batch").key(key).metadata(name, value);
        put.body(aws_sdk_s3::primitives::ByteStream::from_static(
            b"{\"sentence\":\"Any\"}\n",
        ))
        .send()
    };
    put_with("named.jsonl", "summary", TEXT).await.expect("stored");
    put_with("other.jsonl", "summary", OTHER).await.expect("stored");
    let expected = ["big.jsonl", "named.jsonl"].map(|key| batch.uri(key));

    let preview = erase::preview(&world.buckets, world.find().await)
        .await
        .expect("looked through");
    let report = world.erase().await;

    for report in [preview, report] {
        assert_eq!(report.unread.keys().cloned().collect::<Vec<_>>(), expected);
        assert!(!report.is_complete());
        assert!(
            report.unread[&expected[0]].contains("not completed"),
            "{report:?}"
        );
        assert!(report.unread[&expected[1]].contains("metadata"), "{report:?}");
    }
}

#[tokio::test]
async fn an_early_like_loses_the_name_of_its_user_and_stays_a_vote() {
    let world = World::new();
    let feedback = &world.buckets.feedback;
    let early = |name: &str| {
        json!({"schemaVersion": 1, "votes": [
            {"vote": {"worker": name, "at": "2026-11-29T10:00:00Z"}, "occurrence": 7},
            {"vote": {"worker": "user:bob", "at": "2026-11-29T10:00:00Z"}, "occurrence": 8}]})
    };
    put(feedback, "claims/liked-f", early("user:Zoe Roe").to_string()).await;
    let users = ["zoe roe".to_owned()];
    let job = erase::find(&world.buckets, &[], &users, Utc::now())
        .await
        .expect("looked through");
    let alias = format!("user:erased-{}-1", &job.id[..6]);

    let report = erase::erase(&world.buckets, job).await.expect("erased");

    let left = content(feedback, "claims/liked-f").await.expect("it stays");
    assert_eq!(left, early(&alias).to_string());
    assert_eq!(report.found["feedback:claims/"].objects, 1);
}

#[tokio::test]
async fn the_object_of_a_failed_event_stays_so_that_it_can_be_sent_again() {
    let world = World::new();
    let feedback = &world.buckets.feedback;
    put(feedback, "feedback/failed.gz", record(TEXT).to_line()).await;
    let failure = json!({"requestPayload": {"Records": [
        {"s3": {"bucket": {"name": "feedback"}, "object": {"key": "feedback/failed.gz"}}}]}});
    put(feedback, "aws/lambda/async/a2i-trigger/1", failure.to_string()).await;

    world.erase().await;

    let failed = active_learning_aws::redrive::list(feedback)
        .await
        .expect("listed");
    let outcome = active_learning_aws::redrive::redrive(feedback, failed).await;
    assert_eq!(content(feedback, "feedback/failed.gz").await.as_deref(), Some(""));
    assert_eq!((outcome.redriven, outcome.kept), (1, Vec::new()));
}

#[tokio::test]
async fn a_dataset_version_is_rewritten_with_its_manifest_and_its_model_is_marked() {
    let world = World::new();
    let training = &world.buckets.training;
    let train = format!("World,{OTHER}\nSports,\"{TEXT}\"\n");
    let file = |name: &str, content: &str| {
        let (summary, _) = inspect_csv(
            content.as_bytes(),
            active_learning_core::dataset::Mode::MultiClass,
        );
        let mut file = json!(summary);
        file["key"] = format!("datasets/v1/{name}").into();
        file
    };
    let manifest = json!({"version": "v1", "parent": null, "createdAt": "t", "mode": "MULTI_CLASS", "sources": {},
        "train": file("train.csv", &train), "test": file("test.csv", &train)});
    put(training, "datasets/v1/train.csv", train.clone()).await;
    put(training, "datasets/v1/test.csv", train).await;
    put(training, "datasets/v1/manifest.json", manifest.to_string()).await;
    let build = json!({"dataset": "v1", "challenger": "arn/news/version/Comprehend-Generated-v1-0f"});
    put(training, "builds/b-1/record.json", build.to_string()).await;
    put(
        training,
        "builds/b-1/flywheel/train.csv",
        format!("Sports,\"{TEXT}\"\n"),
    )
    .await;
    let lake = "flywheels/news/schemaVersion=1/20261121T100000Z/Datasets/TRAIN/v1.csv";
    put(training, lake, format!("World,{OTHER}\nSports,\"{TEXT}\"\n")).await;
    put(
        training,
        "datasets/split/held-out-1.txt",
        "i live in 4 elm street next to the old mill\n",
    )
    .await;

    let report = world.erase().await;

    let left = format!("World,{OTHER}\n");
    let manifest: Option<DatasetManifest> = training
        .read_document("datasets/v1/manifest.json")
        .await
        .expect("JSON");
    let manifest = manifest.expect("it is there");
    let (summary, _) = inspect_csv(left.as_bytes(), manifest.mode);
    assert_eq!(
        (&manifest.train.summary, &manifest.test.summary),
        (&summary, &summary)
    );
    assert_eq!(manifest.left_out["erased"], 2);
    assert_eq!(
        content(training, "datasets/v1/train.csv").await.as_deref(),
        Some(left.as_str())
    );
    assert_eq!(
        content(training, "datasets/split/held-out-1.txt")
            .await
            .as_deref(),
        Some("")
    );
    let learnt: Option<LearntAndErased> = training
        .read_document(keys::LEARNT_AND_ERASED)
        .await
        .expect("JSON");
    let learnt = learnt.expect("it is there");
    let by_flywheel = learnt.of_model("arn/news/version/Comprehend-Generated-v1-0f");
    assert_eq!((learnt.of_model("arn/v1"), by_flywheel), (Some(1), Some(1)));
    assert_eq!(content(training, lake).await.as_deref(), Some(left.as_str()));
    assert_eq!(
        content(training, "builds/b-1/flywheel/train.csv")
            .await
            .as_deref(),
        Some("")
    );
    assert_eq!(report.learnt["v1"], 1);
}

#[tokio::test]
async fn a_near_duplicate_of_what_is_gone_is_asked_by_itself() {
    let world = World::new();
    let Buckets {
        feedback, training, ..
    } = &world.buckets;
    let (own, other) = (record(TEXT), record(OTHER));
    put(
        feedback,
        &keys::question(&own.id),
        json!({"record": own}).to_string(),
    )
    .await;
    let copy = format!("copies/{}/{}-1.json", own.id, other.id);
    put(training, &copy, other.to_line()).await;
    put(feedback, &keys::claim(&other.id), "{}").await;

    let report = world.erase().await;

    let [released] = &feedback.list("feedback/released/").await.expect("listed")[..] else {
        panic!("one object");
    };
    assert_eq!(content(feedback, &released.key).await, Some(other.to_line()));
    assert_eq!(content(training, &copy).await, None);
    assert_eq!(content(feedback, &keys::claim(&other.id)).await, None);
    assert_eq!(report.asked_themselves, 1);
}

#[tokio::test]
async fn an_erasure_that_was_broken_off_is_ended_by_another_run_and_twice_is_once() {
    let world = World::new();
    let Buckets {
        feedback, training, ..
    } = &world.buckets;
    put(
        feedback,
        "rejected/a2i-trigger/a-00001.jsonl",
        format!("nonsense {TEXT}\n"),
    )
    .await;
    put(
        training,
        "labelled/review-1.jsonl",
        json!({"record": record(TEXT)}).to_string(),
    )
    .await;
    // Broken off after the records, by which the text was found, were gone.
    let mut job = world.find().await;
    job.texts.insert(TEXT.to_owned());
    let key = keys::erasure(&job.id);
    feedback.put_document(&key, &job).await.expect("stored");
    training.delete("labelled/review-1.jsonl").await.expect("deleted");

    let unfinished = erase::unfinished(&world.buckets).await.expect("listed");
    let [job] = &unfinished[..] else {
        panic!("one: {unfinished:?}")
    };
    let first = erase::erase(&world.buckets, job.clone()).await.expect("erased");
    let second = world.erase().await;

    assert_eq!(first.total().pieces, 1);
    assert!(second.is_empty(), "{second:?}");
    assert_eq!(
        content(feedback, "rejected/a2i-trigger/a-00001.jsonl").await,
        None
    );
    assert!(
        erase::unfinished(&world.buckets)
            .await
            .expect("listed")
            .is_empty()
    );
    for bucket in [feedback, training] {
        assert!(
            ErasedList::new(bucket.clone())
                .contains(TEXT)
                .await
                .expect("S3 answers")
        );
    }
}

#[tokio::test]
async fn packs_of_labels_are_deleted_and_not_by_a_preview() {
    let world = World::new();
    let training = &world.buckets.training;
    let labelled = json!({"record": record(TEXT)}).to_string();
    put(training, "labelled/review-1.jsonl", labelled.clone()).await;
    put(training, "labelled-new/review-1/w", "").await;
    let repeated = keys::Packs::ALL.map(|packs| [packs.index.to_owned(), packs.pack("a"), packs.pack("b")]);
    let mut repeated = repeated.as_flattened().to_vec();
    repeated.push(keys::COUNTED_COPIES.to_owned());
    let repeated = &repeated;
    for key in repeated {
        put(training, key, labelled.clone()).await;
    }
    let preview = erase::preview(&world.buckets, world.find().await).await;
    preview.map(drop).expect("tried");
    for key in repeated {
        assert!(training.exists(key).await.expect("S3 answers"), "{key}");
    }

    world.erase().await;

    for key in repeated {
        assert_eq!(content(training, key).await, None, "{key}");
    }
    let mark = training.exists("labelled-new/review-1/w").await;
    assert!(mark.expect("S3 answers"), "its object is to be counted still");
}

#[tokio::test]
async fn a_preview_counts_and_changes_nothing() {
    let world = World::new();
    let feedback = &world.buckets.feedback;
    let key = "feedback/one.gz";
    put(feedback, key, record(TEXT).to_line()).await;

    let report = erase::preview(&world.buckets, world.find().await)
        .await
        .expect("tried");

    assert_eq!(
        json!(report.found),
        json!({"feedback:feedback/": {"objects": 1, "pieces": 1}})
    );
    assert_eq!(content(feedback, key).await, Some(record(TEXT).to_line()));
    let list: Option<Value> = feedback.read_document(keys::ERASED_TEXTS).await.expect("none");
    assert_eq!(list, None);
}

#[tokio::test]
async fn an_uploaded_file_that_has_a_report_is_not_read_again() {
    let world = World::new();
    let Buckets { batch, feedback, .. } = &world.buckets;
    put(batch, "news/file.csv", format!("sentence\n{OTHER}\n\"{TEXT}\"\n")).await;
    let listed = batch.list("news/").await.expect("listed");
    let name = keys::result_name("batch", "news/file.csv", &listed[0].etag);
    put(feedback, &keys::batch_report(&name), "{}").await;

    let report = world.erase().await;

    let left = format!("sentence\n{OTHER}\n");
    assert_eq!(content(batch, "news/file.csv").await, Some(left));
    assert!(batch.is_left("news/file.csv").await.expect("S3 answers"));
    assert_eq!(report.delivered_again, 0);
}

/// Where the built-in service keeps what a human loop asks.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    /// In the state, where it is small.
    InState,
    /// In an object of its own, as in versions before.
    Beside,
}

/// Writes a human loop of the built-in service with what it asks, and of which one answer is in.
async fn put_loop(review: &Bucket, name: &str, input: &Value, asked: Asked) {
    let rules = FlowRules {
        task_count: 2,
        availability: TimeDelta::days(30),
        time_limit: TimeDelta::minutes(10),
        excluded_workers: Vec::new(),
    };
    let mut state = HumanLoop::start(format!("id-{name}"), name, &input.to_string(), Utc::now(), &rules);
    if asked == Asked::Beside {
        state.input = None;
        let key = format!("human-review/inputs/id-{name}.json");
        put(review, &key, input.to_string()).await;
    }
    let key = format!("human-review/loops/{name}.json");
    put(review, &key, json!(state).to_string()).await;
}

#[tokio::test]
async fn a_loop_of_which_one_text_is_gone_keeps_the_numbers_of_the_others_and_one_of_nothing_else_ends() {
    for asked in [Asked::InState, Asked::Beside] {
        let world = World::new();
        let review = &world.buckets.review;
        let (own, other) = (record(TEXT), record(OTHER));
        let both = json!({"comprehendPredictions": [own, other]});
        put_loop(review, "both", &both, asked).await;
        put_loop(review, "own", &json!({"comprehendPredictions": [own]}), asked).await;
        let job = json!({"taskObject": TEXT, "labels": ["World"]});
        put_loop(review, "job", &job, asked).await;

        let report = world.erase().await;

        let state = async |name: &str| {
            let key = format!("human-review/loops/{name}.json");
            let state: Option<HumanLoop> = review.read_document(&key).await.expect("a state");
            state.expect("it is there")
        };
        let expected = json!({"comprehendPredictions": [{"id": own.id, "erased": true}, other]});
        let beside: Option<Value> = review
            .read_document("human-review/inputs/id-both.json")
            .await
            .expect("JSON");
        let held = state("both").await.input;
        assert_eq!(
            (held.or(beside), state("both").await.status),
            (Some(expected), LoopStatus::InProgress)
        );
        for name in ["own", "job"] {
            let key = format!("human-review/inputs/id-{name}.json");
            assert_eq!(content(review, &key).await, None, "{name}");
            let state = state(name).await;
            assert_eq!((state.input, state.status), (None, LoopStatus::Deleted), "{name}");
        }
        assert_eq!(report.loops, 2);
    }
}

#[tokio::test]
async fn a_loop_that_was_left_with_an_empty_input_is_ended_by_the_next_run() {
    let world = World::new();
    let Buckets { feedback, review, .. } = &world.buckets;
    let input = json!({"comprehendPredictions": [record(TEXT)]});
    put_loop(review, "own", &input, Asked::Beside).await;
    put(review, "human-review/inputs/id-own.json", Vec::new()).await;
    // Of Amazon A2I, and broken off once what told of it was gone.
    let mut job = world.find().await;
    job.asked.insert("elsewhere".to_owned());
    feedback
        .put_document(&keys::erasure(&job.id), &job)
        .await
        .expect("stored");

    let unfinished = erase::unfinished(&world.buckets).await.expect("listed");
    let report = erase::erase(&world.buckets, unfinished[0].clone())
        .await
        .expect("erased");

    assert_eq!(content(review, "human-review/inputs/id-own.json").await, None);
    assert_eq!(report.loops, 1);
    assert!(report.loops_elsewhere.contains("elsewhere"));
}

#[tokio::test]
async fn both_buckets_refuse_what_either_of_them_did() {
    let world = World::new();
    let Buckets {
        feedback, training, ..
    } = &world.buckets;
    for (bucket, text) in [(feedback, "In one"), (training, "In the other")] {
        let mut list = ErasedTexts::default();
        list.insert(text);
        ErasedList::new(bucket.clone()).add(&list).await.expect("stored");
    }
    put(
        training,
        "labelled/review-1.jsonl",
        json!({"record": record("In the other")}).to_string(),
    )
    .await;

    let again = erase::find(&world.buckets, &[], &[], Utc::now())
        .await
        .expect("looked through");
    erase::erase(&world.buckets, again).await.expect("erased");

    for bucket in [feedback, training] {
        let list = ErasedList::new(bucket.clone())
            .current()
            .await
            .expect("S3 answers");
        assert!(list.contains("In one") && list.contains("In the other"));
    }
    assert_eq!(
        content(training, "labelled/review-1.jsonl").await.as_deref(),
        Some("")
    );
}

#[tokio::test]
async fn the_sums_over_the_labels_stay_and_what_is_rewritten_is_not_counted_twice() {
    let world = World::new();
    let training = &world.buckets.training;
    let lines = format!(
        "{}\n{}\n",
        json!({"record": record(TEXT)}),
        json!({"record": record(OTHER)})
    );
    put(training, "labelled/review-1.jsonl", lines).await;
    let tally = json!({"labels": 9_900, "recent": {}, "proposed": {TEXT: 1, "Weather": 2}, "models": {"arn": {"judged": 2}}});
    put(training, keys::TALLY, tally.to_string()).await;

    world.erase().await;

    let left: Option<Value> = training.read_document(keys::TALLY).await.expect("JSON");
    let left = left.expect("it is there");
    assert_eq!(left["labels"], 9_900);
    assert_eq!(left["models"], tally["models"]);
    assert_eq!(left["proposed"], json!({"Weather": 2}));
    assert!(left["recent"]["labelled/review-1.jsonl"].is_string(), "{left}");
}

fn labelled(text: &str, label: &str) -> String {
    let vote = Vote {
        worker: "ada".to_owned(),
        answer: Answer::labels([label]),
        source: VoteSource::HumanReview,
        at: "2026-11-29T10:00:00Z".to_owned(),
        seconds: None,
        note: Note::default(),
    };
    let labelled = LabelledRecord::new(record(text), vec![vote], "review-1", "arn");
    format!("{}\n", serde_json::to_string(&labelled).expect("JSON"))
}

#[tokio::test]
async fn erased_labels_are_taken_out_of_the_sums_once_they_were_counted() {
    let world = World::new();
    let training = &world.buckets.training;
    let lines = labelled(TEXT, "World") + &labelled(OTHER, "Sports");
    for name in ["counted", "new"] {
        put(training, &format!("labelled/{name}.jsonl"), lines.clone()).await;
    }
    put(training, &keys::mark_of_labelled("new", "w"), "").await;
    let tally = json!({"labels": 2, "byLabel": {"World": 1, "Sports": 1}, "recent": {}, "proposed": {}});
    put(training, keys::TALLY, tally.to_string()).await;

    world.erase().await;

    let left: Option<Value> = training.read_document(keys::TALLY).await.expect("JSON");
    let left = left.expect("it is there");
    assert_eq!(left["labels"], 1, "{left}");
    assert_eq!(left["byLabel"], json!({"World": 0, "Sports": 1}));
    assert!(left["recent"]["labelled/counted.jsonl"].is_string(), "{left}");
    assert!(
        left["recent"]["labelled/new.jsonl"].is_null(),
        "its mark says that it is to be counted: {left}"
    );
}

#[tokio::test]
async fn rows_that_no_model_learnt_from_are_not_counted_as_learnt() {
    let world = World::new();
    let training = &world.buckets.training;
    let contradictory = "call me back";
    let file = format!("World,\"{TEXT}\"\nWorld,{contradictory}\nSports,{contradictory}\nWorld,{OTHER}\n");
    put(training, "initial/own.csv", file).await;
    let model = "arn:aws:comprehend:r:1:document-classifier/news/version/v7";
    let report =
        json!({"key": "initial/own.csv", "etag": "e", "state": "taken", "at": "t", "modelArn": model});
    put(training, "initial-reports/own.csv.json", report.to_string()).await;
    let texts = [TEXT.to_owned(), contradictory.to_owned()];
    let job = erase::find(&world.buckets, &texts, &[], Utc::now()).await;

    let report = erase::erase(&world.buckets, job.expect("looked through"))
        .await
        .expect("erased");

    assert_eq!(report.learnt, [("v7".to_owned(), 1)].into());
    let left = content(training, "initial/own.csv").await;
    assert_eq!(left, Some(format!("World,{OTHER}\n")));
}

#[tokio::test]
async fn rows_that_were_left_out_since_they_had_been_erased_are_not_counted_as_learnt() {
    let world = World::new();
    let training = &world.buckets.training;
    let again = "call me back";
    let file = format!("World,{again}\nWorld,\"{TEXT}\"\nSports,{again}\nWorld,{OTHER}\nWorld,{again}\n");
    put(training, "initial/own.csv", file).await;
    let etag = training.list("initial/own.csv").await.expect("listed")[0]
        .etag
        .clone();
    let model = "arn:aws:comprehend:r:1:document-classifier/news/version/v7";
    let report = json!({"key": "initial/own.csv", "etag": etag, "state": "taken", "at": "t", "modelArn": model,
        "erasedRows": [0, 2, 4]});
    put(training, "initial-reports/own.csv.json", report.to_string()).await;
    let texts = [TEXT.to_owned(), again.to_owned()];
    let job = erase::find(&world.buckets, &texts, &[], Utc::now()).await;

    let report = erase::erase(&world.buckets, job.expect("looked through"))
        .await
        .expect("erased");

    assert_eq!(report.learnt, [("v7".to_owned(), 1)].into());
    let left = content(training, "initial/own.csv").await;
    assert_eq!(left, Some(format!("World,{OTHER}\n")));
}

/// Returns from how many rows of a training file a model counts as having learnt once they are erased.
async fn learnt(file: &str, set: Option<LabelSet>, erased_rows: &[usize]) -> u64 {
    let world = World::new();
    let training = &world.buckets.training;
    put(training, "initial/own.csv", file).await;
    if let Some(set) = set {
        put(training, LABEL_SET_KEY, set.to_json()).await;
    }
    let model = "arn:aws:comprehend:r:1:document-classifier/news/version/v7";
    let report = json!({"key": "initial/own.csv", "etag": "of another file", "state": "taken", "at": "t",
        "modelArn": model, "erasedRows": erased_rows});
    put(training, "initial-reports/own.csv.json", report.to_string()).await;
    let report = world.erase().await;
    report.learnt.get("v7").copied().unwrap_or_default()
}

#[tokio::test]
async fn a_label_that_says_that_there_is_none_makes_no_row_learnt_and_contradicts_no_other() {
    let alone = format!("NULL,\"{TEXT}\"\nWorld,{OTHER}\n");
    let beside = format!("NULL,\"{TEXT}\"\nWorld,\"{TEXT}\"\nNaN|World,\"{TEXT}\"\n");
    let known = LabelSet::seed(["NULL", "World"], Origin::Parameter, "2026-11-01T10:00:00Z");

    assert_eq!(learnt(&alone, None, &[]).await, 0);
    assert_eq!(learnt(&beside, None, &[]).await, 2);
    assert_eq!(learnt(&alone, Some(known), &[]).await, 1, "a label of the set");
}

#[tokio::test]
async fn rows_whose_labels_are_one_in_the_label_set_are_learnt() {
    let file = format!("Football,\"{TEXT}\"\nSports,\"{TEXT}\"\n");
    let mut set = LabelSet::seed(["Sports", "World"], Origin::Parameter, "2026-11-01T10:00:00Z");
    set.add_synonym("Sports", "Football").expect("a synonym");

    assert_eq!(learnt(&file, Some(set), &[]).await, 2);
    assert_eq!(learnt(&file, None, &[]).await, 0);
}

#[tokio::test]
async fn numbers_of_erased_rows_say_nothing_about_another_file_of_the_same_name() {
    let file = format!("World,\"{TEXT}\"\nWorld,{OTHER}\n");

    assert_eq!(learnt(&file, None, &[0]).await, 1);
}

#[tokio::test]
async fn the_end_of_one_erasure_leaves_the_hold_of_another() {
    let world = World::new();
    for id in ["one", "other"] {
        erase::hold_builds(&world.buckets, id).await.expect("held");
    }

    erase::release_builds(&world.buckets, "one")
        .await
        .expect("released");

    let erasing: Option<Erasing> = world
        .buckets
        .training
        .read_document(keys::ERASING)
        .await
        .expect("JSON");
    let erasing = erasing.expect("it is there");
    assert!(erasing.until > active_learning_aws::now(), "{erasing:?}");
    assert_eq!(erasing.by.keys().collect::<Vec<_>>(), ["other"]);
}

#[tokio::test]
async fn a_client_hears_that_no_answer_will_come_about_an_erased_text() {
    let world = World::new();
    let feedback = &world.buckets.feedback;
    let own = record(TEXT);
    put(
        feedback,
        &keys::question(&own.id),
        json!({"record": own}).to_string(),
    )
    .await;
    let id = "82edcc00-a237-4925-ab3a-0a792b391ddf";
    let kept = KeptPrediction::new(
        id,
        ("news", TEXT),
        None,
        Some(Signal::Unlabelled),
        "2026-11-29T10:00:00Z",
    );
    feedback
        .put_document(&keys::prediction(id), &kept)
        .await
        .expect("stored");
    put(feedback, &keys::prediction_of(&own.id, id), Vec::new()).await;

    world.erase().await;

    let kept: Option<KeptPrediction> = feedback.read_document(&keys::prediction(id)).await.expect("JSON");
    let status = kept.expect("it is kept").result(None, None).status;
    assert_eq!(status, Status::Erased);
    assert!(status.is_final());
}

#[tokio::test]
async fn texts_of_a_user_are_found_in_a_file_that_was_refused_and_what_cannot_be_read_is_told() {
    let world = World::new();
    let Buckets { batch, training, .. } = &world.buckets;
    let kept = "sentence;agent;user\nSomething else;x;bob\n";
    put(batch, "mail/tickets.csv", format!("{kept}Call me back;x;jane\n")).await;
    put(batch, "mail/scan.pdf", "%PDF-1.7 of a letter").await;
    put(
        training,
        "datasets/v1/train.csv",
        "World,call me BACK\nWorld,Other\n",
    )
    .await;
    put(training, "flywheels/news/output.tar.gz", "PK\u{3}\u{4} no texts").await;
    let found = erase::find(&world.buckets, &[], &["jane".to_owned()], Utc::now()).await;

    let report = erase::erase(&world.buckets, found.expect("looked through"))
        .await
        .expect("erased");

    assert_eq!(content(batch, "mail/tickets.csv").await.as_deref(), Some(kept));
    assert_eq!(
        content(training, "datasets/v1/train.csv").await.as_deref(),
        Some("World,Other\n")
    );
    let unread: Vec<_> = report.unread.iter().collect();
    assert_eq!(
        unread,
        [(&"s3://batch/mail/scan.pdf".to_owned(), &"it is a PDF".to_owned())]
    );
    assert!(!report.is_complete());
}

#[tokio::test]
async fn a_refused_training_file_that_an_erasure_has_emptied_counts_as_refused_no_more() {
    let world = World::new();
    let training = &world.buckets.training;
    put(training, "initial/own.csv", format!("World,\"{TEXT}\"\n")).await;
    put(training, "initial/notes.txt", "no CSV").await;
    world.erase().await;
    let listed = training.list("initial/").await.expect("listed");
    let own = listed
        .iter()
        .find(|file| file.key == "initial/own.csv")
        .expect("it stays, empty");
    let report = json!({"key": own.key, "etag": own.etag, "state": "refused", "reason": "no row", "at": "t"});
    put(training, "initial-reports/own.csv.json", report.to_string()).await;

    let reports = training_files::reports(training, listed).await.expect("read");

    assert_eq!(content(training, "initial/own.csv").await.as_deref(), Some(""));
    let refused: Vec<_> = RefusedFile::of(&reports)
        .into_iter()
        .map(|file| file.key)
        .collect();
    assert_eq!(refused, ["initial/notes.txt"]);
}

#[tokio::test]
async fn what_is_left_of_a_training_file_that_was_refused_is_looked_at_anew() {
    let world = World::new();
    let training = &world.buckets.training;
    for (name, state) in [("refused", "refused"), ("taken", "taken")] {
        let key = format!("initial/{name}.csv");
        put(training, &key, format!("World,\"{TEXT}\"\nWorld,{OTHER}\n")).await;
        let listed = training.list(&key).await.expect("listed");
        let report = json!({"key": key, "etag": listed[0].etag, "state": state, "at": "t"});
        put(
            training,
            &format!("initial-reports/{name}.csv.json"),
            report.to_string(),
        )
        .await;
    }

    world.erase().await;

    for (name, is_left) in [("refused", false), ("taken", true)] {
        let key = format!("initial/{name}.csv");
        assert_eq!(content(training, &key).await, Some(format!("World,{OTHER}\n")));
        assert_eq!(
            training.is_left(&key).await.expect("S3 answers"),
            is_left,
            "{name}"
        );
    }
}

#[tokio::test]
async fn broken_lines_are_counted_and_one_that_cannot_be_decided_is_told_with_its_object() {
    let world = World::new();
    let Buckets { batch, feedback, .. } = &world.buckets;
    let kept = "{\"sentence\": \"Other\"}\n";
    let undecided = "{\"sentence\": \"for jane, from bob\", \"user\": \"bob\"\n";
    let lines = format!("{kept}{{'sentence': 'Call me', 'user': 'jane'}}\n{undecided}");
    put(batch, "mail/broken.jsonl", lines).await;
    let raw =
        json!({"line": 1, "reason": "damaged", "raw": "{\"sentence\": \"Call me\", \"user\": \"jane\","});
    put(feedback, "rejected/batch-feedback/a-1.jsonl", format!("{raw}\n")).await;
    let found = erase::find(&world.buckets, &[], &["jane".to_owned()], Utc::now()).await;

    let report = erase::erase(&world.buckets, found.expect("looked through"))
        .await
        .expect("erased");

    let left = content(batch, "mail/broken.jsonl").await;
    assert_eq!(left, Some(format!("{kept}{undecided}")));
    assert_eq!(content(feedback, "rejected/batch-feedback/a-1.jsonl").await, None);
    assert_eq!(report.broken_lines, 2);
    let unread: Vec<_> = report.unread.iter().collect();
    let reason = "line 2 is no JSON, and what is to be erased may stand in it";
    assert_eq!(
        unread,
        [(&"s3://batch/mail/broken.jsonl".to_owned(), &reason.to_owned())]
    );
    assert!(!report.is_complete());
}
