use active_learning_aws::bucket::{Bucket, JSON, JSON_LINES};
use active_learning_core::{
    feedback::{FeedbackRequest, Source},
    labels::{
        consolidation::DecidedBy,
        labelled::{LabelledRecord, object_key},
        vote::VoteSource,
    },
};
use local_aws::{LocalAws, s3::BucketSpec};
use model_building::export::{Format, export};

use super::super::{
    preview,
    store::{Done, store},
    tests::{files, options, set},
};
use super::*;

/// The buckets of a stack with questions in them.
struct Stack {
    place: Place,
    batch: Bucket,
    set: LabelSet,
    /// Keeps the buckets alive.
    _aws: LocalAws,
}

impl Stack {
    fn new() -> Self {
        let aws = LocalAws::in_memory();
        let bucket = |name: &str| {
            let spec = BucketSpec {
                name: name.to_owned(),
                ..BucketSpec::default()
            };
            aws.s3.put_bucket(spec).expect("a bucket");
            Bucket::new(aws_sdk_s3::Client::new(&aws.sdk_config()), name)
        };
        Self {
            place: Place {
                training: bucket("training"),
                feedback: bucket("feedback"),
                several_labels: false,
                default_classifier: None,
            },
            batch: bucket("batch"),
            set: set(&["Billing", "Login", "Legal"]),
            _aws: aws,
        }
    }

    /// Asks a question, and answers it by these votes.
    async fn ask(&self, text: &str, votes: &[Vote]) -> String {
        let request = FeedbackRequest {
            classifier: "default".to_owned(),
            sentence: text.to_owned(),
            ..FeedbackRequest::default()
        };
        let record = request.into_record(Source::ExplicitBatch, "2026-11-20T09:00:00.000Z");
        let record = record.expect("a record");
        let id = record.id.clone();
        let claims = Claims::new(self.place.feedback.clone(), NEVER);
        let form = format!("text-{}", form_of("default", text));
        for (name, owner) in [(id.as_str(), "feedback/some.jsonl"), (form.as_str(), id.as_str())] {
            assert!(claims.claim(name, owner).await.expect("claimed"));
        }
        let mut question = Question::asked(record.clone(), "review-1", 1);
        if !votes.is_empty() {
            question.answer_with(votes);
            let line =
                LabelledRecord::new(record, votes.to_vec(), &format!("review-{id}"), "arn:flow").to_line();
            let key = object_key(&format!("review-{id}"));
            let stored = self.place.training.put(&key, JSON_LINES, line.into_bytes());
            stored.await.expect("stored");
        }
        let key = active_learning_core::keys::question(&id);
        let stored = self.place.feedback.put(&key, JSON, question.to_json());
        stored.await.expect("stored");
        id
    }

    /// Imports a file; returns what was said before and what was done.
    async fn import(&self, file: &str) -> (String, Done) {
        // What is said later has a later time.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let files = files(&[file]);
        let plan = Plan::of(&files, &self.set, &options(&[]));
        let known = Known::of(&self.place, &self.set, &plan).await.expect("known");
        let said = preview::in_words(&files, &plan, Some(&known));
        let done = store(&self.place, &self.batch, &self.set, &plan, &known).await;
        (said, done.expect("stored"))
    }

    async fn question(&self, id: &str) -> Question {
        let questions = Questions::new("test", self.place.feedback.clone(), self.place.training.clone());
        questions.read(id).await.expect("read").expect("a question")
    }

    async fn exported(&self) -> String {
        let mut file = Vec::new();
        let done = export(&self.place.training, Format::ComprehendCsv, false, &mut file).await;
        done.expect("an export");
        String::from_utf8(file).expect("UTF-8")
    }

    /// Returns the ids of all questions.
    async fn questions(&self) -> Vec<String> {
        let listed = self.place.feedback.list("questions/").await.expect("a list");
        let keys = listed.iter().map(|object| object.key.as_str());
        keys.filter_map(active_learning_core::keys::record_of_question)
            .map(str::to_owned)
            .collect()
    }
}

fn vote(worker: &str, label: &str, source: VoteSource) -> Vote {
    Vote {
        worker: worker.to_owned(),
        answer: Answer::labels([label]),
        source,
        at: "2026-11-20T10:00:00.000Z".to_owned(),
        seconds: None,
        note: Default::default(),
    }
}

#[tokio::test]
async fn a_label_of_a_text_that_reviewers_answered_in_another_spelling_is_a_vote_on_their_question() {
    let stack = Stack::new();
    let two = ["ann", "bob"].map(|name| vote(name, "Billing", VoteSource::HumanReview));
    let id = stack.ask("Holiday request", &two).await;

    let (said, done) = stack.import("text,label\nHOLIDAY request!,Legal\n").await;
    let (again, repeated) = stack.import("text,label\n\" holiday  REQUEST.\",Legal\n").await;
    let question = stack.question(&id).await;

    assert!(
        said.contains("contradicts what more people answered here"),
        "{said}"
    );
    assert!(said.contains("1 text known here in another spelling"), "{said}");
    assert_eq!((done.labelled, done.training, done.disputed), (1, 0, 0));
    assert!(again.contains("known       1 of the labels"), "{again}");
    assert_eq!(repeated.labelled, 0);
    assert_eq!(stack.questions().await, [id], "no question of its own");
    assert_eq!(question.votes.len(), 3);
    assert_eq!(question.answer(), Some(&Answer::labels(["Billing"])));
    assert_eq!(stack.exported().await, "Billing,Holiday request\n");
}

