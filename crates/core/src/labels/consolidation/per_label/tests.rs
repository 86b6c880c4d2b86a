use proptest::prelude::*;
use serde_json::json;

use super::super::{
    Consensus, DecidedBy, Method, Settings, consolidate,
    tests::{counted, decided},
    tied_labels,
};
use super::*;
use crate::labels::{
    question::{Question, State},
    vote::Vote,
};

/// A vote; labels are letters, `-` says that none fits and `?` that its reviewer is unsure. `+` is in front of a proposal.
fn said(worker: &str, answer: &str) -> Vote {
    let letters = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
    Vote {
        worker: worker.into(),
        answer: match answer {
            "?" => Answer::Unsure,
            "-" => Answer::NoneFits,
            answer => match answer.strip_prefix('+') {
                Some(proposal) => Answer::proposal(letters(proposal)),
                None => Answer::labels(letters(answer)),
            },
        },
        source: VoteSource::HumanReview,
        at: "2026-11-20T10:00:00Z".into(),
        seconds: None,
        note: Default::default(),
    }
}

fn user(worker: &str, answer: &str) -> Vote {
    Vote {
        source: VoteSource::Feedback,
        ..said(&format!("user:{worker}"), answer)
    }
}

fn answer_of(consensus: &Consensus) -> Option<&Answer> {
    match consensus {
        Consensus::Agreed { answer, .. } => Some(answer),
        Consensus::Tie | Consensus::Unanswered => None,
    }
}

fn reviewers(answers: &[&str]) -> Vec<Vote> {
    let workers = ('a'..='z').map(String::from);
    let votes = workers.zip(answers);
    votes.map(|(worker, answer)| said(&worker, answer)).collect()
}

fn agreed(answer: &str, confidence: f64, rule: DecidedBy) -> (Consensus, Option<DecidedBy>) {
    let answer = said("", answer).answer;
    (Consensus::Agreed { answer, confidence }, Some(rule))
}

const TIE: (Consensus, Option<DecidedBy>) = (Consensus::Tie, None);

#[test]
fn a_label_fits_that_more_reviewers_name_than_not_whatever_else_they_name() {
    let of = |answers: &[&str]| decided(&reviewers(answers));
    let two_thirds = |answer: &str| agreed(answer, 2.0 / 3.0, DecidedBy::Majority);

    assert_eq!(of(&["AB", "AC", "A"]), two_thirds("A"));
    assert_eq!(of(&["AB", "AC", "BC"]), two_thirds("ABC"));
    assert_eq!(of(&["AB", "A", "B"]), two_thirds("AB"));
    assert_eq!(of(&["ABC", "AB", "ABC"]), two_thirds("ABC"));
    assert_eq!(of(&["AB", "AB"]), agreed("AB", 1.0, DecidedBy::Majority));
    assert_eq!(of(&["AB"]), agreed("AB", 1.0, DecidedBy::SingleReviewer));
    assert_eq!(
        of(&["AB", "?", "?"]),
        agreed("AB", 1.0, DecidedBy::SingleReviewer)
    );
}

#[test]
fn a_label_that_is_exactly_tied_is_what_one_more_opinion_is_asked_for() {
    let tied = |answers: &[&str]| {
        let votes = reviewers(answers);
        assert_eq!(decided(&votes), TIE, "{answers:?}");
        tied_labels(&votes)
    };

    assert_eq!(tied(&["AB", "A"]), ["B"]);
    assert_eq!(tied(&["AB", "CD"]), ["A", "B", "C", "D"]);
    assert_eq!(tied(&["AB", "-"]), ["A", "B"]);
    assert_eq!(tied(&["AB", "A", "?"]), ["B"], "who is unsure says nothing");
    assert_eq!(
        decided(&reviewers(&["AB", "A", "AC"])),
        agreed("A", 2.0 / 3.0, DecidedBy::Majority),
        "the third opinion decides"
    );
    assert_eq!(
        tied(&["A", "B"]),
        [""; 0],
        "of one label each the whole answer counts"
    );
}

/// What stands of a reviewer's answer since a label was split of which it says nothing.
fn rest(worker: &str, answer: &str, silent_on: &str) -> Vote {
    let mut vote = said(worker, answer);
    vote.note.silent_on = silent_on.chars().map(String::from).collect();
    vote
}

