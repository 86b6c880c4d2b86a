//! What a change of the label set will do to the votes that there are.

use active_learning_core::{
    feedback::{Signal, Source},
    keys,
    labels::{
        consolidation::Consensus,
        human_loop::Answer,
        label_set::{LABEL_SET_KEY, LabelChange, LabelSet, LabelSetError, Origin},
        labelled::LabelledRecord,
        question::{Question, State},
        vote::{Vote, VoteSource},
    },
    sampling::review_budget::Queue,
};
use model_building::{
    effects::{Effects, effects},
    export::{Format, export},
    label_change::LabelChanges,
    relabel::{Doubt, rows},
};
use serde_json::json;

use crate::bucket::{Bucket, record, time, vote};

const AT: &str = "2026-11-20T10:00:00.000Z";

/// A stack whose texts have one label each.
fn set() -> LabelSet {
    LabelSet::seed(["Billing", "Login", "Old"], Origin::Edited, AT).with_several_labels(false)
}

fn imported(text: &str, label: &str) -> LabelledRecord {
    let vote = Vote {
        source: VoteSource::Import,
        ..vote("csv:annotator", label, 1)
    };
    let mut record = record(text, Signal::Dislike);
    (record.prediction, record.confidence, record.source) = (None, None, Source::ExplicitBatch);
    LabelledRecord::new(record, vec![vote], "import-1", "")
}

/// Stores what files say, and then what reviewers answered: text, and who gave which label.
async fn said(files: &[(&str, &str)], answers: &[(&str, &[(&str, &str)])]) -> Bucket {
    let bucket = Bucket::new();
    bucket.put(LABEL_SET_KEY, set().to_json()).await;
    let imports: Vec<LabelledRecord> = files.iter().map(|(text, label)| imported(text, label)).collect();
    bucket.label("import-1", &imports).await;
    let answered = |(text, votes): &(&str, &[(&str, &str)])| {
        let votes = votes
            .iter()
            .map(|(worker, label)| vote(worker, label, 2))
            .collect();
        LabelledRecord::new(record(text, Signal::LowConfidence), votes, "loop-1", "arn:flow")
    };
    let answered: Vec<LabelledRecord> = answers.iter().map(answered).collect();
    bucket.label("loop-1", &answered).await;
    bucket
}

/// What a change does, and the rows after it.
async fn after(
    bucket: &Bucket,
    change: impl FnOnce(&mut LabelSet) -> Result<(), LabelSetError>,
) -> (Effects, Vec<String>) {
    let mut changed = set();
    change(&mut changed).expect("allowed");
    let effects = effects(&bucket.bucket(), &bucket.feedback(), &set(), &changed)
        .await
        .expect("counted");
    bucket.put(LABEL_SET_KEY, changed.to_json()).await;
    (effects, exported(bucket).await)
}

async fn exported(bucket: &Bucket) -> Vec<String> {
    exported_with(bucket, false).await
}

/// The rows, where texts may have several labels or not.
async fn exported_with(bucket: &Bucket, several: bool) -> Vec<String> {
    let mut file = Vec::new();
    let summary = export(&bucket.bucket(), Format::ComprehendCsv, several, &mut file).await;
    summary.expect("an export");
    let mut rows: Vec<String> = String::from_utf8_lossy(&file)
        .lines()
        .map(str::to_owned)
        .collect();
    rows.sort();
    rows
}

fn contradicted(effects: &Effects) -> Vec<(&str, bool)> {
    let texts = effects.contradicted.iter();
    texts
        .map(|text| (text.labelled.record.utterance.as_str(), text.is_left_out))
        .collect()
}

fn answer_of(labelled: &LabelledRecord) -> Option<Answer> {
    match &labelled.consensus {
        Consensus::Agreed { answer, .. } => Some(answer.clone()),
        Consensus::Tie | Consensus::Unanswered => None,
    }
}

const FILES: [(&str, &str); 4] = [
    ("alone", "+Refund"),
    ("contradicted", "+refund"),
    ("agreed", "+Refund"),
    ("another", "+Fax"),
];
const ANSWERS: [(&str, &[(&str, &str)]); 2] = [
    ("contradicted", &[("ada", "Billing")]),
    ("agreed", &[("ada", "+Refund")]),
];

