use proptest::prelude::*;

use super::*;

pub(crate) fn vote(worker: &str, label: &str) -> Vote {
    Vote {
        worker: worker.into(),
        answer: match label {
            "?" => Answer::Unsure,
            "-" => Answer::NoneFits,
            label => Answer::labels([label]),
        },
        source: VoteSource::HumanReview,
        at: "2026-11-20T10:00:00Z".into(),
        seconds: None,
        note: Default::default(),
    }
}

fn majority(votes: &[(&str, &str)]) -> Consensus {
    let votes: Vec<Vote> = votes.iter().map(|(worker, label)| vote(worker, label)).collect();
    Consensus::by_majority(&votes).0
}

fn agreed(label: &str, confidence: f64) -> Consensus {
    Consensus::Agreed {
        answer: vote("", label).answer,
        confidence,
    }
}

#[test]
fn the_most_frequent_answer_wins_and_equal_ones_tie() {
    assert_eq!(
        majority(&[("a", "X"), ("b", "X"), ("c", "Y")]),
        agreed("X", 2.0 / 3.0)
    );
    assert_eq!(majority(&[("a", "X"), ("b", "Y")]), Consensus::Tie);
    assert_eq!(
        majority(&[("a", "X"), ("b", "-"), ("c", "-")]),
        agreed("-", 2.0 / 3.0)
    );
    assert_eq!(majority(&[("a", "X")]), agreed("X", 1.0));
    assert_eq!(majority(&[]), Consensus::Unanswered);
}

#[test]
fn who_is_unsure_does_not_vote_unless_nobody_is_sure() {
    assert_eq!(majority(&[("a", "X"), ("b", "?"), ("c", "?")]), agreed("X", 1.0));
    assert_eq!(majority(&[("a", "?"), ("b", "?")]), agreed("?", 1.0));
}

#[test]
fn a_worker_has_one_vote_their_last() {
    let mut later = vote("a", "Y");
    later.at = "2026-11-20T10:00:01Z".into();

    let (consensus, _) = Consensus::by_majority(&[later, vote("a", "X"), vote("a", "X")]);

    assert_eq!(consensus, agreed("Y", 1.0));
}

#[test]
fn what_reviewers_have_corrected_says_nothing_and_what_users_said_before_stays_known() {
    let at = |second: u32, vote: Vote| Vote {
        at: format!("2026-11-20T10:00:{second:02}Z"),
        ..vote
    };
    let votes = [
        at(1, vote("a", "X")),
        at(2, vote("a", "Y")),
        at(2, vote("a", "X")),
        at(1, user("u", "X")),
        at(2, user("u", "Y")),
    ];

    let left: Vec<&Vote> = without_corrected(&votes).collect();

    assert_eq!(left, [&votes[1], &votes[3], &votes[4]]);
    let (of_all, of_left) = (
        Consensus::by_majority(&votes),
        Consensus::by_majority(&left.into_iter().cloned().collect::<Vec<_>>()),
    );
    assert_eq!(
        of_all, of_left,
        "the same vote of a reviewer is the last for both"
    );
}

#[test]
fn only_agreed_labels_are_labels() {
    assert_eq!(agreed("X", 0.9).labels(), Some(&["X".to_owned()][..]));
    for other in [
        agreed("-", 1.0),
        agreed("?", 1.0),
        Consensus::Tie,
        Consensus::Unanswered,
    ] {
        assert_eq!(other.labels(), None);
    }
}

fn user(name: &str, label: &str) -> Vote {
    Vote {
        source: VoteSource::Feedback,
        ..vote(&format!("user:{name}"), label)
    }
}

fn adjudicator(label: &str) -> Vote {
    Vote {
        source: VoteSource::Adjudicator,
        ..vote("adjudicator:lea", label)
    }
}

#[test]
fn with_one_reviewer_the_reviewer_s_word_counts_however_many_users_differ() {
    let votes = [user("a", "Y"), user("b", "Y"), vote("r", "X")];

    let decided = Consensus::by_majority(&votes);

    assert_eq!(decided, (agreed("X", 1.0), Some(DecidedBy::SingleReviewer)));
}