#[test]
fn what_stands_of_an_answer_counts_for_its_labels_and_says_nothing_of_those_of_a_split_one() {
    let old = [rest("a", "C", "DXY"), rest("b", "C", "DXY")];
    let with = |new: &[Vote]| [&old, new].concat();

    let both = with(&[said("c", "CX")]);
    let part_alone = with(&[said("c", "X")]);
    let one_to_one = [rest("a", "C", "DXY"), said("c", "X")];
    let none = with(&[said("c", "-")]);

    assert_eq!(decided(&both), agreed("CX", 1.0, DecidedBy::Majority));
    assert_eq!(decided(&part_alone), agreed("CX", 2.0 / 3.0, DecidedBy::Majority));
    assert_eq!(decided(&one_to_one), TIE);
    assert_eq!(tied_labels(&one_to_one), ["C"], "of X only one says anything");
    assert_eq!(decided(&none), agreed("C", 2.0 / 3.0, DecidedBy::Majority));
}

#[test]
fn what_stands_of_answers_is_no_answer_until_somebody_has_answered_anew() {
    let old = [rest("a", "C", "DXY"), rest("b", "C", "DXY")];
    let own_again = Vote {
        at: "2026-11-21T10:00:00Z".into(),
        ..said("a", "X")
    };

    assert_eq!(decided(&old).0, Consensus::Unanswered);
    let unsure = [&old[..], &[said("c", "?")]].concat();
    assert!(!decided(&unsure).0.is_answer());
    let corrected = [old[0].clone(), own_again];
    assert_eq!(
        decided(&corrected),
        agreed("X", 1.0, DecidedBy::SingleReviewer),
        "a new answer replaces what was left of the own one"
    );
}

#[test]
fn that_no_label_has_a_majority_is_no_answer_unless_most_say_that_none_fits() {
    let of = |answers: &[&str]| decided(&reviewers(answers));

    assert_eq!(of(&["AB", "C", "D"]), TIE, "all three say that something fits");
    assert_eq!(of(&["AB", "C", "-"]), TIE);
    assert_eq!(of(&["AB", "-", "-"]), agreed("-", 2.0 / 3.0, DecidedBy::Majority));
}

#[test]
fn the_most_frequent_of_four_whole_answers_decides_where_its_labels_are_tied() {
    let of = |answers: &[&str]| decided(&reviewers(answers));
    let half = |answer: &str| agreed(answer, 0.5, DecidedBy::Majority);

    assert_eq!(of(&["AB", "C", "-", "-"]), half("-"));
    assert_eq!(of(&["AB", "AB", "A", "C"]), half("AB"));
    assert_eq!(
        tied_labels(&reviewers(&["AB", "AB", "A", "C"])),
        [""; 0],
        "it is decided"
    );
    assert_eq!(of(&["AB", "AB", "A", "A"]), TIE, "both are as frequent");
    assert_eq!(of(&["AB", "C", "-", "?"]), TIE, "who is unsure says nothing");
    assert_eq!(
        of(&["AB", "AC", "A", "A"]),
        agreed("A", 0.75, DecidedBy::Majority),
        "label by label, where that decides"
    );
}

#[test]
fn a_proposal_beside_labels_is_decided_as_they_are_and_the_answer_is_one_where_it_fits() {
    let of = |answers: &[&str]| decided(&reviewers(answers));

    assert_eq!(
        of(&["AB", "+AX", "A"]),
        agreed("A", 2.0 / 3.0, DecidedBy::Majority)
    );
    assert_eq!(
        of(&["AB", "+AX", "+AX"]),
        agreed("+AX", 2.0 / 3.0, DecidedBy::Majority)
    );
    assert_eq!(of(&["AB", "+X"]), TIE);
    assert_eq!(
        of(&["AB", "+X", "AB"]),
        agreed("AB", 2.0 / 3.0, DecidedBy::Majority)
    );
}

#[test]
fn users_decide_the_labels_on_which_reviewers_are_tied_and_no_other() {
    let with = |answers: &[&str], users: &[&str]| {
        let mut votes = reviewers(answers);
        let names = ["u", "v", "w"].into_iter().zip(users);
        votes.extend(names.map(|(name, answer)| user(name, answer)));
        decided(&votes)
    };

    assert_eq!(
        with(&["AB", "A"], &["AB"]),
        agreed("AB", 0.5, DecidedBy::UserBrokeTie)
    );
    assert_eq!(
        with(&["AB", "A"], &["A"]),
        agreed("A", 0.5, DecidedBy::UserBrokeTie)
    );
    assert_eq!(with(&["AB", "A"], &["AB", "A"]), TIE, "they are tied too");
    assert_eq!(
        with(&["AB", "A"], &["BC", "BC"]),
        agreed("AB", 0.5, DecidedBy::UserBrokeTie)
    );
    assert_eq!(
        with(&["AB", "-"], &["-"]),
        agreed("-", 0.5, DecidedBy::UserBrokeTie)
    );
    assert_eq!(
        with(&["AB", "AB"], &["A", "A", "A"]),
        agreed("AB", 1.0, DecidedBy::Majority)
    );
    assert_eq!(
        with(&["A"], &["AB", "AB"]),
        agreed("A", 1.0, DecidedBy::SingleReviewer)
    );
    assert_eq!(
        with(&["A", "A", "B", "C"], &["BC"]),
        agreed("A", 0.5, DecidedBy::Majority)
    );
}