#[tokio::test]
async fn accepting_a_proposal_of_a_file_keeps_the_reviewer_s_row_and_names_it_with_all_votes() {
    let bucket = said(&FILES, &ANSWERS).await;
    let before = exported(&bucket).await;

    let (effects, rows) = after(&bucket, |set| set.add("Refund", "")).await;

    assert_eq!(before, ["Billing,contradicted"]);
    assert_eq!(rows, ["Billing,contradicted", "Refund,agreed", "Refund,alone"]);
    assert_eq!((effects.votes, effects.gained, effects.changed), (3, 2, 0));
    assert_eq!(contradicted(&effects), [("contradicted", false)]);
    let votes = &effects.contradicted[0].labelled.votes;
    let workers: Vec<&str> = votes.iter().map(|vote| vote.worker.as_str()).collect();
    assert_eq!(workers, ["csv:annotator", "ada"], "nobody of them is asked again");
}

#[tokio::test]
async fn a_synonym_has_the_same_effects_as_a_label_of_its_own_and_agrees_with_the_label_itself() {
    let bucket = said(&FILES, &ANSWERS).await;

    let (of_another, rows) = after(&bucket, |set| set.add_synonym("Login", "Refund")).await;
    assert_eq!(rows, ["Billing,contradicted", "Login,agreed", "Login,alone"]);
    assert_eq!((of_another.votes, of_another.gained), (3, 2));
    assert_eq!(contradicted(&of_another), [("contradicted", false)]);

    let (of_itself, _) = after(&bucket, |set| set.add_synonym("Billing", "Refund")).await;
    let (nothing, _) = after(&bucket, |set| set.add_synonym("Billing", "Payments")).await;
    assert_eq!((of_itself.votes, contradicted(&of_itself).len()), (3, 0));
    assert_eq!(
        (nothing.votes, nothing.gained, nothing.contradicted.len()),
        (0, 0, 0)
    );
}

#[tokio::test]
async fn rows_that_are_called_by_a_synonym_that_is_taken_away_are_counted_before() {
    let bucket = said(
        &[],
        &[
            ("old", &[("ada", "Payments")]),
            ("proposed", &[("ada", "+Payments")]),
            ("sure", &[("ada", "Billing")]),
        ],
    )
    .await;
    let mut with = set();
    with.add_synonym("Billing", "Payments").expect("free");
    bucket.put(LABEL_SET_KEY, with.to_json()).await;
    let before = exported(&bucket).await;
    let mut without = with.clone();
    without.remove_synonym("Billing", "Payments").expect("it has it");

    let effects = effects(&bucket.bucket(), &bucket.feedback(), &with, &without).await;
    let effects = effects.expect("counted");
    bucket.put(LABEL_SET_KEY, without.to_json()).await;

    assert_eq!(before, ["Billing,old", "Billing,proposed", "Billing,sure"]);
    assert_eq!((effects.unnamed, effects.left_out, effects.changed), (1, 0, 1));
    let mut decided: Vec<(&str, Option<Answer>)> = (effects.decided_anew.iter())
        .map(|labelled| (labelled.record.utterance.as_str(), answer_of(labelled)))
        .collect();
    decided.sort_by_key(|(text, _)| *text);
    let proposal = Answer::NewLabel {
        label: "Payments".to_owned(),
    };
    assert_eq!(
        decided,
        [
            ("old", Some(Answer::labels(["Payments"]))),
            ("proposed", Some(proposal))
        ],
        "their questions are told"
    );
    // What a reviewer chose was a label's name then.
    assert_eq!(exported(&bucket).await, ["Billing,sure", "Payments,old"]);
}