#[test]
fn users_break_a_tie_of_reviewers_and_add_no_answer_of_their_own() {
    let tie = [vote("r", "X"), vote("s", "Y")];
    let with = |users: &[Vote]| Consensus::by_majority(&[&tie, users].concat());

    assert_eq!(
        with(&[user("a", "Y"), user("b", "Z"), user("c", "Z")]),
        (agreed("Y", 0.5), Some(DecidedBy::UserBrokeTie))
    );
    assert_eq!(with(&[user("a", "Z")]), (Consensus::Tie, None));
    assert_eq!(with(&[user("a", "X"), user("b", "Y")]), (Consensus::Tie, None));
}

/// A vote for a label that is proposed, at a second.
fn proposing(worker: &str, label: &str, second: u32) -> Vote {
    Vote {
        answer: Answer::proposal(label.split('|')),
        at: format!("2026-11-20T10:00:{second:02}Z"),
        ..vote(worker, "-")
    }
}

/// Decides on votes by themselves and among those on many records; both have to say the same.
pub(crate) fn decided(votes: &[Vote]) -> (Consensus, Option<DecidedBy>) {
    let by_majority = Consensus::by_majority(votes);
    let many = counted(&BTreeMap::from([(1, votes.to_vec())]));
    let consolidated = consolidate(&many, Settings::default());
    assert_eq!(consolidated.of(1).cloned(), by_majority.0, "for datasets too");
    assert_eq!(consolidated.decided_by(1), by_majority.1);
    by_majority
}

#[test]
fn reviewers_who_propose_one_label_in_two_spellings_agree_on_the_one_that_came_first() {
    let sure = |label: &str| Consensus::Agreed {
        answer: proposing("", label, 0).answer,
        confidence: 1.0,
    };
    for (first, other) in [
        ("gift card", "Gift card"),
        ("Gift card", "gift card"),
        ("Gift card", "Gift  Card "),
        ("Gift card", "ＧＩＦＴ ＣＡＲＤ"),
        ("Billing|Neu: ärger", "billing|NEU: Ärger"),
    ] {
        let two = [proposing("a", first, 1), proposing("b", other, 2)];
        let turned = [two[1].clone(), two[0].clone()];

        assert_eq!(decided(&two), (sure(first), Some(DecidedBy::Majority)), "{other}");
        assert_eq!(decided(&turned), decided(&two), "{other}");
        let with_another = [&two[..], &[proposing("c", "Voucher", 0)]].concat();
        assert!(
            matches!(decided(&with_another).0, Consensus::Agreed { answer, .. } if answer == two[0].answer),
            "{other}"
        );
    }
    let most = [
        proposing("a", "gift card", 1),
        proposing("b", "Gift Card", 2),
        proposing("c", "Gift Card", 3),
    ];
    assert_eq!(decided(&most).0, sure("Gift Card"));
    let at_once = [proposing("a", "gift card", 1), proposing("b", "Gift card", 1)];
    assert_eq!(decided(&at_once).0, sure("Gift card"));
}

#[test]
fn users_add_no_spelling_to_what_a_reviewer_proposed_and_break_a_tie_in_theirs() {
    let of_user = |name: &str, label: &str| Vote {
        source: VoteSource::Feedback,
        ..proposing(&format!("user:{name}"), label, 0)
    };
    let users = [of_user("a", "GIFT CARD"), of_user("b", "GIFT CARD")];
    let one = [&users[..], &[proposing("r", "Gift card", 5)]].concat();
    let tie = [&one[..], &[proposing("s", "Voucher", 6)]].concat();
    let other = [&one[..], &[proposing("s", "Gift cards", 6)]].concat();

    let is_gift_card = |votes: &[Vote]| {
        let (consensus, rule) = decided(votes);
        let answer = proposing("", "Gift card", 0).answer;
        (
            matches!(consensus, Consensus::Agreed { answer: kept, .. } if kept == answer),
            rule,
        )
    };
    assert_eq!(is_gift_card(&one), (true, Some(DecidedBy::SingleReviewer)));
    assert_eq!(is_gift_card(&tie), (true, Some(DecidedBy::UserBrokeTie)));
    assert_eq!(
        is_gift_card(&other),
        (true, Some(DecidedBy::UserBrokeTie)),
        "another label"
    );
}

