use proptest::prelude::*;

use super::*;
use crate::{
    feedback::{FeedbackRequest, Source},
    labels::{
        consolidation::{Ballots, Method, Settings, consolidate, tied_labels},
        label_set::{LabelSet, Origin},
        prediction_result::PredictionResult,
    },
};

fn feedback(request: &str) -> FeedbackRecord {
    FeedbackRequest::parse(request.as_bytes())
        .and_then(|request| request.into_record(Source::ExplicitApi, "2026-11-20T10:00:00Z"))
        .expect("feedback")
}

fn dislike() -> FeedbackRecord {
    feedback(
        r#"{"classifier": "news", "sentence": "t", "prediction": "A", "predictionId": "p", "user": "ada"}"#,
    )
}

fn with(extra: &str) -> FeedbackRecord {
    feedback(&format!(
        r#"{{"classifier": "news", "sentence": "t", "prediction": "A", {extra}}}"#
    ))
}

fn review(worker: &str, label: &str) -> Vote {
    Vote {
        worker: worker.to_owned(),
        answer: Answer::labels([label]),
        source: VoteSource::HumanReview,
        at: "2026-11-20T11:00:00Z".to_owned(),
        seconds: None,
        note: Default::default(),
    }
}

fn answered(label: &str) -> Question {
    let mut question = Question::asked(dislike(), "review-1", 1);
    question.answer_with(&[review("w1", label)]);
    question
}