#[tokio::test]
async fn reviewers_whose_labels_become_one_and_who_tie_by_it_are_named_as_left_out() {
    let torn: &[(&str, &str)] = &[
        ("ada", "Billing"),
        ("bob", "Billing"),
        ("cy", "Login"),
        ("dee", "Old"),
    ];
    let bucket = said(&[], &[("torn", torn), ("sure", &[("ada", "Old")])]).await;
    let before = exported(&bucket).await;

    let (effects, rows) = after(&bucket, |set| set.merge("Old", "Login")).await;

    assert_eq!(before, ["Billing,torn", "Old,sure"]);
    assert_eq!(rows, ["Login,sure"]);
    assert_eq!((effects.votes, effects.gained, effects.changed), (0, 0, 0));
    assert_eq!(contradicted(&effects), [("torn", true)]);
}

#[tokio::test]
async fn an_answer_that_changes_by_a_merge_is_counted_and_one_that_is_only_called_otherwise_is_not() {
    let outvoted: &[(&str, &str)] = &[
        ("ada", "Billing"),
        ("bob", "Billing"),
        ("cy", "Login"),
        ("dee", "Login"),
        ("eve", "Old"),
    ];
    let billing: &[(&str, &str)] = &[("ada", "Billing"), ("bob", "Billing"), ("cy", "Login")];
    let bucket = said(
        &[],
        &[("torn", outvoted), ("kept", billing), ("old", &[("ada", "Old")])],
    )
    .await;

    let (effects, rows) = after(&bucket, |set| set.merge("Old", "Login")).await;

    assert_eq!(rows, ["Billing,kept", "Login,old", "Login,torn"]);
    assert_eq!((effects.gained, effects.changed), (1, 0), "a tie becomes a row");
    let settled: Vec<&str> = (effects.decided_anew.iter())
        .map(|text| text.record.utterance.as_str())
        .collect();
    assert_eq!(settled, ["torn"], "nobody need be asked about it any more");
    assert!(effects.contradicted.is_empty());
}

#[tokio::test]
async fn a_change_counts_the_rows_that_an_export_has_where_a_file_proposes_a_label_beside_another() {
    let files = [
        ("both", "+Billing|Refund"),
        ("labels", "+Billing|Login"),
        ("plain", "Billing"),
    ];
    let bucket = said(&files, &[("none", &[("ada", "-")])]).await;
    let counted = async |set: &LabelSet, label: &str| {
        let found = rows(&bucket.bucket(), Some(set), &Doubt::Label(label)).await;
        found.expect("rows").count()
    };
    let mut with_refund = set();
    with_refund.add("Refund", "").expect("free");

    let (billing, refund) = (
        counted(&set(), "Billing").await,
        counted(&with_refund, "Refund").await,
    );
    let (retired, rows_left) = after(&bucket, |set| set.retire("Billing")).await;

    assert_eq!((billing, refund), (1, 0), "a text has one label here");
    assert_eq!(rows_left, [""; 0]);
    assert!(retired.contradicted.is_empty());
    let mut file = Vec::new();
    let summary = export(&bucket.bucket(), Format::ComprehendCsv, false, &mut file).await;
    assert_eq!(
        summary.expect("an export").left_out["retired-label"],
        billing as u64
    );
}

#[tokio::test]
async fn a_merge_that_settles_a_dispute_says_so_before_and_decides_it_anew() {
    let torn: &[(&str, &str)] = &[("ada", "Billing"), ("bob", "Login"), ("cy", "Old")];
    let bucket = said(&[], &[("listed", torn), ("open", torn)]).await;
    let mut question = Question::known(record("listed", Signal::LowConfidence));
    question.votes.clear();
    question.answer_with(
        &torn
            .iter()
            .map(|(who, label)| vote(who, label, 2))
            .collect::<Vec<_>>(),
    );
    question.wait_no_more(None);
    let key = keys::question(&question.record.id);
    bucket.put_feedback(&key, question.to_json()).await;
    let merge = LabelChange::Merge {
        from: "Old".to_owned(),
        into: "Billing".to_owned(),
    };

    let changes = LabelChanges::new(bucket.bucket(), bucket.feedback(), false);
    let counted = changes.count(false, &merge).await.expect("counted").text;
    let before = exported(&bucket).await;
    let (effects, rows) = after(&bucket, |set| set.apply(&merge)).await;

    assert_eq!(question.state, State::Disputed);
    for said in [
        " In 2 texts votes tied that come to an answer then, and nobody else is asked.",
        " 1 text waits for an adjudicator no more.",
    ] {
        assert!(counted.contains(said), "{counted}");
    }
    assert_eq!(before, [""; 0]);
    assert_eq!(rows, ["Billing,listed", "Billing,open"]);
    assert_eq!((effects.untied, effects.decided_anew.len()), (2, 2));
}