#[test]
fn an_adjudicator_s_spelling_stays_as_they_wrote_it() {
    let last_word = Vote {
        source: VoteSource::Adjudicator,
        ..proposing("adjudicator:lea", "GIFT card", 9)
    };
    let votes = [
        proposing("a", "Gift card", 1),
        proposing("b", "Gift card", 2),
        last_word.clone(),
    ];

    let (consensus, rule) = decided(&votes);

    assert_eq!(rule, Some(DecidedBy::Adjudicator));
    assert!(matches!(consensus, Consensus::Agreed { answer, .. } if answer == last_word.answer));
}

#[test]
fn error_rates_are_those_of_labels_however_they_are_spelt() {
    let spelt = |record: u128, label: &str| {
        if record.is_multiple_of(3) {
            label.to_lowercase()
        } else {
            label.to_owned()
        }
    };
    let mut votes = with_an_adversary(60);
    for (record, votes) in &mut votes {
        let answer = match &votes[1].answer {
            Answer::Labels { labels } => Answer::labels([spelt(*record, &labels[0])]),
            other => other.clone(),
        };
        votes[1].answer = answer;
    }
    let plain = counted(&with_an_adversary(60));
    let counted = counted(&votes);

    let (plain, spelt) = (
        consolidate(&plain, Settings::default()),
        consolidate(&counted, Settings::default()),
    );

    assert_eq!(spelt.method, Method::DawidSkene);
    for record in 0..60 {
        let (
            Consensus::Agreed { answer, confidence },
            Consensus::Agreed {
                answer: same,
                confidence: as_sure,
            },
        ) = (spelt.of(record), plain.of(record))
        else {
            panic!("{record}: one of them does not agree");
        };
        assert!(answer.says_the_same(same), "{record}: {answer:?}");
        assert!((confidence - as_sure).abs() < 1e-9, "{record}");
        assert!(
            votes[&record].iter().any(|vote| vote.answer == *answer),
            "a spelling of the record"
        );
    }
}

#[test]
fn a_user_alone_is_no_review() {
    assert_eq!(
        Consensus::by_majority(&[user("a", "X")]),
        (Consensus::Unanswered, None)
    );
}

/// A vote of a file whose label was a proposal and is a label by now.
fn proposed(label: &str) -> Vote {
    let import = Vote {
        source: VoteSource::Import,
        answer: Answer::NewLabel {
            label: label.to_owned(),
        },
        ..vote("csv:annotator", label)
    };
    import.written_as(Answer::labels([label]))
}

#[test]
fn an_imported_proposal_that_is_a_label_by_now_counts_alone_and_never_against_a_reviewer() {
    let decided = |votes: &[Vote]| {
        let by_majority = Consensus::by_majority(votes);
        let many = counted(&BTreeMap::from([(1, votes.to_vec())]));
        let consolidated = consolidate(&many, Settings::default());
        assert_eq!(consolidated.of(1).cloned(), by_majority.0, "for datasets too");
        assert_eq!(consolidated.decided_by(1), by_majority.1);
        by_majority
    };
    let real = Vote {
        source: VoteSource::Import,
        ..vote("csv:another", "X")
    };

    let alone = decided(&[proposed("X")]);
    let contradicted = decided(&[proposed("X"), vote("a", "Y")]);
    let beside_an_unsure_one = decided(&[proposed("X"), vote("a", "?")]);
    let none_fits = decided(&[proposed("X"), vote("a", "-")]);
    let tie = decided(&[proposed("X"), vote("a", "Y"), vote("b", "X")]);
    let a_label_from_the_first = decided(&[real, vote("a", "Y")]);

    assert_eq!(alone, (agreed("X", 1.0), Some(DecidedBy::SingleReviewer)));
    assert_eq!(contradicted, (agreed("Y", 1.0), Some(DecidedBy::SingleReviewer)));
    assert_eq!(beside_an_unsure_one.0, agreed("X", 1.0));
    assert_eq!(none_fits.0, agreed("-", 1.0));
    assert_eq!(tie, (agreed("X", 0.5), Some(DecidedBy::UserBrokeTie)));
    assert_eq!(a_label_from_the_first, (Consensus::Tie, None));
}