#[test]
fn feedback_while_people_are_asked_is_a_vote_that_counts_when_they_have_answered() {
    let mut question = Question::asked(dislike(), "review-1", 2);

    let effect = question.hear(&Opinion::of(&with(r#""label": "B", "user": "bob""#)));
    question.answer_with(&[review("w1", "B"), review("w2", "C")]);

    assert_eq!(effect, Effect::Counted);
    assert_eq!(
        question.answer(),
        Some(&Answer::labels(["B"])),
        "the user broke the tie"
    );
    assert_eq!(question.decided_by, Some(DecidedBy::UserBrokeTie));
    assert_eq!(question.reviewers(), ["w1", "w2"]);
}

#[test]
fn the_same_feedback_again_is_known() {
    let mut question = Question::asked(dislike(), "review-1", 1);
    let opinion = Opinion::of(&with(r#""label": "B""#));

    let effects = [question.hear(&opinion), question.hear(&opinion)];

    assert_eq!(effects, [Effect::Counted, Effect::Known]);
}

#[test]
fn feedback_that_contradicts_an_answer_reopens_it_a_bounded_number_of_times() {
    let mut question = answered("A");
    let mut effects = Vec::new();
    for user in ["b", "c", "d"] {
        effects.push(question.hear(&Opinion::of(&with(&format!(r#""label": "B", "user": "{user}""#)))));
        if question.state == State::Asked {
            question.answer_with(&[review(user, "A")]);
        }
    }

    assert_eq!(effects, [Effect::Reopens, Effect::Reopens, Effect::Disputes]);
    assert_eq!(question.state, State::Disputed);
}

#[test]
fn feedback_that_agrees_with_an_answer_opens_nothing() {
    let mut question = answered("A");

    let like = question.hear(&Opinion::of(&with(r#""feedback": "like""#)));
    let other = answered("B").hear(&Opinion::of(&with(r#""user": "bob""#)));

    assert_eq!((like, other), (Effect::Counted, Effect::Counted));
    assert_eq!(question.votes.len(), 2, "a like is a vote for the prediction");
}

#[test]
fn a_dislike_of_what_people_answered_reopens_it() {
    assert_eq!(
        answered("A").hear(&Opinion::of(&with(r#""user": "bob""#))),
        Effect::Reopens
    );
}

#[test]
fn a_dislike_that_names_nothing_reopens_an_answer_unless_people_corrected_what_was_predicted() {
    let dislike = Opinion::of(&feedback(
        r#"{"classifier": "news", "sentence": "t", "feedback": "dislike"}"#,
    ));
    let mut unlabelled = answered("A");
    unlabelled.record.prediction = None;

    assert_eq!(dislike, Opinion::AgainstAll);
    assert_eq!(answered("A").hear(&dislike), Effect::Reopens);
    assert_eq!(
        answered("B").hear(&dislike),
        Effect::Counted,
        "A was predicted, and is wrong"
    );
    assert_eq!(unlabelled.hear(&dislike), Effect::Reopens);
    assert_eq!(
        Question::asked(self::dislike(), "review-1", 1).hear(&dislike),
        Effect::Counted
    );
}

#[test]
fn a_dislike_reopens_an_answer_of_several_labels_where_these_were_predicted() {
    let predicted = FeedbackRecord {
        prediction: Some("World|Business".into()),
        ..dislike()
    };
    let answered = |labels: &[&str]| {
        let mut question = Question::asked(predicted.clone(), "review-1", 1);
        let answer = Answer::labels(labels.iter().copied());
        question.answer_with(&[Vote {
            answer,
            ..review("w1", "A")
        }]);
        question
    };
    let names_it = Opinion::of(&predicted);

    for dislike in [&Opinion::AgainstAll, &names_it] {
        assert_eq!(answered(&["Business", "World"]).hear(dislike), Effect::Reopens);
        assert_eq!(answered(&["Business"]).hear(dislike), Effect::Counted);
    }
    let complaint = &Question::known(predicted.clone()).complaints[0];
    assert_eq!(complaint.answer, Answer::labels(["Business", "World"]));
}

#[test]
fn a_text_of_a_file_says_nothing_of_an_answer() {
    let text = FeedbackRequest::parse(br#"{"classifier": "news", "sentence": "t"}"#)
        .and_then(|request| request.into_record(Source::ExplicitBatch, "2026-11-20T10:00:00Z"))
        .expect("a text");

    assert_eq!(Opinion::of(&text), Opinion::None);
}

#[test]
fn a_label_that_was_split_contradicts_an_answer_that_is_none_of_its_parts() {
    let past = |user: &str| {
        let Opinion::For(vote) = Opinion::of(&with(&format!(r#""label": "AB", "user": "{user}""#))) else {
            panic!("a label is a vote");
        };
        let parts = vec!["A".to_owned(), "AB".to_owned(), "B".to_owned()];
        Opinion::Past {
            vote,
            parts: Some(parts),
        }
    };

    assert_eq!(answered("A").hear(&past("bob")), Effect::Counted);
    assert_eq!(answered("C").hear(&past("bob")), Effect::Reopens);
}

#[test]
fn how_a_label_is_spelt_contradicts_nothing() {
    let mut question = answered("Billing");

    let effect = question.hear(&Opinion::of(&with(r#""label": " BILLING""#)));

    assert_eq!(effect, Effect::Counted);
}

#[test]
fn an_imported_proposal_is_evidence_that_no_reviewer_has_to_agree_with() {
    let proposal = Vote {
        answer: Answer::NewLabel { label: "New".into() },
        source: VoteSource::Import,
        ..review("import", "")
    };
    let mut question = Question::known(dislike());

    question.answer_with(std::slice::from_ref(&proposal));
    let before = question.state;
    question.answer_with(&[review("w1", "B")]);

    assert_eq!(before, State::Asked);
    assert_eq!(question.answer(), Some(&Answer::labels(["B"])));
    assert!(question.votes.contains(&proposal));
}

#[test]
fn an_adjudicator_is_not_contradicted() {
    let mut question = answered("A");
    question.answer_with(&[Vote {
        source: VoteSource::Adjudicator,
        ..review("adjudicator:lea", "C")
    }]);

    let effect = question.hear(&Opinion::of(&with(r#""label": "B""#)));

    assert_eq!(effect, Effect::Counted);
    assert_eq!(question.answer(), Some(&Answer::labels(["C"])));
}

fn is_taken_back(question: &Question, like: &FeedbackRecord) -> bool {
    question.is_taken_back_by(like, &Opinion::of(like), &LabelSet::none())
}

#[test]
fn a_like_of_the_same_prediction_or_user_takes_a_dislike_back_unless_somebody_answered() {
    let question = Question::asked(dislike(), "review-1", 1);
    let taken_back = |question: &Question, extra: &str| {
        is_taken_back(question, &with(&format!(r#""feedback": "like", {extra}"#)))
    };

    assert!(taken_back(&question, r#""predictionId": "p""#));
    assert!(taken_back(&question, r#""user": "ada""#));
    assert!(!taken_back(&question, r#""user": "bob""#));
    assert!(!taken_back(&question, r#""predictionId": "q""#));
    let mut answered = question.clone();
    answered.answer_with(&[review("w1", "B")]);
    assert!(!taken_back(&answered, r#""predictionId": "p""#));
    let mut audit = question.clone();
    audit.record.signal = Signal::Audit;
    assert!(!taken_back(&audit, r#""predictionId": "p""#));
}

#[test]
fn a_user_takes_a_dislike_back_however_the_name_is_typed() {
    for (name, typed) in [
        ("Ayd\u{131}n", "AYDIN"),
        ("Y\u{131}ld\u{131}z", "yildiz"),
        ("\u{130}pek", "ipek"),
        ("Strau\u{df}", " STRAUSS "),
    ] {
        let question = Question::asked(with(&format!(r#""user": "{name}""#)), "review-1", 1);
        let like = with(&format!(r#""feedback": "like", "user": "{typed}""#));

        assert!(is_taken_back(&question, &like), "{name}");
    }
}

#[test]
fn a_like_of_another_prediction_is_a_vote_and_takes_no_complaint_back() {
    for complaint in [
        r#""user": "ada""#,
        r#""user": "ada", "label": "B""#,
        r#""user": "ada", "label": "C""#,
    ] {
        let question = Question::asked(with(complaint), "review-1", 1);
        let like = |prediction: &str| FeedbackRecord {
            prediction: Some(prediction.to_owned()),
            ..with(r#""feedback": "like", "user": "ada""#)
        };

        assert!(!is_taken_back(&question, &like("B")), "{complaint}");
        assert!(is_taken_back(&question, &like(" a")), "{complaint}");
    }
}

#[test]
fn a_complaint_is_not_taken_back_for_another_user_who_holds_another_label_right() {
    let mut question = Question::asked(with(r#""user": "ada", "predictionId": "p""#), "review-1", 1);
    let like = with(r#""feedback": "like", "user": "ada""#);
    assert!(is_taken_back(&question, &like));

    question.hear(&Opinion::of(&with(r#""label": "B", "user": "bob""#)));

    assert!(!is_taken_back(&question, &like));
}

#[test]
fn who_takes_a_complaint_back_holds_what_they_said_last() {
    let suggestion = with(r#""label": "B", "user": "ada""#);
    let mut question = Question::asked(suggestion, "review-1", 1);
    question.hear(&Opinion::of(&FeedbackRecord {
        received_at: "2026-11-20T10:00:01Z".to_owned(),
        ..with(r#""label": "B", "user": "ada""#)
    }));

    let like = with(r#""feedback": "like", "user": "ada""#);
    question.withdraw(&Opinion::of(&like), &like.received_at);

    let answers: Vec<&Answer> = question.votes.iter().map(|vote| &vote.answer).collect();
    assert_eq!(answers, [&Answer::labels(["A"])]);
    assert_eq!(question.state, State::Withdrawn);
}

#[test]
fn a_question_is_read_as_it_was_written() {
    let question = answered("A");

    assert_eq!(Question::parse(&question.to_json()), Some(question));
    assert_eq!(Question::parse(b"{}"), None);
}

#[test]
fn who_cannot_tell_leaves_the_question_to_somebody_else_whose_vote_counts() {
    let unsure = Vote {
        answer: Answer::Unsure,
        ..review("w1", "")
    };
    let mut question = Question::asked(with(r#""label": "B""#), "review-1", 1);

    question.answer_with(std::slice::from_ref(&unsure));
    let before = (question.state, question.answer().cloned(), question.decided_by);
    question.answer_with(&[review("w2", "B")]);

    assert_eq!(before, (State::Asked, None, None));
    assert_eq!(question.answer(), Some(&Answer::labels(["B"])));
    assert_eq!(question.decided_by, Some(DecidedBy::SingleReviewer));
    assert_eq!(question.reviewers(), ["w1", "w2"], "neither is asked again");
}

#[test]
fn a_complaint_reopens_what_an_older_version_left_as_answered_though_nobody_could_tell() {
    let left = || Question {
        state: State::Answered,
        consensus: Some(Consensus::Agreed {
            answer: Answer::Unsure,
            confidence: 1.0,
        }),
        ..Question::asked(dislike(), "review-1", 1)
    };

    for complaint in [with(r#""user": "bob""#), with(r#""label": "B", "user": "bob""#)] {
        assert_eq!(left().hear(&Opinion::of(&complaint)), Effect::Reopens);
    }
}

/// A vote of a file whose label was a proposal and is a label by now.
fn proposed(label: &str) -> Vote {
    let import = Vote {
        source: VoteSource::Import,
        answer: Answer::NewLabel {
            label: label.to_owned(),
        },
        ..review("csv:annotator", label)
    };
    import.written_as(Answer::labels([label]))
}

#[test]
fn what_a_change_of_the_set_contradicts_is_asked_of_somebody_else_once_for_each_change_and_twice_in_all() {
    let changes = [
        "2026-11-21T10:00:00Z",
        "2026-11-22T10:00:00Z",
        "2026-11-23T10:00:00Z",
    ];
    let mut question = answered("A");
    question.add(&[proposed("B")]);
    let mut effects = Vec::new();

    for at in changes {
        effects.push(question.contradict(at, &LabelSet::none()));
        effects.push(question.contradict(at, &LabelSet::none()));
        if question.state == State::Asked {
            question.answer_with(&[review("w1", "A")]);
        }
    }

    assert_eq!(
        effects,
        [
            Effect::Reopens,
            Effect::Known,
            Effect::Reopens,
            Effect::Known,
            Effect::Disputes,
            Effect::Known
        ]
    );
    assert_eq!((question.state, question.reopened), (State::Disputed, 2));
    assert_eq!(
        question.reviewers(),
        ["csv:annotator", "w1"],
        "neither is asked again"
    );
}

#[test]
fn a_change_of_the_set_asks_nobody_where_votes_agree_or_somebody_is_asked_or_an_adjudicator_has_decided() {
    let at = "2026-11-21T10:00:00Z";
    let agreeing = {
        let mut question = answered("B");
        question.add(&[proposed("B")]);
        question
    };
    let being_asked = {
        let mut question = Question::asked(dislike(), "review-1", 1);
        question.add(&[proposed("B")]);
        question
    };
    let decided = {
        let mut question = answered("A");
        question.answer_with(&[Vote {
            source: VoteSource::Adjudicator,
            ..review("adjudicator:eve", "A")
        }]);
        question.add(&[proposed("B")]);
        question
    };

    for (mut question, state) in [
        (agreeing, State::Answered),
        (being_asked, State::Asked),
        (decided, State::Answered),
    ] {
        assert_eq!(question.contradict(at, &LabelSet::none()), Effect::Counted);
        assert_eq!((question.state, question.reopened), (state, 0));
    }
}

#[test]
fn reviewers_whose_labels_became_one_and_tie_by_it_are_joined_by_one_more() {
    let mut question = answered("A");
    question.answer_with(&[review("w2", "A"), review("w3", "B"), review("w4", "B")]);
    question.state = State::Answered;

    let effect = question.contradict("2026-11-21T10:00:00Z", &LabelSet::none());

    assert_eq!((effect, question.state), (Effect::Reopens, State::Asked));
}

#[test]
fn users_hold_what_each_of_them_said_last() {
    let said = |label: &str, user: &str, second: u8| {
        Opinion::of(&FeedbackRecord {
            received_at: format!("2026-11-20T10:00:0{second}Z"),
            ..with(&format!(r#""label": "{label}", "user": "{user}""#))
        })
    };
    let mut question = Question::asked(with(r#""label": "B", "user": "u1""#), "review-1", 1);

    for opinion in [
        said("C", "u2", 1),
        said("D", "u1", 2),
        said(" c", "u3", 3),
        said("E", "u4", 4),
    ] {
        question.hear(&opinion);
    }
    question.answer_with(&[review("w1", "B")]);

    let held: Vec<(Answer, usize)> = (question.users_hold().into_iter())
        .map(|(answer, users)| (answer.clone(), users))
        .collect();
    let labels = |label: &str| Answer::labels([label]);
    assert_eq!(held, [(labels("C"), 2), (labels("E"), 1), (labels("D"), 1)]);
}

#[test]
fn what_was_asked_anew_is_answered_as_before_once_the_doubt_is_gone_unless_somebody_has_answered() {
    let asked = || {
        let mut asked = Question::asked(dislike().asked_anew("2026-11-21T10:00:00Z"), "review-2", 2);
        asked.in_doubt = vec![review("w1", "B")];
        asked
    };
    let (mut restored, mut without_answer, mut answered) = (asked(), asked(), asked());
    without_answer.in_doubt.clear();
    answered.votes.push(Vote {
        at: "2026-11-21T11:00:00Z".to_owned(),
        ..review("w2", "C")
    });
    let restore = |question: &mut Question| question.restore(&LabelSet::none(), "2026-11-22T10:00:00Z");

    let loops = [&mut restored, &mut without_answer, &mut answered].map(restore);

    let taken_back = Some(Some("review-2".to_owned()));
    assert_eq!(loops, [taken_back.clone(), taken_back, None]);
    assert_eq!(restored.answer(), Some(&Answer::labels(["B"])));
    assert_eq!(without_answer.state, State::Withdrawn);
    assert_eq!(answered.state, State::Asked);
    assert!(restored.is_taken_off("review-2") && without_answer.is_taken_off("review-2"));
    assert!(!answered.is_taken_off("review-2"));
    assert_eq!(Question::parse(&restored.to_json()), Some(restored));
}

#[test]
fn a_question_that_another_loop_asks_by_now_is_taken_off_the_page_that_asked_it_before() {
    let name = |digit: &str| format!("review-{}", digit.repeat(40));
    let question = Question::asked(dislike(), &name("b"), 1);

    let is_taken_off = |page: &str| question.is_taken_off(page);

    assert!(is_taken_off(&name("a")));
    assert!(!is_taken_off(&name("b")) && !is_taken_off(&format!("{}-again-1", name("b"))));
}

#[test]
fn who_calls_wrong_what_they_liked_before_holds_it_right_no_more() {
    let at = |record: FeedbackRecord, at: &str| FeedbackRecord {
        received_at: at.to_owned(),
        ..record
    };
    let mut question = Question::asked(dislike(), "review-1", 1);
    let like = at(
        with(r#""feedback": "like", "user": "ada""#),
        "2026-11-20T11:00:00Z",
    );
    question.withdraw(&Opinion::of(&like), &like.received_at);
    question.answer_with(&[review("w1", "B"), review("w2", "A")]);
    assert_eq!(question.decided_by, Some(DecidedBy::UserBrokeTie));
    let again = at(dislike(), "2026-11-20T12:00:00Z");

    let last_word = question.retract(&Opinion::of(&again), &again);
    let redelivered = question.retract(&Opinion::of(&again), &again);
    question.answer_with(&[]);

    assert_eq!(last_word.as_ref().map(|vote| &vote.answer), Some(&Answer::Unsure));
    assert_eq!(last_word, redelivered);
    assert_eq!(question.consensus, Some(Consensus::Tie), "the user breaks no tie");
    let other = at(with(r#""user": "bob""#), "2026-11-20T13:00:00Z");
    assert_eq!(question.retract(&Opinion::of(&other), &other), None);
}

#[test]
fn a_like_that_names_nothing_takes_back_what_its_user_held_right_also_where_the_text_was_in_doubt() {
    let doubtful = FeedbackRecord {
        signal: Signal::LowConfidence,
        user: None,
        ..dislike()
    };
    let at = |hour: u32, request: &str| FeedbackRecord {
        received_at: format!("2026-11-20T{hour}:00:00Z"),
        ..feedback(&format!(
            r#"{{"classifier": "news", "sentence": "t", {request}}}"#
        ))
    };
    let question = |said: &[FeedbackRecord]| {
        let mut question = Question::asked(doubtful.clone(), "review-1", 1);
        for record in said {
            question.hear(&Opinion::of(record));
        }
        question
    };
    let word = |question: &mut Question, like: &FeedbackRecord| {
        let retracted = question.retract(&Opinion::of(like), like);
        retracted.map(|vote| vote.answer)
    };
    let ada = at(11, r#""label": "B", "user": "ada""#);
    let like = at(12, r#""feedback": "like", "user": "ADA ""#);

    let mut of_ada = question(std::slice::from_ref(&ada));
    let last = [word(&mut of_ada, &like), word(&mut of_ada, &like)];
    of_ada.answer_with(&[review("w1", "A"), review("w2", "B")]);

    assert_eq!(last, [Some(Answer::Unsure), Some(Answer::Unsure)]);
    assert_eq!(of_ada.consensus, Some(Consensus::Tie), "the user breaks no tie");
    assert_eq!(of_ada.users_hold(), [(&Answer::Unsure, 1)]);
    let mut of_others = question(&[ada.clone(), at(11, r#""label": "B""#)]);
    for nothing in [
        at(12, r#""feedback": "like", "user": "bob""#),
        at(10, r#""feedback": "like", "user": "ada""#),
        at(12, r#""feedback": "like""#),
        at(12, r#""feedback": "like", "predictionId": "q""#),
    ] {
        assert_eq!(word(&mut of_others, &nothing), None, "{nothing:?}");
    }
    let unnamed = at(12, r#""feedback": "like", "predictionId": "p""#);
    assert_eq!(word(&mut of_others, &unnamed), Some(Answer::Unsure));
    let mut of_prediction = question(&[at(11, r#""label": "A", "user": "ada""#)]);
    assert_eq!(word(&mut of_prediction, &like), None, "it is what she likes");
}

#[test]
fn a_like_of_another_named_user_takes_no_complaint_back() {
    let question = Question::asked(dislike(), "review-1", 1);
    let like = |user: &str| FeedbackRecord {
        received_at: "2026-11-20T11:00:00Z".to_owned(),
        ..with(&format!(r#""feedback": "like", "predictionId": "p"{user}"#))
    };

    let taken_back =
        ["", r#", "user": "Ada ""#, r#", "user": "bob""#].map(|user| is_taken_back(&question, &like(user)));

    assert_eq!(taken_back, [true, true, false]);
}

#[test]
fn a_vote_for_the_prediction_however_it_is_written_holds_no_complaint() {
    let set = {
        let mut set = LabelSet::seed(["World", "Sports"], Origin::Parameter, "2026-11-20T10:00:00Z");
        set.rename("Sports", "Sport").expect("known");
        set
    };
    for (prediction, vote) in [
        ("World", " ｗORLD "),
        ("Sports", "Sport"),
        ("World|Sports", "Sport|world"),
        (" world", "World"),
    ] {
        let said = |fields: &str| {
            let mut record = with(fields);
            record.prediction = Some(prediction.to_owned());
            record
        };
        let mut question = Question::asked(said(r#""user": "ada""#), "review-1", 1);
        let suggestion = with(&format!(r#""label": "{vote}", "user": "bob""#));
        question.hear(&set.opinion(&suggestion, Opinion::of(&suggestion)));
        let like = said(r#""feedback": "like", "user": "ada""#);

        let opinion = set.opinion(&like, Opinion::of(&like));
        assert!(
            question.is_taken_back_by(&like, &opinion, &set),
            "{prediction} and {vote}"
        );
    }
}

#[test]
fn a_like_takes_back_further_complaints_of_its_user_and_of_nobody_else() {
    let mut question = Question::asked(with(r#""user": "ada", "predictionId": "p""#), "review-1", 1);
    let like = with(r#""feedback": "like", "user": "ada""#);
    question.withdraw(&Opinion::of(&like), &like.received_at);
    let later = FeedbackRecord {
        received_at: "2026-11-20T12:00:00Z".to_owned(),
        ..with(r#""user": "ada""#)
    };

    let taken_back = |fields: &str| question.takes_back(&with(fields));

    assert!(taken_back(r#""user": " ADA""#) && taken_back(r#""predictionId": "p""#));
    assert!(!taken_back(r#""user": "bob""#) && !taken_back(r#""predictionId": "q""#));
    assert!(!question.takes_back(&later));
}

#[test]
fn a_question_knows_the_loops_of_those_before_it_also_of_one_that_an_older_version_left() {
    let older = Question {
        asked_in: Vec::new(),
        ..Question::asked(dislike(), "review-1", 1)
    };
    let mut second = Question::asked(dislike(), "review-2", 1);
    second.remember_loops_of(&older);
    let mut third = Question::asked(dislike(), "review-3", 1);

    third.remember_loops_of(&second);

    assert_eq!(third.asked_in, ["review-1", "review-2", "review-3"]);
    assert!(older.was_asked_in("review-1") && third.was_asked_in("review-1"));
    assert!(!third.was_asked_in("review-4"));
}

#[test]
fn a_like_that_comes_after_its_users_later_complaint_holds_nothing_right() {
    let later = |fields: &str, second: u8| FeedbackRecord {
        received_at: format!("2026-11-20T11:00:{second:02}Z"),
        ..with(fields)
    };
    let complaint = later(r#""user": "ada""#, 20);
    let like = later(r#""feedback": "like", "user": "Ada""#, 10);
    let other_label = later(r#""label": "B", "user": "ada""#, 10);
    let asked = Question::asked(complaint.clone(), "review-1", 1);
    let mut heard = Question::asked(dislike(), "review-1", 1);
    heard.retract(&Opinion::of(&complaint), &complaint);

    for mut question in [asked, heard] {
        assert!(!is_taken_back(&question, &like));
        assert_eq!(question.hear(&Opinion::of(&like)), Effect::Known);
        assert!(question.votes.is_empty(), "it was called wrong since");
        let liked_since = later(r#""feedback": "like", "user": "ada""#, 30);
        assert!(is_taken_back(&question, &liked_since));
        assert_eq!(question.hear(&Opinion::of(&other_label)), Effect::Counted);
        assert_eq!(question.votes.len(), 1, "that label was not called wrong");
    }
}

#[test]
fn a_vote_that_comes_after_its_users_later_one_contradicts_no_answer() {
    let at = |label: &str, second: u8| FeedbackRecord {
        received_at: format!("2026-11-20T11:00:{second:02}Z"),
        ..with(&format!(r#""label": "{label}", "user": "ada""#))
    };
    let mut question = answered("B");
    question.hear(&Opinion::of(&at("B", 20)));

    let effect = question.hear(&Opinion::of(&at("C", 10)));

    assert_eq!(effect, Effect::Counted);
    assert_eq!(question.answer(), Some(&Answer::labels(["B"])));
}

#[test]
fn who_said_a_retired_label_last_breaks_no_tie_neither_by_it_nor_by_what_they_said_before() {
    let mut set = LabelSet::none();
    for name in ["A", "B", "C"] {
        set.add(name, "").expect("free");
    }
    set.retire("C").expect("active");
    let said = |label: &str, second: u8| {
        Opinion::of(&FeedbackRecord {
            received_at: format!("2026-11-20T10:00:0{second}Z"),
            ..with(&format!(r#""label": "{label}", "user": "ada""#))
        })
    };
    let torn = |opinions: &[Opinion]| {
        let mut question = Question::known(dislike());
        question.votes.clear();
        for opinion in opinions {
            question.hear(opinion);
        }
        question.answer_with(&[review("w1", "A"), review("w2", "B")]);
        question
    };

    let by_the_last_word = torn(&[said("C", 1), said("A", 2)]);
    let mut taken_back = torn(&[said("A", 1), said("C", 2)]);
    let mut by_the_retired = torn(&[]);
    by_the_retired.add(&[review("w3", "C"), review("w4", "C"), review("w1", "C")]);
    by_the_retired.decide(Some(&set));
    taken_back.decide(Some(&set));

    assert_eq!(by_the_last_word.answer(), Some(&Answer::labels(["A"])));
    assert_eq!(taken_back.consensus, Some(Consensus::Tie));
    // What reviewers answered stays their answer.
    assert_eq!(by_the_retired.answer(), Some(&Answer::labels(["C"])));
}

#[test]
fn a_tie_that_a_user_broke_for_a_label_that_is_retired_is_asked_of_somebody_else() {
    let mut set = LabelSet::none();
    for name in ["A", "B"] {
        set.add(name, "").expect("free");
    }
    let mut question = Question::known(with(r#""label": "B", "user": "ada""#));
    question.answer_with(&[review("w1", "A"), review("w2", "B")]);
    let before = question.answer().cloned();
    set.retire("B").expect("active");

    let effect = question.contradict("2026-11-21T10:00:00Z", &set);

    assert_eq!(before, Some(Answer::labels(["B"])));
    assert_eq!((effect, question.state), (Effect::Reopens, State::Asked));
    question.add(&[review("w3", "A")]);
    question.decide(Some(&set));
    assert_eq!(question.answer(), Some(&Answer::labels(["A"])));
}

/// A question that was asked anew after `w1` answered `B`, which is in doubt, and `w2` answered `C`, which is not.
fn asked_anew() -> Question {
    let first = format!("review-{}", "b".repeat(40));
    let mut asked = Question::asked(dislike().asked_anew("2026-11-21T10:00:00Z"), &first, 2);
    asked.in_doubt = vec![review("w1", "B")];
    asked.votes = vec![review("w2", "C")];
    asked
}

fn at_noon_later(vote: Vote) -> Vote {
    Vote {
        at: "2026-11-21T12:00:00Z".to_owned(),
        ..vote
    }
}

#[test]
fn an_answer_that_is_not_in_doubt_and_is_said_again_keeps_no_doubtful_one_from_coming_back() {
    let (mut repeated, mut confirmed) = (asked_anew(), asked_anew());
    repeated.add(&[at_noon_later(review("w2", "C"))]);
    confirmed.add(&[at_noon_later(review("w1", "B"))]);

    let answered_anew = [&repeated, &confirmed].map(Question::is_answered_anew);
    let restored = repeated.restore(&LabelSet::none(), "2026-11-22T10:00:00Z");

    assert_eq!(answered_anew, [false, true], "who is in doubt was asked");
    assert!(restored.is_some());
    assert_eq!(repeated.reviewers(), ["w1", "w2"]);
}

#[test]
fn only_what_was_said_before_another_loop_asked_is_repeated_by_the_page_that_it_was_taken_off() {
    let question = asked_anew();
    let page = |digit: &str| format!("review-{}", digit.repeat(40));
    let was_said =
        |page: &str, vote: Vote| question.was_said_before_it_was_taken_off(page, &at_noon_later(vote));

    assert!(was_said(&page("a"), review("w1", "B")) && was_said(&page("a"), review("w2", "C")));
    assert!(!was_said(&page("b"), review("w1", "B")), "it is asked there");
    assert!(!was_said(&page("a"), review("w1", "C")), "another answer");
    assert!(!was_said(&page("a"), review("w3", "B")), "another reviewer");
}

#[test]
fn an_imported_proposal_leaves_a_dispute_that_nobody_could_tell_to_its_adjudicator_and_a_label_settles_it() {
    let imported = |answer: Answer| Vote {
        answer,
        source: VoteSource::Import,
        ..review("file", "B")
    };
    let proposal = imported(Answer::NewLabel {
        label: "Fog".to_owned(),
    });
    let mut set = LabelSet::none();
    set.add("B", "").expect("free");
    let mut disputed = Question::asked(dislike(), "review-1", 1);
    disputed.votes.clear();
    disputed.answer_with(&[Vote {
        answer: Answer::Unsure,
        ..review("w1", "B")
    }]);
    let mut asked = disputed.clone();
    disputed.state = State::Disputed;

    asked.take_imported(std::slice::from_ref(&proposal), &set);
    disputed.take_imported(&[proposal], &set);
    let still = disputed.state;
    let label = Vote {
        worker: "other file".to_owned(),
        ..imported(Answer::labels(["B"]))
    };
    disputed.take_imported(&[label], &set);

    assert_eq!((asked.state, still), (State::Asked, State::Disputed));
    assert_eq!(disputed.answer(), Some(&Answer::labels(["B"])));
}

#[test]
fn a_label_that_was_retired_votes_nowhere_whenever_a_user_says_it() {
    let mut set = LabelSet::none();
    for name in ["A", "B", "Fax"] {
        set.add(name, "").expect("free");
    }
    set.retire("Fax").expect("active");
    let fax = with(r#""label": "Fax", "user": "bob""#);
    let opinion = set.opinion(&fax, Opinion::of(&fax));
    let like = with(r#""feedback": "like", "user": "ada""#);
    let (mut settled, mut complained) = (answered("B"), Question::asked(dislike(), "review-1", 1));

    let effects = [settled.hear(&opinion), complained.hear(&opinion)];

    assert_eq!(effects, [Effect::Counted, Effect::Counted]);
    assert_eq!(settled.answer(), Some(&Answer::labels(["B"])));
    assert_eq!(
        settled.votes.len(),
        2,
        "it is kept, and counts if the label comes back"
    );
    assert!(!settled.contradicts(&Answer::labels(["B"]), &set));
    let no_set = LabelSet::none();
    assert!(settled.contradicts(&Answer::labels(["B"]), &no_set));
    let is_taken_back = |set: &LabelSet| complained.is_taken_back_by(&like, &Opinion::of(&like), set);
    assert_eq!([&set, &no_set].map(is_taken_back), [true, false]);
}

fn of_file(worker: &str, label: &str) -> Vote {
    Vote {
        source: VoteSource::Import,
        ..review(worker, label)
    }
}

fn labels(names: &[&str]) -> LabelSet {
    LabelSet::seed(names.iter().copied(), Origin::Edited, "2026-11-20T09:00:00Z")
}

#[test]
fn what_files_said_of_a_retired_label_does_not_vote_and_is_the_answer_again_when_the_label_comes_back() {
    let mut set = labels(&["World", "Fax"]);
    let votes = [
        of_file("file:ann", "Fax"),
        of_file("file:bob", "Fax"),
        of_file("file:cy", "World"),
    ];
    let mut question = Question::known(dislike());
    question.take_imported(&votes, &set);
    let mut said = vec![question.answer().cloned()];
    let mut change = |set: &LabelSet, at: &str| {
        set.use_own_names(&mut question);
        let effect = question.contradict(at, set);
        said.push(question.answer().cloned());
        effect
    };

    set.retire("Fax").expect("active");
    let retired = change(&set, "2026-11-21T10:00:00Z");
    set.add("Fax", "").expect("retired");
    let back = change(&set, "2026-11-22T10:00:00Z");

    let [fax, world] = ["Fax", "World"].map(|label| Some(Answer::labels([label])));
    assert_eq!(said, [fax.clone(), world, fax]);
    assert_eq!([retired, back], [Effect::Counted; 2], "nobody is asked");
    assert!(question.votes.iter().all(|vote| !vote.note.proposed));
}

#[test]
fn what_an_older_version_wrote_as_a_proposal_of_a_retired_label_is_its_label_where_the_line_says_so() {
    let mut set = labels(&["World", "Fax"]);
    let mut question = Question::known(dislike());
    let as_proposal = |worker| Vote {
        answer: Answer::NewLabel { label: "Fax".into() },
        ..of_file(worker, "Fax")
    };
    question.votes = vec![
        as_proposal("file:ann"),
        as_proposal("file:bob"),
        of_file("file:cy", "World"),
    ];
    set.describe("Fax", "it is back").expect("a label");

    question.add(&[of_file("file:ann", "Fax"), of_file("file:bob", "Fax")]);
    set.use_own_names(&mut question);
    let effect = question.contradict("2026-11-22T10:00:00Z", &set);

    assert_eq!(effect, Effect::Counted);
    assert_eq!(question.answer(), Some(&Answer::labels(["Fax"])));
}

#[test]
fn what_files_said_of_a_split_label_stays_their_answer_until_somebody_answers_anew() {
    let mut set = labels(&["World", "Sports"]);
    let mut question = Question::known(dislike());
    question.votes.clear();
    question.add(&[
        of_file("file:ann", "Sports"),
        of_file("file:bob", "Sports"),
        of_file("file:cy", "World"),
    ]);
    set.split("Sports", &["Ball games", "Racing"]).expect("parts");

    set.use_own_names(&mut question);
    question.decide(Some(&set));

    assert_eq!(question.answer(), Some(&Answer::labels(["Sports"])));
}

#[test]
fn an_answer_that_is_another_one_by_a_change_of_the_set_is_so_without_asking_anybody() {
    let mut set = labels(&["A", "B"]);
    set.retire("B").expect("active");
    let by_model = Consensus::Agreed {
        answer: Answer::labels(["A"]),
        confidence: 0.8,
    };
    let torn = {
        let mut question = Question::asked(with(r#""label": "B", "user": "ada""#), "review-1", 1);
        question.answer_with(&[review("w1", "A"), review("w2", "B")]);
        question
    };
    let outvoted = {
        let mut question = Question::known(dislike());
        question.votes.clear();
        let votes = [
            of_file("file:ann", "B"),
            of_file("file:bob", "B"),
            of_file("file:cy", "A"),
        ];
        question.answer_with(&votes);
        question
    };
    let before = [&torn, &outvoted].map(|question| question.answer().cloned());
    let being_asked = Question {
        state: State::Asked,
        ..torn.clone()
    };
    let disputed = Question {
        state: State::Disputed,
        ..torn.clone()
    };

    let decided = [torn, outvoted, being_asked, disputed].map(|mut question| {
        question.decide_anew(&set, &by_model, Some(DecidedBy::Majority));
        (question.state, question.answer().cloned(), question.reopened)
    });

    let [a, b] = ["A", "B"].map(|label| Some(Answer::labels([label])));
    assert_eq!(before, [b.clone(), b]);
    assert_eq!(
        decided,
        [
            (State::Answered, a.clone(), 0),
            (State::Answered, a, 0),
            (State::Asked, None, 0),
            (State::Answered, Some(Answer::labels(["A"])), 0)
        ],
        "an adjudicator is not to decide what datasets have an answer to"
    );
}

#[test]
fn a_tie_that_there_is_no_more_since_labels_became_one_takes_the_further_round_back() {
    let mut set = labels(&["World", "Biz", "Sports"]);
    set.merge("Biz", "World").expect("active");
    let torn = |other: &str| {
        let mut question = Question::asked(dislike(), "review-1", 1);
        question.votes.clear();
        question.answer_with(&[review("w1", "World"), review("w2", other)]);
        assert_eq!(question.consensus, Some(Consensus::Tie));
        set.use_own_names(&mut question);
        question
    };
    let world = Consensus::Agreed {
        answer: Answer::labels(["World"]),
        confidence: 1.0,
    };

    let mut settled = torn("Biz");
    let left_open_by = settled.decide_anew(&set, &world, Some(DecidedBy::Majority));
    let mut still_torn = torn("Sports");
    let stays = still_torn.decide_anew(&set, &world, Some(DecidedBy::Majority));

    assert_eq!(left_open_by.as_deref(), Some("review-1"));
    assert_eq!(settled.answer(), Some(&Answer::labels(["World"])));
    assert!(settled.is_taken_off("review-1-again-1"));
    // Who has the page open is heard all the same.
    settled.answer_with(&[review("w3", "World")]);
    assert_eq!((settled.votes.len(), settled.state), (3, State::Answered));
    assert_eq!((stays, still_torn.state), (None, State::Asked));
    assert!(still_torn.human_loop.is_some());
}

#[test]
fn a_question_whose_tie_is_settled_remembers_the_loop_that_asked_about_it() {
    let mut question = Question::asked(dislike(), "review-1", 1);
    question.votes.clear();
    question.answer_with(&[review("w1", "World"), review("w2", "Biz")]);
    question.human_loop = Some("review-9-again-1".to_owned());
    let mut set = labels(&["World", "Biz"]);
    set.merge("Biz", "World").expect("active");
    set.use_own_names(&mut question);

    let settled = question.settle(&set);

    assert_eq!(settled.as_deref(), Some("review-9-again-1"));
    assert!(question.was_asked_in("review-9-again-1") && question.human_loop.is_none());
}

#[test]
fn what_a_merge_has_settled_and_a_page_that_was_open_contradicts_is_on_the_page_of_the_next_round() {
    let mut set = labels(&["World", "Biz", "Sports"]);
    set.merge("Biz", "World").expect("active");
    let mut question = Question::asked(dislike(), "review-1", 1);
    question.votes.clear();
    question.answer_with(&[review("w1", "World"), review("w2", "Biz"), review("w3", "Sports")]);
    set.use_own_names(&mut question);
    let world = Consensus::Agreed {
        answer: Answer::labels(["World"]),
        confidence: 1.0,
    };
    let settled = question.decide_anew(&set, &world, Some(DecidedBy::Majority));
    assert_eq!(settled.as_deref(), Some("review-1"));
    let mut answered = question.clone();

    question.answer_with(&[review("w4", "Sports")]);
    assert_eq!(question.consensus, Some(Consensus::Tie));
    question.ask_further("review-1-again-1", "review-1-again-2");
    answered.ask_further("review-1-again-1", "review-1-again-2");

    assert!(question.is_asked_in("review-1-again-2") && !question.is_taken_off("review-1-again-2"));
    assert!(question.was_asked_in("review-1-again-2"));
    assert!(answered.human_loop.is_none(), "nobody is asked what is answered");
}

#[test]
fn an_answer_that_was_decided_by_an_older_set_is_held_against_that_of_now_once() {
    let mut set = labels(&["A", "B", "Weather"]);
    set.retire("B").expect("active");
    let user_broke_tie = {
        let mut question = Question::asked(with(r#""label": "B", "user": "ada""#), "review-1", 1);
        question.answer_with(&[review("w1", "A"), review("w2", "B")]);
        question
    };
    let doubted = {
        let mut question = answered("A");
        question.add(&[Vote {
            answer: Answer::NewLabel {
                label: "weather".into(),
            },
            ..of_file("file:ann", "Weather")
        }]);
        question
    };
    let asked_about_it_before = {
        let mut question = answered("A");
        question.add(&[proposed("Weather")]);
        question
    };
    let by_a_reviewer = answered("B");
    let by_a_file_alone = {
        let mut question = Question::known(dislike());
        question.votes.clear();
        question.answer_with(&[of_file("file:ann", "B")]);
        question
    };
    let adjudicated = Question {
        decided_by: Some(DecidedBy::Adjudicator),
        ..user_broke_tie.clone()
    };

    let is_contradicted = [
        user_broke_tie,
        doubted,
        asked_about_it_before,
        by_a_reviewer,
        by_a_file_alone,
        adjudicated,
    ]
    .map(|mut question| question.is_contradicted_by(&set));

    assert_eq!(is_contradicted, [true, true, false, false, false, false]);
}

#[test]
fn the_loop_that_asked_before_is_known_whether_it_was_a_first_one_or_a_further_round() {
    let mut question = Question::asked(dislike(), "review-1", 1);
    question.asked_in = vec!["review-1".into(), "review-1-again-1".into(), "relabel-1".into()];

    assert_eq!(
        question.loop_before("review-1-again-1").as_deref(),
        Some("review-1")
    );
    assert_eq!(
        question.loop_before("relabel-1").as_deref(),
        Some("review-1-again-1")
    );
    assert_eq!(question.loop_before("review-1"), None);
    assert_eq!(question.loop_before("another"), None);
}

fn naming(worker: &str, labels: &[&str]) -> Vote {
    Vote {
        answer: Answer::labels(labels.iter().copied()),
        ..review(worker, "A")
    }
}

#[test]
fn reviewers_who_differ_in_one_of_two_labels_are_asked_once_more_about_it_and_joined_by_a_third() {
    let mut question = Question::asked(dislike(), "review-1", 2);
    question.answer_with(&[naming("w1", &["A", "B"]), naming("w2", &["A"])]);
    let tied = (question.state, question.consensus.clone());

    let mut by_user = question.clone();
    by_user.hear(&Opinion::of(&with(r#""label": "B|A", "user": "bob""#)));
    by_user.decide(None);
    question.answer_with(&[naming("w3", &["B", "C"])]);

    assert_eq!(tied, (State::Asked, Some(Consensus::Tie)));
    assert_eq!(
        question.answer(),
        Some(&Answer::labels(["A", "B"])),
        "C is named by one of three"
    );
    assert_eq!(question.decided_by, Some(DecidedBy::Majority));
    assert_eq!(by_user.answer(), Some(&Answer::labels(["A", "B"])));
    assert_eq!(by_user.decided_by, Some(DecidedBy::UserBrokeTie));
}

#[test]
fn a_user_who_names_one_of_two_labels_contradicts_the_answer_and_one_who_names_both_does_not() {
    let both = || {
        let mut question = Question::asked(dislike(), "review-1", 1);
        question.answer_with(&[naming("w1", &["A", "B"])]);
        question
    };
    let hear = |label: &str| {
        both().hear(&Opinion::of(&with(&format!(
            r#""label": "{label}", "user": "bob""#
        ))))
    };

    assert_eq!(hear("B | a"), Effect::Counted);
    assert_eq!(hear("A"), Effect::Reopens);
    assert_eq!(hear("A|B|C"), Effect::Reopens);
}

#[test]
fn labels_that_are_merged_are_one_of_a_set_and_reviewers_who_differed_by_them_agree() {
    let mut set = labels(&["A", "B", "C"]).with_several_labels(true);
    let mut question = Question::asked(dislike(), "review-1", 2);
    question.answer_with(&[naming("w1", &["A", "B"]), naming("w2", &["A", "C"])]);
    let tied = question.consensus.clone();
    set.merge("C", "B").expect("active");
    set.rename("A", "Alpha").expect("free");

    set.use_own_names(&mut question);
    question.decide(Some(&set));

    assert_eq!(tied, Some(Consensus::Tie));
    assert_eq!(question.answer(), Some(&Answer::labels(["Alpha", "B"])));
}

#[test]
fn what_people_have_answered_is_not_given_up_but_waits_for_an_adjudicator() {
    let given_up = |votes: &[Vote]| {
        let mut question = Question::asked(dislike(), "review-1", 2);
        question.answer_with(votes);
        question.state = State::Asked;
        question.give_up(None);
        question.state
    };
    let unsure = Vote {
        answer: Answer::Unsure,
        ..review("w1", "A")
    };

    assert_eq!(given_up(&[review("w1", "A"), review("w2", "B")]), State::Disputed);
    assert_eq!(given_up(&[unsure]), State::Disputed, "an adjudicator may tell");
    assert_eq!(given_up(&[]), State::Abandoned);
}

#[test]
fn a_split_of_one_of_two_labels_keeps_the_other_until_people_say_otherwise() {
    let set = LabelSet::seed(["A", "B"], Origin::Parameter, "2026-11-19T10:00:00Z");
    let mut set = set.with_several_labels(true);
    set.split("B", &["B1", "B2"]).expect("parts");
    let both = |worker: &str| Vote {
        answer: Answer::labels(["A", "B"]),
        ..review(worker, "-")
    };
    let asked = |in_doubt: &[&str]| {
        let anew = dislike().asked_anew("2026-11-21T10:00:00Z");
        let mut asked = Question::asked(anew, "review-2", 1);
        asked.in_doubt = in_doubt.iter().map(|worker| both(worker)).collect();
        asked.decide(Some(&set));
        asked
    };
    let mut kept = asked(&["w1", "w2"]);
    let mut tied = asked(&["w1"]);
    let mut own = asked(&["w3"]);
    let states = [&kept, &tied, &own].map(|question| question.state);
    let shown = kept.labels_kept(&set);

    for question in [&mut kept, &mut tied, &mut own] {
        question.add(&[at_noon_later(review("w3", "B2"))]);
        question.decide(Some(&set));
    }

    assert_eq!(states, [State::Asked; 3], "nobody has said which part is meant");
    assert_eq!(shown, ["A"], "what the page says of before");
    assert_eq!(kept.answer(), Some(&Answer::labels(["A", "B2"])));
    assert_eq!(
        (tied.state, tied_labels(&tied.counted(Some(&set)))),
        (State::Asked, vec!["A".to_owned()])
    );
    assert_eq!(own.answer(), Some(&Answer::labels(["B2"])), "their own last word");
}

#[test]
fn what_a_reviewer_took_back_comes_back_by_no_later_change() {
    let set = LabelSet::seed(["A", "B", "D"], Origin::Parameter, "2026-11-19T10:00:00Z");
    let mut set = set.with_several_labels(true);
    set.split("B", &["B1", "B2"]).expect("parts");
    set.split("D", &["D1", "D2"]).expect("parts");
    let first = |worker: &str| Vote {
        answer: Answer::labels(["A", "B"]),
        ..review(worker, "-")
    };
    let later = |answer: Answer| Vote {
        answer,
        ..at_noon_later(review("w1", "-"))
    };
    let asked = |in_doubt: &[Vote]| {
        let anew = dislike().asked_anew("2026-11-22T10:00:00Z");
        let mut asked = Question::asked(anew, "review-3", 1);
        asked.in_doubt = in_doubt.to_vec();
        asked.decide(Some(&set));
        asked
    };
    let kept = |in_doubt: &[Vote]| asked(in_doubt).labels_kept(&set);

    let only_d = kept(&[first("w1"), later(Answer::labels(["D"]))]);
    let none_fits = kept(&[first("w1"), later(Answer::NoneFits)]);
    let beside_another = kept(&[first("w2"), first("w1"), later(Answer::labels(["D"]))]);
    let said_again = kept(&[first("w1"), later(Answer::labels(["A", "D"]))]);

    assert_eq!(only_d, [""; 0], "they hold it for D now, of which nothing stands");
    assert_eq!(none_fits, [""; 0]);
    assert_eq!(beside_another, ["A"], "another's word stands");
    assert_eq!(said_again, ["A"]);
    let mut answered = asked(&[first("w1"), later(Answer::labels(["D"]))]);
    answered.add(&[Vote {
        at: "2026-11-22T12:00:00Z".to_owned(),
        ..review("w2", "D1")
    }]);
    answered.decide(Some(&set));
    assert_eq!(answered.counted(Some(&set)).len(), 1, "w1 counts for nothing");
    assert_eq!(answered.answer(), Some(&Answer::labels(["D1"])));
}

fn billing(change: impl FnOnce(&mut LabelSet)) -> LabelSet {
    let mut set = labels(&["Billing", "Login"]);
    change(&mut set);
    set
}

fn proposes(vote: Vote, name: &str) -> Vote {
    Vote {
        answer: Answer::NewLabel {
            label: name.to_owned(),
        },
        ..vote
    }
}

#[test]
fn an_answer_that_was_a_synonym_is_a_proposal_again_once_the_synonym_is_taken_away() {
    let with_synonym = billing(|set| set.add_synonym("Billing", "Payments").expect("free"));
    let without = billing(|_| {});
    let by_user = Vote {
        source: VoteSource::Feedback,
        ..proposes(review("user:ada", ""), "Payments")
    };
    let by_file = Vote {
        source: VoteSource::Import,
        ..proposes(review("csv:annotator", ""), "Payments")
    };
    for vote in [proposes(review("w1", ""), "payments"), by_user, by_file] {
        let mut question = Question::asked(dislike(), "review-1", 1);
        question.answer_with(std::slice::from_ref(&vote));
        with_synonym.use_own_names(&mut question);
        question.decide(Some(&with_synonym));
        let stored = Question::parse(&question.to_json()).expect("a question");
        let mut after = stored.clone();

        without.use_own_names(&mut after);
        after.decide(Some(&without));

        let answers = [&stored, &after].map(|question| question.votes[0].answer.clone());
        assert_eq!(answers, [Answer::labels(["Billing"]), vote.answer.clone()]);
        assert_eq!(after.votes, std::slice::from_ref(&vote));
        // A user alone answers nothing.
        let is_answer = vote.source == VoteSource::HumanReview;
        assert_eq!(after.answer(), is_answer.then_some(&vote.answer));
        let mut again = stored;
        again.add(&[vote]);
        with_synonym.use_own_names(&mut again);
        assert_eq!(again.votes.len(), 1, "the same vote, by whatever name it is kept");
    }
}

#[test]
fn what_a_user_says_later_by_a_synonym_is_a_proposal_again_once_the_synonym_is_taken_away() {
    let with_synonym = billing(|set| set.add_synonym("Billing", "Payments").expect("free"));
    let mut question = answered("Login");
    let said = with(r#""label": "Payments", "user": "bob""#);
    question.hear(&with_synonym.opinion(&said, Opinion::of(&said)));
    let bob = |question: &Question| {
        let vote = question.votes.iter().find(|vote| vote.worker.contains("bob"));
        vote.expect("heard").answer.clone()
    };
    let mut after = Question::parse(&question.to_json()).expect("a question");

    billing(|_| {}).use_own_names(&mut after);

    let proposal = Answer::NewLabel {
        label: "Payments".to_owned(),
    };
    assert_eq!(
        [bob(&question), bob(&after)],
        [Answer::labels(["Billing"]), proposal]
    );
}

#[test]
fn what_a_reviewer_chose_by_the_name_of_before_is_a_class_of_that_name_once_that_is_taken_away() {
    let mut set = labels(&["Golf", "Login"]);
    set.rename("Golf", "Sports").expect("free");
    let mut question = Question::asked(dislike(), "review-1", 1);
    question.answer_with(&[review("w1", "Golf")]);
    set.use_own_names(&mut question);
    question.decide(Some(&set));
    let before = question.answer().cloned();

    set.remove_synonym("Sports", "Golf").expect("it has it");
    set.use_own_names(&mut question);
    question.decide(Some(&set));

    assert_eq!(before, Some(Answer::labels(["Sports"])));
    assert_eq!(question.answer(), Some(&Answer::labels(["Golf"])));
}

/// A question that a user's `B` has opened again, after a reviewer had answered `A`.
fn opened_again() -> Question {
    let mut question = answered("A");
    question.complaints.clear();
    let effect = question.hear(&Opinion::of(&with(r#""label": "B", "user": "bob""#)));
    assert_eq!((effect, question.state), (Effect::Reopens, State::Asked));
    question.human_loop = Some("review-1-again-1".to_owned());
    question
}

#[test]
fn what_a_user_s_contradiction_has_opened_again_is_settled_by_a_merge_that_takes_the_contradiction_away() {
    for (from, into) in [("A", "B"), ("B", "A")] {
        let mut set = labels(&["A", "B", "C"]);
        set.merge(from, into).expect("active");
        let mut question = opened_again();
        // Something else may have written it by the names of now before.
        set.use_own_names(&mut question);

        let asking = question.settle(&set);

        assert_eq!(asking.as_deref(), Some("review-1-again-1"));
        assert_eq!(question.answer(), Some(&Answer::labels([into])));
        assert!(question.is_taken_off("review-1-again-1"));
    }
}

#[test]
fn what_a_user_s_contradiction_has_opened_again_stays_open_where_somebody_still_speaks_against_the_answer() {
    let mut merged = labels(&["A", "B", "C"]);
    merged.merge("B", "A").expect("active");
    let mut other = labels(&["A", "B", "C"]);
    other.merge("C", "A").expect("active");
    let mut called_wrong = opened_again();
    called_wrong.remember_complaints(&[Vote {
        source: VoteSource::Feedback,
        ..review("user:cy", "A")
    }]);
    let mut of_another = opened_again();
    of_another.hear(&Opinion::of(&with(r#""label": "C", "user": "cy""#)));
    let mut only_complained = answered("A");
    only_complained.complaints.clear();
    only_complained.hear(&Opinion::of(&with(r#""user": "bob""#)));

    for (mut question, set) in [
        (opened_again(), &other),
        (called_wrong, &merged),
        (of_another, &merged),
        (only_complained, &merged),
    ] {
        set.use_own_names(&mut question);

        assert_eq!(question.settle(set), None);
        assert_eq!(question.state, State::Asked);
        assert!(question.human_loop.is_some());
    }
}

fn tied_of(labels: [&str; 2]) -> Question {
    let mut question = Question::asked(dislike(), "review-1", 2);
    question.answer_with(&[review("w1", labels[0]), review("w2", labels[1])]);
    question.wait_no_more(None);
    question
}

fn follow(question: &mut Question, said: &FeedbackRecord, labels: &LabelSet) -> Effect {
    let opinion = labels.opinion(said, Opinion::of(said));
    question.retract(&opinion, said);
    question.hear(&opinion);
    question.follow_users(labels)
}

fn later(mut said: FeedbackRecord) -> FeedbackRecord {
    said.received_at = "2026-11-20T12:00:00Z".to_owned();
    said
}

#[test]
fn a_user_s_word_settles_a_dispute_about_one_of_the_tied_answers_and_no_other() {
    let set = labels(&["A", "B", "C", "D"]);
    let (mut settled, mut open) = (tied_of(["B", "C"]), tied_of(["B", "C"]));
    let before = settled.state;

    let effect = follow(&mut settled, &with(r#""label": "C", "user": "bob""#), &set);
    let other = follow(&mut open, &with(r#""label": "D", "user": "bob""#), &set);

    assert_eq!((before, effect), (State::Disputed, Effect::Settles));
    assert_eq!(settled.answer(), Some(&Answer::labels(["C"])));
    assert_eq!(settled.decided_by, Some(DecidedBy::UserBrokeTie));
    assert_eq!(
        (other, open.state, open.votes.len()),
        (Effect::Counted, State::Disputed, 3)
    );
}

#[test]
fn a_user_s_word_settles_no_dispute_that_their_kind_has_opened_about_a_reviewer_s_answer() {
    let set = labels(&["A", "B", "C"]);
    let mut question = answered("B");
    question.hear(&Opinion::of(&with(r#""label": "C", "user": "bob""#)));
    question.wait_no_more(Some(&set));

    let effect = follow(&mut question, &with(r#""label": "B", "user": "cy""#), &set);
    let before = question.state;
    let agreed = follow(
        &mut question,
        &later(with(r#""label": "B", "user": "bob""#)),
        &set,
    );

    assert_eq!((effect, before), (Effect::Counted, State::Disputed));
    assert_eq!(agreed, Effect::Settles, "nobody speaks against it any more");
    assert_eq!(question.answer(), Some(&Answer::labels(["B"])));
}

#[test]
fn a_tie_that_a_user_broke_is_one_again_once_they_take_their_word_back_and_somebody_else_is_asked() {
    let set = labels(&["A", "B", "C"]);
    let mut question = tied_of(["B", "C"]);
    follow(&mut question, &with(r#""label": "C", "user": "bob""#), &set);

    let wrong = feedback(r#"{"classifier": "news", "sentence": "t", "prediction": "C", "user": "bob"}"#);
    let opinion = Opinion::of(&later(wrong.clone()));
    question.retract(&opinion, &later(wrong));
    let effect = question.follow_users(&set);

    assert_eq!((effect, question.state), (Effect::Reopens, State::Asked));
    assert_eq!(question.consensus, Some(Consensus::Tie));
}

#[test]
fn a_tie_that_a_user_has_broken_meanwhile_waits_for_no_adjudicator_once_nobody_else_has_answered() {
    let set = labels(&["A", "B", "C"]);
    let mut question = Question::asked(dislike(), "review-1", 2);
    question.answer_with(&[review("w1", "B"), review("w2", "C")]);
    question.hear(&Opinion::of(&with(r#""label": "C", "user": "bob""#)));
    let mut stopped = question.clone();

    question.wait_no_more(Some(&set));
    stopped.give_up(Some(&set));

    assert_eq!(question.answer(), Some(&Answer::labels(["C"])));
    assert_eq!(stopped.answer(), Some(&Answer::labels(["C"])));
}

#[test]
fn a_merge_that_makes_the_tied_answers_one_settles_the_dispute() {
    let mut set = labels(&["A", "B", "C"]);
    set.merge("C", "B").expect("active");
    let mut question = tied_of(["B", "C"]);
    let decided = Consensus::Agreed {
        answer: Answer::labels(["B"]),
        confidence: 1.0,
    };

    set.use_own_names(&mut question);
    let asking = question.decide_anew(&set, &decided, Some(DecidedBy::Majority));

    assert_eq!(asking, None);
    assert_eq!(question.answer(), Some(&Answer::labels(["B"])));
}

#[test]
fn an_answer_that_was_in_doubt_counts_again_beside_a_new_one_once_its_label_is_back() {
    let mut set = labels(&["A", "B", "C"]);
    set.merge("A", "B").expect("active");
    set.split("B", &["B1", "B2"]).expect("active");
    let anew = dislike().asked_anew("2026-11-21T10:00:00Z");
    let mut question = Question::asked(anew, "review-2", 1);
    question.in_doubt = vec![review("w1", "A")];
    let answer = |question: &mut Question, set: &LabelSet| {
        question.add(&[Vote {
            at: "2026-11-21T11:00:00Z".to_owned(),
            ..review("w2", "C")
        }]);
        question.decide(Some(set));
    };
    let mut split = question.clone();

    answer(&mut split, &set);
    set.add("A", "").expect("it comes back");
    answer(&mut question, &set);

    assert_eq!(
        split.answer(),
        Some(&Answer::labels(["C"])),
        "the other is in doubt"
    );
    assert_eq!(
        (question.state, &question.consensus),
        (State::Asked, &Some(Consensus::Tie)),
        "as datasets count it"
    );
    assert_eq!(question.reviewers(), ["w1", "w2"], "neither is asked again");
}

/// What datasets make of the votes on a question that was never asked anew.
fn in_datasets(question: &Question, set: &LabelSet) -> Consensus {
    let mut ballots = Ballots::default();
    for vote in set.counting(&question.votes) {
        ballots.add(1, &vote);
    }
    let votes = ballots.count();
    consolidate(&votes, Settings::default()).of(1).cloned()
}

/// What datasets make of it where error rates are known: elsewhere `w0` is always right, `w1` often, `w2` and `w3` never.
fn in_weighed_datasets(question: &Question, set: &LabelSet) -> Consensus {
    let mut ballots = Ballots::default();
    for vote in set.counting(&question.votes) {
        ballots.add(1, &vote);
    }
    let classes: Vec<&str> = set.active().collect();
    for record in 0..100 {
        let at = |place: usize| classes[place % classes.len()];
        let (right, wrong) = (at(record), at(record + 1));
        let often_right = if record % 5 == 0 { wrong } else { right };
        let said = [right, often_right, wrong, wrong, right];
        for (who, label) in said.into_iter().enumerate() {
            ballots.add(100 + record as u128, &review(&format!("w{who}"), label));
        }
    }
    let votes = ballots.count();
    let weighed = consolidate(&votes, Settings::default());
    if !set.has_several_labels() {
        assert_eq!(weighed.method == Method::DawidSkene, classes.len() > 1);
    }
    weighed.of(1).cloned()
}

#[test]
fn what_reviewers_tie_on_is_open_for_datasets_too_however_reliable_who_is() {
    let set = labels(&["A", "B"]);
    let mut question = Question::asked(dislike(), "review-1", 2);
    question.votes.clear();
    question.answer_with(&[review("w0", "A"), review("w2", "B")]);
    question.wait_no_more(Some(&set));
    let mut two_to_one = question.clone();
    two_to_one.add(&[review("w3", "B")]);

    assert_eq!(question.state, State::Disputed);
    assert_eq!(in_weighed_datasets(&question, &set), Consensus::Tie);
    let weighed = in_weighed_datasets(&two_to_one, &set);
    assert_eq!(
        weighed.labels(),
        Some(&["B".to_owned()][..]),
        "as the question is answered, though two are never right and one is"
    );
}

proptest! {
    #[test]
    fn what_a_prediction_is_answered_is_what_datasets_hold_and_what_is_disputed_about_a_tie_is_in_none(
        steps in prop::collection::vec((0..8_usize, 0..4_usize, 0..4_usize), 1..40), several in any::<bool>(),
    ) {
        let names = ["A", "B", "C", "D"];
        let mut set = labels(&names).with_several_labels(several);
        let mut record = dislike();
        (record.prediction, record.user) = (None, None);
        let mut question = Question::asked(record, "review-1", 2);
        question.complaints.clear();
        let last = 9 + steps.len();
        for ((kind, who, which), second) in steps.into_iter().zip(10..) {
            let at = format!("2026-11-20T12:00:{second}Z");
            let before = in_datasets(&question, &set);
            let label = set.own_name(names[which]).to_owned();
            let own = [names[which], names[second % 4]].map(|name| set.own_name(name).to_owned());
            let said = Vote {
                answer: Answer::labels(own.into_iter().take(1 + usize::from(several && second % 3 > 0))),
                at: at.clone(),
                ..review(&format!("w{who}"), &label)
            };
            match kind {
                0 | 1 if matches!(question.state, State::Asked | State::Disputed) => {
                    let was_disputed = question.state == State::Disputed;
                    question.add(&[said]);
                    question.decide(Some(&set));
                    if was_disputed {
                        question.wait_no_more(Some(&set));
                    }
                }
                2 => {
                    let mut said = with(&format!(r#""label": "{label}", "user": "u{who}""#));
                    (said.prediction, said.received_at) = (None, at);
                    follow(&mut question, &said, &set);
                }
                3 => question.wait_no_more(Some(&set)),
                // Somebody corrects their answer, or an adjudicator decides.
                6 if question.reviewers().contains(&said.worker) => {
                    question.add(&[said]);
                    question.decide(Some(&set));
                }
                7 if question.is_for_adjudicators() => {
                    question.add(&[Vote { source: VoteSource::Adjudicator, ..said }]);
                    question.decide(Some(&set));
                }
                4 | 5 => {
                    let changed = match kind {
                        4 => set.merge(names[who], names[which]),
                        _ => set.add(names[which], ""),
                    };
                    if changed.is_err() {
                        continue;
                    }
                    set.use_own_names(&mut question);
                    let after = in_datasets(&question, &set);
                    match (before.is_answer(), after.is_answer()) {
                        (true, false) => _ = question.contradict(&at, &set),
                        (_, true) if before != after => {
                            question.decide_anew(&set, &after, None);
                        }
                        _ => {}
                    }
                }
                _ => {}
            }

            let held = in_datasets(&question, &set);
            // It takes long.
            let weighed = match second == last {
                true => in_weighed_datasets(&question, &set),
                false => held.clone(),
            };
            match question.state {
                State::Answered => {
                    let told = PredictionResult::of(&question, Some(&set));
                    for held in [&held, &weighed] {
                        prop_assert_eq!(question.answer(), match held {
                            Consensus::Agreed { answer, .. } => Some(answer),
                            Consensus::Tie | Consensus::Unanswered => None,
                        });
                        prop_assert_eq!(Some(&told.labels[..]), held.labels());
                    }
                }
                State::Disputed if question.consensus == Some(Consensus::Tie) => {
                    prop_assert!(!held.is_answer() && !weighed.is_answer(), "{question:?}");
                }
                State::Asked | State::Disputed | State::Withdrawn | State::Abandoned => {}
            }
        }
    }
}