#[tokio::test]
async fn who_was_asked_anew_and_answered_otherwise_is_counted_with_the_last_word_only() {
    let bucket = said(&[("one", "+Refund")], &[]).await;
    let first = vec![vote("ada", "Billing", 2), vote("ada", "-", 3)];
    let first = LabelledRecord::new(record("one", Signal::LowConfidence), first, "loop-1", "arn:flow");
    bucket.label("loop-1", &[first]).await;
    let mut again = record("one", Signal::Relabel);
    again.received_at = time(5);
    let second = LabelledRecord::new(again, vec![vote("bob", "Login", 6)], "loop-2", "arn:flow");
    bucket.label("loop-2", &[second]).await;

    let (effects, rows) = after(&bucket, |set| set.add("Refund", "")).await;

    assert_eq!(rows, ["Login,one"]);
    let votes = &effects.contradicted[0].labelled.votes;
    let workers: Vec<&str> = votes.iter().map(|vote| vote.worker.as_str()).collect();
    assert_eq!(
        workers,
        ["csv:annotator", "bob"],
        "what ada said is in doubt since"
    );
}

#[tokio::test]
async fn of_who_was_asked_anew_what_stands_beside_a_split_label_is_counted_and_handed_on_as_it_was_given() {
    let mut before = set().with_several_labels(true);
    before.split("Login", &["Web", "App"]).expect("parts");
    let bucket = said(&[("one", "+Refund")], &[]).await;
    let first = ["ada", "cy", "dee", "eve"].map(|worker| vote(worker, "Billing|Login", 2));
    let first = LabelledRecord::new(
        record("one", Signal::LowConfidence),
        first.to_vec(),
        "loop-1",
        "arn:flow",
    );
    bucket.label("loop-1", &[first]).await;
    let mut again = record("one", Signal::Relabel);
    again.received_at = time(5);
    let anew = ["bob", "fay"].map(|worker| vote(worker, "Web", 6));
    let second = LabelledRecord::new(again, anew.to_vec(), "loop-2", "arn:flow");
    bucket.label("loop-2", &[second]).await;
    bucket.put(LABEL_SET_KEY, before.to_json()).await;
    let mut changed = before.clone();
    changed.add("Refund", "").expect("free");

    let effects = effects(&bucket.bucket(), &bucket.feedback(), &before, &changed).await;

    let effects = effects.expect("counted");
    bucket.put(LABEL_SET_KEY, changed.to_json()).await;
    assert_eq!(exported_with(&bucket, true).await, ["Billing|Web,one"]);
    assert_eq!(contradicted(&effects), [("one", false)]);
    let votes = effects.contradicted[0].labelled.votes.iter();
    let said: Vec<(&str, &Answer)> = votes.map(|vote| (vote.worker.as_str(), &vote.answer)).collect();
    let (refund, web) = (Answer::labels(["Refund"]), Answer::labels(["Web"]));
    let split = Answer::labels(["Billing", "Login"]);
    let mut expected = vec![("csv:annotator", &refund)];
    expected.extend(["ada", "cy", "dee", "eve"].map(|worker| (worker, &split)));
    expected.extend(["bob", "fay"].map(|worker| (worker, &web)));
    assert_eq!(said, expected);
}