#[tokio::test]
async fn what_an_adjudicator_decided_stays_and_one_reviewer_s_word_against_a_file_waits_for_one() {
    let stack = Stack::new();
    let reviewed = vote("ann", "Billing", VoteSource::HumanReview);
    let last_word = vote("adjudicator:lea", "Login", VoteSource::Adjudicator);
    let decided = stack.ask("Two submitted", &[reviewed.clone(), last_word]).await;
    let answered = stack.ask("NDA with Acme", &[reviewed]).await;

    let (said, done) = stack
        .import("text,label\nTwo submitted!,Legal\nnda with ACME,Legal\n")
        .await;

    assert!(
        said.contains("contradicts what more people answered here"),
        "{said}"
    );
    assert!(said.contains("an adjudicator decides"), "{said}");
    assert_eq!((done.labelled, done.training, done.disputed), (2, 0, 1));
    let question = stack.question(&decided).await;
    assert_eq!(question.decided_by, Some(DecidedBy::Adjudicator));
    assert_eq!(stack.question(&answered).await.state, State::Disputed);
    assert_eq!(stack.exported().await, "Login,Two submitted\n");
}

#[tokio::test]
async fn a_signed_label_of_a_text_that_is_being_asked_in_another_spelling_is_a_vote_there() {
    let stack = Stack::new();
    let id = stack.ask("Spelling question OPEN here", &[]).await;
    let file = "text,label,annotator\nspelling question open HERE.,Billing,zoe\n";

    stack.import(file).await;
    let mut question = stack.question(&id).await;
    let imported = question.clone();
    question.answer_with(&[vote("dan", "Login", VoteSource::HumanReview)]);

    assert_eq!(imported.reviewers(), ["import:zoe"]);
    assert_eq!(imported.answer(), Some(&Answer::labels(["Billing"])));
    assert_eq!(question.state, State::Asked, "they contradict one another");
    assert_eq!(stack.questions().await, [id]);
}

#[tokio::test]
async fn a_label_of_an_export_is_known_also_while_its_text_is_asked_again() {
    let stack = Stack::new();
    let text = "Exported while it is open";
    let id = stack
        .ask(text, &[vote("import:zoe", "Billing", VoteSource::Import)])
        .await;
    let open = |question: &mut Option<Question>| {
        let question = question.as_mut().expect("it is there");
        (question.state, question.consensus) = (State::Asked, None);
    };
    let questions = Questions::new("test", stack.place.feedback.clone(), stack.place.training.clone());
    questions.change(&id, open).await.expect("changed");

    let (_, done) = stack.import(&format!("text,label\n{text},Billing\n")).await;
    let (_, other) = stack.import(&format!("text,label\n{text},Login\n")).await;

    assert_eq!(done.labelled, 0, "it says nothing new");
    assert_eq!(other.labelled, 1);
}

#[tokio::test]
async fn a_corrected_file_is_the_newer_word_also_where_it_spells_the_text_otherwise() {
    let stack = Stack::new();
    let annotated = |text: &str, label: &str| format!("text,label,annotator\n{text},{label},ann\n");

    stack.import(&annotated("Versioned five (typo)", "Login")).await;
    let (said, done) = stack
        .import(&annotated("versioned FIVE (typo)!", "Billing"))
        .await;
    let exported = stack.exported().await;
    let (back, _) = stack.import(&annotated("Versioned five (typo)", "Login")).await;

    assert!(said.contains("label changed: 1"), "{said}");
    assert_eq!((done.labelled, done.changed), (1, 1));
    assert_eq!(exported, "Billing,Versioned five (typo)\n");
    assert!(back.contains("label changed: 1"), "{back}");
    assert_eq!(stack.exported().await, "Login,Versioned five (typo)\n");
}

#[tokio::test]
async fn a_text_that_is_known_in_no_spelling_is_imported_as_it_is_written() {
    let stack = Stack::new();
    stack
        .ask("Rates rise", &[vote("ann", "Billing", VoteSource::HumanReview)])
        .await;

    let (said, done) = stack.import("text,label\nRates rise?,Legal\n").await;

    assert!(!said.contains("another spelling"), "{said}");
    assert_eq!((done.labelled, done.training), (1, 1));
    assert_eq!(stack.exported().await.lines().count(), 2);
}

#[tokio::test]
async fn a_text_without_a_label_that_has_one_in_another_spelling_is_not_asked() {
    let stack = Stack::new();
    stack.import("text,label\nHoliday request,Legal\n").await;

    let (said, done) = stack.import("text\nHOLIDAY  request!\nA new matter\n").await;

    assert_eq!(done.asked, 1, "{said}");
}