#[test]
fn an_adjudicator_s_set_of_labels_is_final() {
    let mut votes = reviewers(&["AB", "AC", "A"]);
    votes.push(Vote {
        source: VoteSource::Adjudicator,
        ..said("adjudicator:lea", "BC")
    });

    assert_eq!(decided(&votes), agreed("BC", 1.0, DecidedBy::Adjudicator));
}

#[test]
fn a_label_is_one_in_every_spelling_and_is_written_as_most_write_it() {
    let labels = |worker: &str, labels: &[&str]| Vote {
        answer: Answer::labels(labels.iter().copied()),
        ..said(worker, "-")
    };
    let votes = [
        labels("a", &["World", "Art"]),
        labels("b", &["world", "Sports"]),
        labels("c", &["world"]),
    ];

    let (consensus, _) = decided(&votes);

    assert_eq!(consensus.labels(), Some(&["world".to_owned()][..]));
}

/// Two reliable reviewers, and one who names B where it does not fit and not where it does; A is on each.
fn with_an_adversary() -> BTreeMap<u128, Vec<Vote>> {
    let records = (0..60).map(|record| {
        let (right, wrong) = if record % 2 == 0 { ("AB", "A") } else { ("A", "AB") };
        let slip = record % 10 == 0;
        let votes = vec![
            said("good", right),
            said("fair", if slip { wrong } else { right }),
            said("adversary", wrong),
        ];
        (record, votes)
    });
    records.collect()
}

#[test]
fn error_rates_are_learned_on_each_label() {
    let mut votes = with_an_adversary();
    votes.insert(100, vec![said("good", "AC")]);
    votes.insert(101, vec![said("good", "?")]);
    votes.insert(
        102,
        vec![said("good", "-"), said("fair", "-"), said("adversary", "A")],
    );
    let counted = counted(&votes);

    let consensus = consolidate(&counted, Settings::default());

    assert_eq!(consensus.method, Method::DawidSkene);
    assert_eq!(
        decided(&votes[&0]).0.labels().map(<[_]>::len),
        Some(1),
        "the majority is wrong here"
    );
    for record in 0..60 {
        let found = consensus.of(record);
        assert_eq!(answer_of(&found.cloned()), answer_of(&decided(&votes[&record]).0));
        assert_eq!(consensus.decided_by(record), Some(DecidedBy::Majority));
        let is_wrong = record % 10 == 0;
        assert_eq!(consensus.is_doubtful(record), is_wrong, "{record}: {found:?}");
        assert!(
            matches!(found, Consensus::Agreed { confidence, .. } if is_wrong || confidence > 0.8),
            "{record}: {found:?}"
        );
    }
    assert_eq!(
        consensus.of(100).labels(),
        Some(&["A".to_owned(), "C".to_owned()][..]),
        "one reviewer's word counts"
    );
    assert!(!consensus.of(101).is_answer());
    let none = consensus.of(102).cloned();
    assert_eq!(answer_of(&none), Some(&Answer::NoneFits));
    assert!(!consensus.is_doubtful(102), "{none:?}");
}

#[test]
fn stacks_of_one_label_a_text_are_weighed_as_whole_answers_also_where_a_user_names_two() {
    let votes = with_an_adversary().into_iter().map(|(record, votes)| {
        let one = votes.into_iter().map(|vote| {
            let is_both = vote.answer == said("", "AB").answer;
            Vote {
                answer: said("", if is_both { "X" } else { "Y" }).answer,
                ..vote
            }
        });
        (record, one.collect())
    });
    let votes: BTreeMap<u128, Vec<Vote>> = votes.collect();
    let mut with_user = votes.clone();
    with_user.insert(200, vec![said("good", "X"), user("u", "XY")]);
    let (plain, more) = (counted(&votes), counted(&with_user));

    let (plain, more) = (
        consolidate(&plain, Settings::default()),
        consolidate(&more, Settings::default()),
    );

    assert_eq!(plain.method, Method::DawidSkene);
    for record in votes.keys() {
        let answer = |consensus: Consensus<&Answer>| consensus.labels().map(<[_]>::to_vec);
        assert_eq!(answer(more.of(*record)), answer(plain.of(*record)), "{record}");
    }
    assert_eq!(more.of(200).labels(), Some(&["X".to_owned()][..]));
}