#[tokio::test]
async fn retiring_a_label_names_the_ties_and_other_answers_that_it_leaves_and_counts_what_is_left_out() {
    let user = |worker: &str, label: &str| Vote {
        source: VoteSource::Feedback,
        ..vote(worker, label, 3)
    };
    let torn: &[(&str, &str)] = &[("ada", "Billing"), ("bob", "Old")];
    let bucket = said(
        &[],
        &[("tie", torn), ("another", torn), ("old", &[("ada", "Old")])],
    )
    .await;
    let voted = |text: &str, votes: Vec<Vote>| {
        LabelledRecord::new(record(text, Signal::LowConfidence), votes, text, "arn:flow")
    };
    let of_two = vec![
        user("user:x", "Old"),
        user("user:y", "Old"),
        user("user:z", "Billing"),
    ];
    bucket
        .label(
            "vote-1",
            &[
                voted("tie", vec![user("user:x", "Old")]),
                voted("another", of_two),
            ],
        )
        .await;
    let before = exported(&bucket).await;

    let (effects, rows) = after(&bucket, |set| set.retire("Old")).await;

    assert_eq!(before, ["Old,another", "Old,old", "Old,tie"]);
    assert_eq!(rows, ["Billing,another"]);
    assert_eq!(
        (effects.left_out, effects.changed, effects.gained),
        (1, 1, 0),
        "what has another answer or none is not left out for good"
    );
    assert_eq!(contradicted(&effects), [("tie", true)]);
    let anew: Vec<&str> = (effects.decided_anew.iter())
        .map(|labelled| labelled.record.utterance.as_str())
        .collect();
    assert_eq!(anew, ["another"]);
    assert_eq!(
        effects.decided_anew[0].consensus.labels(),
        Some(&["Billing".to_owned()][..])
    );
}

#[tokio::test]
async fn a_split_into_what_files_proposed_makes_votes_of_it_as_accepting_it_does() {
    let bucket = said(&FILES, &ANSWERS).await;

    let (effects, rows) = after(&bucket, |set| set.split("Billing", &["Refund", "Invoice"])).await;

    assert_eq!(rows, ["Refund,agreed", "Refund,alone"]);
    assert_eq!((effects.votes, effects.gained, effects.changed), (3, 2, 0));
    assert!(
        effects.contradicted.is_empty(),
        "what was answered by the split label is asked again"
    );
}

#[tokio::test]
async fn votes_of_users_on_texts_that_nobody_has_answered_yet_are_counted_and_each_text_once() {
    let suggested = |text: &str, user: &str, label: &str| {
        let mut record = record(text, Signal::Dislike);
        (record.suggested_label, record.user) = (Some(label.to_owned()), Some(user.to_owned()));
        record
    };
    let user = |worker: &str, label: &str, minute: usize| Vote {
        source: VoteSource::Feedback,
        ..vote(worker, label, minute)
    };
    let bucket = said(&FILES[..1], &[]).await;
    let of_loop = [
        suggested("asked", "ada", "Refund"),
        suggested("asked and voted", "ada", "Refund"),
        suggested("changed mind", "ada", "Refund"),
        suggested("another", "bob", "Invoice"),
        suggested("known", "bob", "Login"),
    ];
    let input = json!({
        "comprehendPredictions": of_loop, "labels": ["Billing"], "rowCount": 5, "bucketName": "b", "keyName": "k",
    });
    bucket
        .put_feedback("asked/review-1.json", input.to_string())
        .await;
    let waits = suggested("waits", "cy", "refund");
    bucket
        .put_feedback(&Queue::Ranked.key(&waits), waits.to_line())
        .await;
    let voted = |text: &str, vote: Vote| {
        LabelledRecord::new(record(text, Signal::Dislike), vec![vote], text, "arn:flow")
    };
    let votes = [
        voted("asked and voted", user("user:bob", "+Refund", 3)),
        voted("changed mind", user("user:ada", "Login", 4)),
    ];
    bucket.label("vote-1", &votes).await;

    let (accepted, _) = after(&bucket, |set| set.add("Refund", "")).await;
    let (unknown, _) = after(&bucket, |set| set.add("Fax", "")).await;

    assert_eq!(
        accepted.votes, 4,
        "that of the file, and of `asked`, `asked and voted` and `waits`"
    );
    assert_eq!(unknown.votes, 0);
}