#[test]
fn an_adjudicator_is_final_and_never_doubtful() {
    let mut votes = with_an_adversary(60);
    votes.insert(100, vec![vote("good", "X"), vote("fair", "X"), adjudicator("Y")]);
    let counted = counted(&votes);

    let consensus = consolidate(&counted, Settings::default());

    assert_eq!(consensus.method, Method::DawidSkene);
    assert_eq!(consensus.of(100).cloned(), agreed("Y", 1.0));
    assert_eq!(consensus.decided_by(100), Some(DecidedBy::Adjudicator));
    assert!(!consensus.is_doubtful(100));
    assert_eq!(
        Consensus::by_majority(&votes[&100]),
        (agreed("Y", 1.0), Some(DecidedBy::Adjudicator))
    );
}

/// A reliable reviewer on every record, and users who are right or never right.
fn with_users(right: bool) -> BTreeMap<u128, Vec<Vote>> {
    (0..60)
        .map(|number| {
            let (truth, other) = if number % 2 == 0 { ("X", "Y") } else { ("Y", "X") };
            let said = if right { truth } else { other };
            let users = user(&format!("{number}"), said);
            (number, vec![vote("good", truth), vote("fair", truth), users])
        })
        .collect()
}

#[test]
fn users_are_one_annotator_whose_learned_weight_says_how_sure_an_answer_is_and_outvotes_no_reviewer() {
    for right in [true, false] {
        let mut votes = with_users(right);
        votes.insert(100, vec![vote("new", "X"), vote("newer", "Y"), user("u", "X")]);
        votes.insert(101, vec![vote("good", "X"), user("u", "Y"), user("v", "Y")]);
        let counted = counted(&votes);

        let consensus = consolidate(&counted, Settings::default());

        assert_eq!(consensus.method, Method::DawidSkene);
        for record in [100, 101] {
            let (answer, rule) = Consensus::by_majority(&votes[&record]);
            assert_eq!(consensus.of(record).labels(), answer.labels(), "{right}");
            assert_eq!(consensus.decided_by(record), rule);
        }
        assert_eq!(consensus.decided_by(100), Some(DecidedBy::UserBrokeTie));
        assert_eq!(
            consensus.is_doubtful(100),
            !right,
            "a tie that users broke who are never right"
        );
    }
}

/// Two reliable workers, and one who calls every X a Y and every Y an X.
fn with_an_adversary(records: u128) -> BTreeMap<u128, Vec<Vote>> {
    (0..records)
        .map(|number| {
            let (right, wrong) = if number % 2 == 0 { ("X", "Y") } else { ("Y", "X") };
            let slip = number % 10 == 0;
            let votes = vec![
                vote("good", right),
                vote("fair", if slip { wrong } else { right }),
                vote("adversary", wrong),
            ];
            (number, votes)
        })
        .collect()
}

pub(crate) fn counted(votes: &BTreeMap<u128, Vec<Vote>>) -> Votes {
    let mut ballots = Ballots::default();
    for (id, votes) in votes {
        votes.iter().for_each(|vote| ballots.add(*id, vote));
    }
    ballots.count()
}

#[test]
fn a_majority_of_an_adversary_and_a_slip_stands_and_is_doubtful() {
    let votes = with_an_adversary(60);
    let counted = counted(&votes);

    let consensus = consolidate(&counted, Settings::default());

    assert_eq!(consensus.method, Method::DawidSkene);
    for (id, votes) in &votes {
        let is_wrong = id % 10 == 0;
        let found = consensus.of(*id);
        assert_eq!(found.labels(), Consensus::by_majority(votes).0.labels());
        assert_eq!(consensus.decided_by(*id), Some(DecidedBy::Majority));
        assert_eq!(consensus.is_doubtful(*id), is_wrong, "{id}: {found:?}");
        assert!(
            matches!(found, Consensus::Agreed { confidence, .. } if is_wrong || confidence > 0.8),
            "{id}: {found:?}"
        );
    }
}