#[test]
fn a_dispute_that_the_version_before_stored_is_an_answer_for_the_dataset() {
    let stored = json!({
        "schemaVersion": 1,
        "state": "disputed",
        "record": {
            "schemaVersion": 1, "id": "1f", "classifier": "news", "utterance": "t", "prediction": "A", "confidence": 0.4,
            "source": "implicit", "signal": "low-confidence", "receivedAt": "2026-11-20T09:00:00Z",
        },
        "humanLoop": "review-1-again-3",
        "items": 1,
        "votes": reviewers(&["AB", "AC", "A"]),
        "consensus": { "state": "tie" },
        "reopened": 0,
    });
    let mut question = Question::parse(stored.to_string().as_bytes()).expect("it is read as before");
    assert_eq!(question.state, State::Disputed, "an adjudicator still finds it");

    let for_datasets = decided(&question.votes);
    question.answer_with(&[said("d", "A")]);

    assert_eq!(for_datasets, agreed("A", 2.0 / 3.0, DecidedBy::Majority));
    assert_eq!(
        question.answer(),
        Some(&said("", "A").answer),
        "the next vote decides with the earlier ones"
    );
}

/// Answers of reviewers as sets of four labels; an empty one says that none fits, `None` that its reviewer is unsure.
fn answers() -> impl Strategy<Value = Vec<Option<BTreeSet<char>>>> {
    let set = proptest::collection::btree_set(prop::sample::select(vec!['A', 'B', 'C', 'D']), 0..4);
    proptest::collection::vec(proptest::option::weighted(0.9, set), 1..6)
}

fn votes_of(answers: &[Option<BTreeSet<char>>]) -> Vec<Vote> {
    let words = answers.iter().map(|answer| match answer {
        None => "?".to_owned(),
        Some(labels) if labels.is_empty() => "-".to_owned(),
        Some(labels) => labels.iter().collect(),
    });
    let words: Vec<String> = words.collect();
    reviewers(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn neither_the_order_of_votes_nor_that_of_labels_counts(answers in answers(), rotation in 0usize..6) {
        let votes = votes_of(&answers);
        let mut turned: Vec<Vote> = votes.iter().rev().cloned().collect();
        let places = turned.len();
        turned.rotate_left(rotation % places);

        prop_assert_eq!(decided(&votes), decided(&turned));
        prop_assert_eq!(tied_labels(&votes), tied_labels(&turned));
    }

    #[test]
    fn a_label_that_all_name_fits_and_one_that_nobody_names_does_not(answers in answers(), weigh in any::<bool>()) {
        let votes = votes_of(&answers);
        let mut many = if weigh { with_an_adversary() } else { BTreeMap::new() };
        many.insert(1_000, votes);
        let counted = counted(&many);
        let consolidated = consolidate(&counted, Settings { overlap_per_answer: 1 });
        let sure: Vec<&BTreeSet<char>> = answers.iter().flatten().collect();

        if let Some(labels) = consolidated.of(1_000).labels() {
            for label in ['A', 'B', 'C', 'D'] {
                let is_in = labels.contains(&label.to_string());
                let named = sure.iter().filter(|labels| labels.contains(&label)).count();
                prop_assert!(named < sure.len() || is_in, "all name {label}");
                prop_assert!(named > 0 || !is_in, "nobody names {label}");
            }
        }
    }

    #[test]
    fn of_one_label_each_the_most_frequent_answer_counts_as_before(labels in proptest::collection::vec(0usize..4, 1..6)) {
        let words: Vec<&str> = labels.iter().map(|label| ["A", "B", "-", "?"][*label]).collect();
        let votes = reviewers(&words);
        let count = |word: &str| words.iter().filter(|other| **other == word).count();
        let most = ["A", "B", "-"].map(count).into_iter().max().unwrap_or_default();
        let best: Vec<&str> = ["A", "B", "-"].into_iter().filter(|word| count(word) == most).collect();

        let (consensus, _) = decided(&votes);

        match (most, best.as_slice()) {
            (0, _) => prop_assert!(!consensus.is_answer()),
            (_, [one]) => prop_assert_eq!(answer_of(&consensus), Some(&said("", one).answer)),
            _ => prop_assert_eq!(consensus, Consensus::Tie),
        }
    }
}