#[tokio::test]
async fn an_answer_that_a_user_spoke_against_is_named_where_a_merge_makes_both_say_the_same() {
    let user = |label: &str| Vote {
        source: VoteSource::Feedback,
        ..vote("user:ada", label, 3)
    };
    let answers = [("told", &[("ada", "Old")][..]), ("other", &[("ada", "Old")])];
    let bucket = said(&[], &answers).await;
    let spoken = [("told", "Billing"), ("other", "Login")];
    let spoken = spoken
        .map(|(text, label)| LabelledRecord::new(record(text, Signal::Dislike), vec![user(label)], text, ""));
    bucket.label("vote-1", &spoken).await;

    let (effects, rows) = after(&bucket, |set| set.merge("Old", "Billing")).await;

    assert_eq!(rows, ["Billing,other", "Billing,told"]);
    let agreed: Vec<(&str, Option<Answer>)> = (effects.agreed.iter())
        .map(|labelled| (labelled.record.utterance.as_str(), answer_of(labelled)))
        .collect();
    assert_eq!(agreed, [("told", Some(Answer::labels(["Billing"])))]);
    assert!(effects.decided_anew.is_empty() && effects.contradicted.is_empty());
}

#[tokio::test]
async fn what_a_change_does_is_said_with_the_numbers_of_its_rows_before_it_is_made() {
    let answers = [
        ("old", &[("ada", "Old")][..]),
        ("proposed", &[("ada", "+Payments")]),
        ("sure", &[("ada", "Billing")]),
    ];
    let bucket = said(&[], &answers).await;
    let changes = LabelChanges::new(bucket.bucket(), bucket.feedback(), false);
    let count = async |change: LabelChange| {
        let counted = changes.count(false, &change).await;
        counted.expect("counted").text
    };
    let merge = |from: &str| LabelChange::Merge {
        from: from.to_owned(),
        into: "Billing".to_owned(),
    };
    let (name, synonym) = ("Billing".to_owned(), "Payments".to_owned());
    let add = LabelChange::Synonym {
        name: name.clone(),
        synonym: synonym.clone(),
    };

    let merged = count(merge("Old")).await;
    let unknown = count(merge("Billing")).await;
    let added = count(add.clone()).await;
    let mut set = set();
    set.apply(&add).expect("free");
    bucket.put(LABEL_SET_KEY, set.to_json()).await;
    let removed = count(LabelChange::RemoveSynonym { name, synonym }).await;

    let starts =
        "`Old` becomes `Billing`: 1 answer and 0 rows of training files are mapped, nobody is asked.";
    assert!(merged.starts_with(starts), "{merged}");
    assert!(unknown.starts_with("It cannot be done: "), "{unknown}");
    assert!(
        added.contains("1 row is new, 0 rows get another label."),
        "{added}"
    );
    assert!(removed.contains(" 1 row is left out by this"), "{removed}");
}

#[tokio::test]
async fn what_the_first_model_needs_by_a_change_is_said_before_it() {
    let bucket = said(&[], &[]).await;
    let changes = LabelChanges::new(bucket.bucket(), bucket.feedback(), false);
    let change = |change: LabelChange| {
        let changes = &changes;
        async move { changes.plan(&set(), &change).await.expect("planned").text }
    };
    let added = || LabelChange::Add {
        name: "Refund".to_owned(),
        description: String::new(),
    };
    let retired = LabelChange::Retire {
        name: "Old".to_owned(),
    };
    let renamed = LabelChange::Rename {
        old: "Old".to_owned(),
        new: "Archive".to_owned(),
    };
    let without = change(added()).await;

    let progress = json!({ "rowsPerLabel": 5, "labels": { "Billing": 2, "Login": 0, "Old": 0 } });
    bucket
        .put(keys::FIRST_MODEL, progress.to_string().into_bytes())
        .await;
    let (added, retired, renamed) = (
        change(added()).await,
        change(retired).await,
        change(renamed).await,
    );

    assert!(!without.contains("first model"), "a model serves: {without}");
    assert!(
        added.ends_with("The first model then needs 20 labelled texts, and needs 15 now."),
        "{added}"
    );
    assert!(
        retired.ends_with("The first model then needs 10 labelled texts, and needs 15 now."),
        "{retired}"
    );
    assert!(!renamed.contains("first model"), "{renamed}");
}