/// Numbers from 0 to 1 that look like chance: splitmix64.
///
/// Source: G. L. Steele, D. Lea and C. H. Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// What becomes of texts with two classes that an adversary and two reviewers answer who are right nine times of ten.
#[derive(Debug, Default)]
struct Simulated {
    texts: usize,
    /// Wrong answers of the majority.
    wrong: usize,
    doubtful: usize,
    /// Doubtful ones that are wrong.
    wrong_and_doubtful: usize,
    /// Wrong ones that are left when two more reviewers of the same kind have answered those that are doubtful.
    left_after_two_more: usize,
}

impl Simulated {
    fn run(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let mut honest = |who: &str, right: usize| {
            let is_slip = chance.next() < 0.1;
            vote(who, ["X", "Y"][if is_slip { 1 - right } else { right }])
        };
        let mut votes: BTreeMap<u128, Vec<Vote>> = BTreeMap::new();
        for record in 0..400 {
            let right = record % 2;
            let adversary = vote("adversary", ["X", "Y"][1 - right]);
            votes.insert(
                record as u128,
                vec![honest("a", right), honest("b", right), adversary],
            );
        }
        let mut found = Self::default();
        let is_wrong = |record: u128, labels: Option<&[String]>| {
            labels != Some(&[["X", "Y"][record as usize % 2].to_owned()][..])
        };
        let all = counted(&votes);
        let consensus = consolidate(&all, Settings::default());
        for (record, votes) in &mut votes {
            let wrong = is_wrong(*record, consensus.of(*record).labels());
            let doubtful = consensus.is_doubtful(*record);
            found.texts += 1;
            found.wrong += usize::from(wrong);
            found.doubtful += usize::from(doubtful);
            found.wrong_and_doubtful += usize::from(wrong && doubtful);
            if doubtful {
                let right = *record as usize % 2;
                votes.extend([honest("c", right), honest("d", right)]);
            }
            let after = Consensus::by_majority(votes).0;
            found.left_after_two_more += usize::from(is_wrong(*record, after.labels()));
        }
        found
    }
}

#[test]
fn with_an_adversary_among_three_the_doubtful_labels_are_the_wrong_ones() {
    for seed in 1..=5 {
        let found = Simulated::run(seed);

        println!("{found:?}");
        assert!(found.wrong * 100 > found.texts * 10, "{found:?}");
        assert!(found.wrong_and_doubtful * 100 >= found.wrong * 85, "{found:?}");
        assert!(found.wrong_and_doubtful * 100 >= found.doubtful * 95, "{found:?}");
        assert!(found.left_after_two_more * 2 < found.wrong, "{found:?}");
    }
}

#[test]
fn too_little_overlap_is_left_to_the_majority() {
    let mut votes = with_an_adversary(19);
    votes.insert(99, vec![vote("good", "X")]);
    let counted = counted(&votes);

    let consensus = consolidate(&counted, Settings::default());

    assert_eq!(consensus.method, Method::Majority);
    for (id, votes) in &votes {
        assert_eq!(consensus.of(*id).cloned(), Consensus::by_majority(votes).0);
    }
}

#[test]
fn an_improbable_answer_counts_and_is_doubtful() {
    let mut votes = with_an_adversary(60);
    votes.insert(100, vec![vote("adversary", "X")]);
    votes.insert(101, vec![vote("good", "?")]);
    let counted = counted(&votes);

    let consensus = consolidate(&counted, Settings::default());

    assert_eq!(consensus.method, Method::DawidSkene);
    assert_eq!(consensus.of(100).labels(), agreed("X", 1.0).labels());
    assert_eq!(consensus.decided_by(100), Some(DecidedBy::SingleReviewer));
    assert!(consensus.is_doubtful(100), "only the adversary has answered");
    assert_eq!(consensus.of(101).cloned(), agreed("?", 1.0));
    assert!(!consensus.is_doubtful(101), "there is no answer");
    assert_eq!(consensus.of(102), Consensus::Unanswered);
}

#[test]
fn what_the_only_reviewer_of_a_text_says_counts_though_another_contradicted_it_elsewhere() {
    let mut votes = BTreeMap::new();
    for record in 0..48 {
        votes.insert(record, vec![vote("ann", "World"), vote("bea", "World")]);
    }
    for record in 48..50 {
        votes.insert(record, vec![vote("ann", "Refund"), vote("bea", "World")]);
    }
    for record in 50..58 {
        votes.insert(record, vec![vote("ann", "Refund")]);
    }
    let counted = counted(&votes);

    let consensus = consolidate(&counted, Settings::default());

    assert_eq!(consensus.method, Method::DawidSkene);
    for record in 50..58 {
        assert_eq!(consensus.of(record).labels(), agreed("Refund", 1.0).labels());
        assert_eq!(consensus.decided_by(record), Some(DecidedBy::SingleReviewer));
    }
}

proptest! {
    #[test]
    fn neither_the_order_of_votes_nor_their_repetition_counts(
        labels in proptest::collection::vec(proptest::collection::vec(0usize..4, 3), 30..60), rotation in 0usize..3,
    ) {
        let votes = |rotation: usize, twice: bool| {
            counted(&labels.iter().zip(0..).map(|(labels, record)| {
                let mut votes: Vec<Vote> = labels.iter().enumerate()
                    .map(|(worker, label)| vote(["a", "b", "c"][worker], ["X", "Y", "-", "?"][*label])).collect();
                votes.rotate_left(rotation);
                if twice { votes.extend(votes.clone()) }
                (record, votes)
            }).collect())
        };
        let settings = Settings { overlap_per_answer: 1 };

        let (plain, turned) = (votes(0, false), votes(rotation, true));
        prop_assert_eq!(consolidate(&plain, settings), consolidate(&turned, settings));
    }

    #[test]
    fn perfect_workers_are_always_agreed(truth in proptest::collection::vec(0usize..3, 30..80)) {
        let votes = counted(&truth.iter().zip(0..).map(|(label, record)| {
            (record, ["a", "b", "c"].map(|worker| vote(worker, ["X", "Y", "Z"][*label])).to_vec())
        }).collect());

        let consensus = consolidate(&votes, Settings { overlap_per_answer: 1 });

        for (label, record) in truth.iter().zip(0..) {
            let right = vote("", ["X", "Y", "Z"][*label]).answer;
            let consensus = consensus.of(record);
            prop_assert!(matches!(consensus, Consensus::Agreed { answer, .. } if *answer == right), "{consensus:?}");
        }
    }
}

#[test]
fn that_nobody_can_tell_is_no_answer_and_decided_by_no_rule() {
    let (unsure, rule) = Consensus::by_majority(&[vote("a", "?")]);

    assert_eq!((unsure.is_answer(), rule), (false, None));
    assert!(majority(&[("a", "?"), ("b", "X")]).is_answer());
    assert!(!majority(&[("a", "X"), ("b", "Y")]).is_answer());
}

#[test]
fn a_user_whose_name_is_typed_in_another_way_is_the_same_user() {
    let tie = [vote("r", "X"), vote("s", "Y")];
    let mut later = user("ann", "Y");
    later.at = "2026-11-20T10:00:01Z".into();
    let votes = [&tie[..], &[user(" Ann ", "X"), later]].concat();
    let counted = counted(&BTreeMap::from([(1, votes.clone())]));

    let expected = (agreed("Y", 0.5), Some(DecidedBy::UserBrokeTie));

    assert_eq!(Consensus::by_majority(&votes), expected);
    let consensus = consolidate(&counted, Settings::default());
    assert_eq!(consensus.of(1).cloned(), expected.0);
}
