use proptest::prelude::*;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use super::*;
use crate::{
    dataset::Mode,
    feedback::{ClassScore, FeedbackRecord, Prediction, Signal},
    labels::{
        human_loop::Answer,
        question::{Effect, Opinion, Question},
        vote::{Standing, Vote, VoteSource},
    },
};

const AT: &str = "2026-11-28T07:00:00Z";

fn set(names: &[&str]) -> LabelSet {
    LabelSet::seed(names.iter().copied(), Origin::Parameter, AT)
}

fn vote(answer: Answer, source: VoteSource) -> Vote {
    Vote {
        worker: "w".into(),
        answer,
        source,
        at: AT.into(),
        seconds: None,
        note: Default::default(),
    }
}

#[test]
fn labels_that_differ_by_a_dotless_i_are_two_and_capitals_that_may_be_both_are_neither() {
    let both = set(&["sınır", "sinir", "başka"]);

    let stored = LabelSet::parse(&both.to_json()).expect("a set");
    for set in [&both, &stored] {
        assert_eq!(set.active().count(), 3);
        assert_eq!(set.resolve("Sınır"), Resolution::Label("sınır"));
        assert_eq!(set.resolve(" sinir "), Resolution::Label("sinir"));
        assert_eq!(set.resolve("SİNİR"), Resolution::Label("sinir"), "with its dots");
        assert_eq!(set.resolve("SINIR"), Resolution::Proposed("SINIR"));
        assert_eq!(set.resolve("BAŞKA"), Resolution::Label("başka"));
    }
    let mut with_synonym = both.clone();
    with_synonym
        .add_synonym("sınır", "SINIR")
        .expect_err("which of them is meant is not said");
}

#[test]
fn one_label_with_a_dotless_i_has_all_spellings_until_the_other_one_is_added() {
    for (own, other) in [("sınır", "sinir"), ("sinir", "sınır")] {
        // As the version before kept it, whose votes may be written either way.
        let stored = format!(
            r#"{{"schemaVersion":1,"version":2,"origin":"edited","updatedAt":"{AT}","labels":[{{"name":"{own}"}},{{"name":"b"}}]}}"#
        );
        let mut set = LabelSet::parse(stored.as_bytes()).expect("a set");
        for spelling in [own, other, "SINIR", "Sinir"] {
            assert_eq!(set.resolve(spelling), Resolution::Label(own), "{spelling}");
        }
        assert!(
            set.add("SINIR", "").is_err(),
            "it may be the capitals of that one"
        );

        set.add(other, "").expect("another word");

        assert_eq!(set.resolve(own), Resolution::Label(own));
        assert_eq!(set.resolve(other), Resolution::Label(other));
        assert_eq!(set.resolve("SINIR"), Resolution::Proposed("SINIR"));
    }
    let mut set = set(&["duygu", "b"]);
    set.split("duygu", &["sınır", "sinir"]).expect("two labels");
    assert_eq!(set.active().collect::<Vec<_>>(), ["b", "sınır", "sinir"]);
}

#[test]
fn a_label_in_capitals_is_the_one_with_a_dotless_i_in_small_letters() {
    let mut set = set(&["IŞIK", "Internet"]);

    assert_eq!(set.resolve("ışık"), Resolution::Label("IŞIK"));
    assert_eq!(set.resolve("işik"), Resolution::Label("IŞIK"));
    assert_eq!(set.resolve("INTERNET"), Resolution::Label("Internet"));
    assert!(set.add("ışık", "").is_err());
    set.retire("ışık").expect("active");
    set.add("Işık", "").expect("it comes back");
    assert_eq!(set.labels().len(), 2);
}

#[test]
fn a_number_is_one_label_with_and_without_a_point_unless_the_set_has_both() {
    let set = |names: [&str; 2]| LabelSet::seed(names, Origin::InitialData, "");

    assert_eq!(set(["1", "2"]).resolve("1.0"), Resolution::Label("1"));
    assert_eq!(set(["1.0", "2.0"]).resolve("2"), Resolution::Label("2.0"));
    assert_eq!(set(["1", "1.0"]).resolve("1.0"), Resolution::Label("1.0"));
    assert_eq!(set(["1", "2"]).resolve("1.5"), Resolution::Proposed("1.5"));
}

#[test]
fn a_renamed_label_keeps_its_old_name_as_a_synonym() {
    let mut set = set(&["SciTech", "World"]);

    set.rename("scitech ", "Science, and more").expect("free");

    assert_eq!(set.resolve("SCITECH"), Resolution::Label("Science, and more"));
    assert_eq!(set.active().collect::<Vec<_>>(), ["Science, and more", "World"]);
}

#[test]
fn another_spelling_of_a_name_is_a_rename_without_a_synonym() {
    let mut set = set(&["sport"]);

    set.rename("sport", "Sport").expect("its own name");

    assert_eq!(set.labels()[0], Label::named("Sport"));
}

#[test]
fn what_is_merged_means_the_label_it_went_into_through_every_later_change() {
    let mut set = set(&["A", "B", "C"]);

    set.merge("A", "B").expect("active");
    set.rename("B", "B2").expect("active");
    set.merge("B2", "C").expect("active");

    assert_eq!(set.resolve("a"), Resolution::Label("C"));
    let not_in_use = LabelSetError::NotInUse {
        name: "A".into(),
        fate: "merged into `B2`".into(),
    };
    assert_eq!(set.merge("C", "A"), Err(not_in_use));
    assert_eq!(set.merge("C", "c"), Err(LabelSetError::Itself("C".into())));
}

#[test]
fn a_retired_label_is_no_choice_and_can_come_back() {
    let mut set = set(&["A", "B"]);

    set.retire("A").expect("two are left");
    let resolved = set.resolve("a ") == Resolution::Retired("A");
    let last = set.retire("B");
    set.add("a", "").expect("it is retired");

    assert!(resolved);
    assert_eq!(last, Err(LabelSetError::LastLabel("B".into())));
    assert_eq!(set.resolve("A"), Resolution::Label("A"));
}

#[test]
fn a_label_that_was_merged_or_split_comes_back_with_its_rows() {
    let mut set = set(&["Login / account", "Delivery", "Parcel"]);
    set.split("Login / account", &["Login", "Account"])
        .expect("two parts");
    set.merge("Parcel", "Delivery").expect("active");

    let refused = set.rename("login / account", "Access").expect_err("it is split");
    let as_synonym = set.add_synonym("Delivery", "LOGIN / account");
    set.add("login / account", "").expect("it is split");
    set.add("Parcel", "").expect("it is merged");

    assert_eq!(
        refused.to_string(),
        "the label `Login / account` is not in use any more: it was split into `Login`, `Account`; \
         `active-learning labels add` brings it back"
    );
    assert_eq!(as_synonym, Err(refused));
    assert_eq!(
        set.resolve("Login / Account"),
        Resolution::Label("Login / account")
    );
    assert_eq!(set.resolve("parcel"), Resolution::Label("Parcel"));
    assert_eq!(set.active().count(), 5);
}

#[test]
fn a_split_label_says_no_more_which_part_is_meant() {
    let mut set = set(&["Sport", "World"]);

    set.split("sport", &["Ball games", "Racing"]).expect("two parts");

    assert_eq!(set.resolve("Sport"), Resolution::Split("Sport"));
    assert_eq!(
        set.active().collect::<Vec<_>>(),
        ["World", "Ball games", "Racing"]
    );
    assert_eq!(set.split("World", &["x", " X"]), Err(LabelSetError::OnePart));
    assert_eq!(
        set.split("World", &["world", "y"]),
        Err(LabelSetError::Itself("world".into()))
    );
    assert_eq!(set.active().count(), 3);
}

#[test]
fn no_change_makes_two_labels_meet() {
    let mut set = set(&["Sci Tech", "World"]);
    let taken = |name: &str, label: &str| {
        Err(LabelSetError::Taken {
            name: name.into(),
            label: label.into(),
        })
    };

    assert_eq!(
        set.add("ＳＣＩ\u{a0}tech", ""),
        taken("ＳＣＩ\u{a0}tech", "Sci Tech")
    );
    assert_eq!(set.rename("World", "sci  tech"), taken("sci  tech", "Sci Tech"));
    assert_eq!(
        set.add_synonym("World", "SCI TECH"),
        taken("SCI TECH", "Sci Tech")
    );
    assert_eq!(set.refuse("world"), taken("world", "World"));
}

#[test]
fn a_name_that_nobody_can_see_or_with_a_meaning_of_its_own_is_no_label() {
    let mut set = set(&["A"]);

    for name in [
        "",
        "\u{200b}",
        "__none__",
        " __UNSURE__",
        "None of these fits",
        " i CANNOT tell",
        "a\nb",
        &"x".repeat(MAX_NAME_BYTES + 1),
    ] {
        assert!(
            matches!(
                set.add(name, ""),
                Err(LabelSetError::Blank
                    | LabelSetError::TooLong(_)
                    | LabelSetError::Control(_)
                    | LabelSetError::Reserved(_))
            ),
            "{name:?}"
        );
    }
}

#[test]
fn a_name_that_people_give_turns_no_direction_and_is_refused_by_what_is_wrong_with_it() {
    let mut set = set(&["A", "B"]);
    let turns = LabelSetError::TurnsDirection("`\\u{202e}evil`".to_owned());
    let name = "\u{202e}evil";

    assert_eq!(set.add(name, ""), Err(turns.clone()));
    assert_eq!(set.rename("A", name), Err(turns.clone()));
    assert_eq!(set.add_synonym("A", name), Err(turns.clone()));
    assert_eq!(set.split("A", &["B", name]), Err(turns.clone()));
    assert_eq!(
        set.add("a\tb", ""),
        Err(LabelSetError::Control("`a\\tb`".to_owned()))
    );
    assert!(!turns.to_string().contains('\u{202e}'), "{turns}");
    assert_eq!(
        set.add("a\u{2028}b", ""),
        Err(LabelSetError::Control("`a\\u{2028}b`".to_owned()))
    );
    assert!(
        ["\u{202e}evil", "a\u{2029}b", "a\nb"]
            .iter()
            .all(|name| !can_be_proposed(name))
    );
    assert!(can_be_proposed("\u{5d0}\u{200f}!"));
    // Marks that stand beside letters of Hebrew and Arabic turn nothing after them.
    assert_eq!(set.add("\u{5d0}\u{200f}!", ""), Ok(()));
    // Rows of a file name it so.
    assert!(set.take_data([name], false, AT));
}

#[test]
fn a_label_that_is_written_much_like_an_active_one_is_a_new_one() {
    let mut set = set(&["\u{130}zmir", "Old"]);
    set.retire("Old").expect("active");

    assert_eq!(set.brought_back("\u{131}zmir"), None);
    assert_eq!(
        set.brought_back("old").map(|label| label.name.as_str()),
        Some("Old")
    );
    set.add("\u{131}zmir", "").expect("another label");
    assert_eq!(set.active().collect::<Vec<_>>(), ["\u{130}zmir", "\u{131}zmir"]);
}

#[test]
fn a_set_of_the_parameter_gives_way_to_data_and_one_of_data_is_added_to() {
    let mut set = set(&["World", "Sports"]);

    assert!(set.take_data(["cat", "dog"], false, AT));
    assert!(!set.take_data(["Cat", "dog "], false, AT));
    set.retire("dog").expect("two");
    assert!(set.take_data(["DOG", "bird"], false, AT));

    assert_eq!((set.version(), set.origin()), (3, Origin::InitialData));
    assert_eq!(set.active().collect::<Vec<_>>(), ["cat", "bird"]);
}

#[test]
fn where_training_data_has_texts_with_several_labels_every_text_may_have_them() {
    let stored = set(&["World", "Sports"]);
    let read = |set: &LabelSet| {
        let read = LabelSet::parse(&set.to_json()).expect("a set");
        read.with_several_labels(false)
    };
    let mut by_file = read(&stored);
    let mut by_dataset = read(&stored);
    let before = by_file.read("cat|dog");

    let taken = [
        by_file.take_data(["cat", "dog"], true, AT),
        by_file.take_data(["cat", "dog"], true, AT),
        by_dataset.take_several_labels(AT),
        by_dataset.take_several_labels(AT),
    ];

    assert_eq!(taken, [true, false, true, false]);
    assert!(matches!(before, Answer::NewLabel { .. }));
    assert_eq!(read(&by_file).read("dog|cat"), Answer::labels(["cat", "dog"]));
    assert_eq!((by_file.version(), by_dataset.version()), (2, 2));
    assert_eq!(by_dataset.origin(), Origin::Parameter);
    let both = Answer::labels(["Sports", "World"]);
    assert_eq!(read(&by_dataset).read("World|Sports"), both);
    // A later file of single labels.
    assert!(by_file.take_data(["cat", "dog"], false, AT));
    assert!(!read(&by_file).has_several_labels());
    let json = String::from_utf8(stored.to_json()).expect("JSON");
    assert!(!json.contains("severalLabels"), "as the version before wrote it");
}

#[test]
fn a_refused_proposal_is_proposed_no_more_until_it_is_added() {
    let mut set = set(&["A"]);

    set.refuse("Wether").expect("no label");
    let refused = set.is_refused("WETHER ");
    set.add("wether", "").expect("free");

    assert!(refused && !set.is_refused("wether"));
}

#[test]
fn who_proposes_a_refused_name_later_proposes_it_again_also_where_an_older_version_refused_it() {
    let mut set = LabelSet::seed(["A"], Origin::Parameter, "2026-11-19T10:00:00.000Z");
    set.refuse("Wether").expect("no label");
    let while_it_is_made = set.was_refused_since("wether", "2026-11-20T12:00:00.000Z");
    set.edited("2026-11-20T10:00:00.000Z");
    set.describe("A", "The first").expect("active");
    set.edited("2026-11-20T11:00:00.000Z");
    let mut older: Value = serde_json::from_slice(&set.to_json()).expect("JSON");
    let times = older.as_object_mut().and_then(|set| set.remove("refusedAt"));
    let older = LabelSet::parse(older.to_string().as_bytes()).expect("a set");

    let read = LabelSet::parse(&set.to_json()).expect("a set");
    let since =
        |set: &LabelSet, time: &str| set.was_refused_since("WETHER", &format!("2026-11-20T{time}:00.000Z"));

    assert!(while_it_is_made && times.is_some());
    assert_eq!(read, set);
    assert_eq!(
        ["09:59", "10:00", "10:01"].map(|time| since(&set, time)),
        [true, true, false]
    );
    // It does not say when: not after its last change.
    assert_eq!(
        ["10:01", "11:00", "11:01"].map(|time| since(&older, time)),
        [true, true, false]
    );
    assert!(
        !since(&set, "10:01") && set.is_refused("wether"),
        "it is known as refused before"
    );
    set.refuse("wether").expect("no label");
    set.edited("2026-11-20T12:00:00.000Z");
    assert!(since(&set, "11:30"), "refused again");
    set.add_synonym("A", "wether").expect("free");
    assert!(!set.is_refused("wether"));
}

#[test]
fn the_old_name_of_a_label_that_was_split_names_the_label_that_comes_back() {
    let mut set = set(&["Sport", "World"]);
    set.rename("Sport", "Sports").expect("free");
    set.split("Sports", &["Ball games", "Racing"]).expect("parts");
    set.add_synonym("World", "News").expect("free");
    set.add("Old", "").expect("free");
    set.add_synonym("Old", "Ancient").expect("free");
    set.retire("Old").expect("active");

    let refused = set.add(" sport", "").expect_err("another name");

    assert_eq!(
        refused.to_string(),
        "`sport` is another name of the label `Sports`, which is not in use any more: it was split into `Ball games`, \
         `Racing`; `active-learning labels add` with the name `Sports` brings that back; a label of its own needs a name \
         that is not taken"
    );
    set.add("Sports", "").expect("as the message says");
    assert_eq!(set.resolve("sport"), Resolution::Label("Sports"));
    set.add("ancient", "")
        .expect("a retired label comes back by any of its names");
    assert_eq!(set.resolve("Old"), Resolution::Label("Old"));
}

#[test]
fn a_set_is_read_as_it_was_written_and_a_damaged_one_not_at_all() {
    let mut set = set(&["A|B", "C, D"]);
    set.add_synonym("A|B", "ab").expect("free");
    set.describe("C, D", "All of it").expect("active");
    let json = set.to_json();

    assert_eq!(LabelSet::parse(&json), Ok(set));
    let mut newer: Value = serde_json::from_slice(&json).expect("JSON");
    newer["schemaVersion"] = 2.into();
    assert_eq!(
        LabelSet::parse(newer.to_string().as_bytes()),
        Err(LabelSetError::NewerSchema(2))
    );
    newer["schemaVersion"] = 1.into();
    newer["labels"][1]["synonyms"] = serde_json::json!(["AB "]);
    assert_eq!(
        LabelSet::parse(newer.to_string().as_bytes()),
        Err(LabelSetError::TwoLabels)
    );
}

#[test]
fn a_label_with_the_delimiter_in_its_name_is_one_label_in_a_vote() {
    let set = set(&["A|B", "A", "C"]);

    assert_eq!(set.read("a|b"), Answer::labels(["A|B"]));
    assert_eq!(
        set.read("C|A | B"),
        Answer::NewLabel {
            label: "C|A | B".into()
        }
    );
    assert_eq!(set.read("c|A|B"), Answer::labels(["A|B", "C"]));
    assert_eq!(set.read("C|A"), Answer::labels(["A", "C"]));
    // As votes were written that cut the name.
    let cut = vote(Answer::labels(["A", "B"]), VoteSource::Feedback);
    assert_eq!(set.map_vote(&cut), Mapped::Answer(Answer::labels(["A|B"])));
}

#[test]
fn a_proposed_name_with_a_bar_is_the_name_itself_and_its_votes_count_once_it_is_accepted() {
    let mut set = set(&["A", "B"]);
    let written_before = vote(
        Answer::NewLabel {
            label: r"Bills\|fees".into(),
        },
        VoteSource::HumanReview,
    );

    let proposed = set.read(r" Bills\|fees ");
    let of_single_labels = set.clone().with_several_labels(false).read(r"Bills\|fees|more");
    set.add("Bills|fees", "").expect("free");

    let name = |label: &str| Answer::NewLabel { label: label.into() };
    assert_eq!(proposed, name(r"Bills\|fees"));
    assert_eq!(of_single_labels, name("Bills|fees|more"));
    for said in [
        vote(proposed, VoteSource::Feedback),
        vote(Answer::labels(["Bills|fees"]), VoteSource::Feedback),
        written_before,
    ] {
        assert_eq!(
            set.map_vote(&said),
            Mapped::Answer(Answer::labels(["Bills|fees"]))
        );
    }
    assert_eq!(set.read(r"Bills\|fees|A"), Answer::labels(["A", "Bills|fees"]));
}

#[test]
fn a_new_name_with_a_bar_is_proposed_as_one_also_beside_labels_and_what_was_cut_before_stays_cut() {
    let several = set(&["A", "B"]);
    let one = several.clone().with_several_labels(false);
    let of = |set: &LabelSet, names: &[&str]| {
        let said = vote(Answer::proposal(names.iter().copied()), VoteSource::HumanReview);
        match set.map_vote(&said) {
            Mapped::Answer(Answer::NewLabel { label }) => (set.proposed_names(&label), label),
            other => panic!("no proposal: {other:?}"),
        }
    };

    let (names, written) = of(&several, &["AC|DC"]);
    assert_eq!((names, written.as_str()), (vec!["AC|DC".to_owned()], r"AC\|DC"));
    assert_eq!(of(&several, &["A", "x|y", r"p\|q"]).0, [r"p\|q", "x|y"]);
    assert_eq!(
        of(&one, &["AC|DC"]),
        (vec!["AC|DC".to_owned()], "AC|DC".to_owned())
    );
    // As a vote was written before.
    assert_eq!(several.proposed_names("AC|DC"), ["AC", "DC"]);
    assert_eq!(one.proposed_names("AC|DC"), ["AC|DC"]);
}

#[test]
fn a_name_that_was_accepted_with_a_backslash_before_its_bar_is_still_found() {
    let set = set(&["A", r"Bills\|fees"]);

    assert_eq!(set.read(r"bills\|fees"), Answer::labels([r"Bills\|fees"]));
    assert_eq!(
        set.read("Bills|fees"),
        Answer::NewLabel {
            label: "Bills|fees".into()
        }
    );
}

#[test]
fn a_vote_for_a_label_that_ends_with_a_backslash_and_another_is_for_both() {
    let set = set(&[r"A\", "B"]);

    let said = vote(Answer::labels([r"A\", "New"]), VoteSource::Feedback);

    assert_eq!(set.read(r"A\ |B"), Answer::labels([r"A\", "B"]));
    assert_eq!(
        set.map_vote(&said),
        Mapped::Answer(Answer::NewLabel {
            label: r"A\ |New".into()
        })
    );
}

#[test]
fn old_votes_follow_renames_and_merges_and_those_for_retired_and_split_labels_do_not_count() {
    let mut set = set(&["A", "B", "C", "D", "E"]);
    set.rename("A", "Alpha").expect("free");
    set.merge("B", "Alpha").expect("active");
    set.retire("C").expect("others");
    set.split("D", &["D1", "D2"]).expect("parts");
    let of = |label: &str| set.map_vote(&vote(Answer::labels([label]), VoteSource::HumanReview));

    assert_eq!(of("a"), Mapped::Answer(Answer::labels(["Alpha"])));
    assert_eq!(of("B"), Mapped::Answer(Answer::labels(["Alpha"])));
    assert_eq!((of("C"), of("D")), (Mapped::Retired, Mapped::Split));
}

#[test]
fn what_a_user_says_and_the_set_does_not_know_is_a_proposal_until_it_is_accepted() {
    let mut set = set(&["A"]);
    let said = vote(Answer::labels(["Weather"]), VoteSource::Feedback);
    let answered = vote(
        Answer::NewLabel {
            label: "weather".into(),
        },
        VoteSource::HumanReview,
    );

    let before = set.map_vote(&said);
    set.add("Weather", "").expect("free");

    assert_eq!(
        before,
        Mapped::Answer(Answer::NewLabel {
            label: "Weather".into()
        })
    );
    assert_eq!(set.map_vote(&said), Mapped::Answer(Answer::labels(["Weather"])));
    assert_eq!(
        set.map_vote(&answered),
        Mapped::Answer(Answer::labels(["Weather"]))
    );
}

#[test]
fn choices_are_the_active_labels_and_what_the_model_knows_beside_them() {
    let mut set = set(&["World", "Sports", "Old"]);
    set.retire("Old").expect("others");

    let choices = set.choices(["SPORTS", "Weather", " weather", "Old"]);

    assert_eq!(choices, ["World", "Sports", "Weather"]);
}

#[test]
fn where_set_and_model_differ_is_said_from_both_sides() {
    let mut set = set(&["World", "Sports", "New", "Old", "Biz", "Both"]);
    set.rename("Sports", "Sport").expect("free");
    set.retire("Old").expect("others");
    set.merge("Biz", "World").expect("active");
    set.split("Both", &["One", "Two"]).expect("parts");

    let difference = set.difference(["World", "Sports", "Weather", "Old", "biz", "BOTH"]);

    let pair = |class: &str, label: &str| (class.to_owned(), label.to_owned());
    assert_eq!(
        difference,
        Difference {
            not_in_model: vec!["New".into(), "One".into(), "Two".into()],
            not_in_set: vec!["Weather".into()],
            renamed: vec![pair("Sports", "Sport")],
            merged: vec![pair("biz", "World")],
            retired: vec!["Old".into()],
            split: vec!["BOTH".into()],
        }
    );
    assert!(
        set.difference(["WORLD", "Sport ", "new", "one", "Two"])
            .is_empty(),
        "spelling is no difference"
    );
}

#[test]
fn where_a_text_has_one_label_what_names_several_is_one_proposal() {
    let several = set(&["C", "C#", "C|C++", "C++"]);
    let one = several.clone().with_several_labels(false);
    let proposal = |label: &str| Answer::NewLabel { label: label.into() };

    for (text, expected) in [
        ("C|C#", proposal("C|C#")),
        ("c|c++", Answer::labels(["C|C++"])),
        ("C#|c#", Answer::labels(["C#"])),
        ("C|Rust", proposal("C|Rust")),
        ("C|C++|C#", proposal("C#|C|C++")),
    ] {
        assert_eq!(one.read(text), expected, "{text}");
        for source in [VoteSource::Feedback, VoteSource::Import, VoteSource::Adjudicator] {
            let vote = Vote {
                worker: "w".into(),
                answer: Answer::labels(text.split('|')),
                source,
                at: String::new(),
                seconds: None,
                note: Default::default(),
            };
            let Mapped::Answer(mapped) = one.map_vote(&vote) else {
                panic!("{text} is in use");
            };
            match mapped {
                Answer::Labels { labels } => assert_eq!(labels.len(), 1, "{text}"),
                mapped => assert!(matches!(mapped, Answer::NewLabel { .. }), "{text}"),
            }
        }
    }
    assert_eq!(several.read("C|C#"), Answer::labels(["C", "C#"]));
}

#[test]
fn the_delimiter_is_one_that_no_name_contains() {
    assert_eq!(delimiter(["A", "B"]), Some('|'));
    assert_eq!(delimiter(["A|B", "x~y"]), Some('^'));
}

#[test]
fn a_vote_has_the_own_name_of_its_label_also_where_that_is_no_longer_in_use() {
    let mut set = set(&["Straße", "İstanbul", "World"]);
    let vote = |label: &str| Vote {
        worker: "user:ada".into(),
        answer: Answer::labels([label]),
        source: VoteSource::Feedback,
        at: String::new(),
        seconds: None,
        note: Default::default(),
    };
    let other =
        FeedbackRecord::parse(br#"{"classifier":"news","utterance":"Another text"}"#).expect("a record");
    set.split("straße", &["Road", "Lane"]).expect("split");
    set.retire("İstanbul").expect("retired");

    let mut votes = vec![
        vote("STRASSE"),
        vote("Straße"),
        vote("strasse"),
        vote("i\u{307}stanbul"),
    ];
    set.canonical_votes(&other, &mut votes);

    assert_eq!(votes, [vote("Straße"), vote("İstanbul")]);
}

#[test]
fn a_prediction_of_before_a_rename_or_a_merge_has_the_name_of_now_and_else_stays_as_it_was() {
    let mut set = set(&["Sports", "Games", "World", "Fax", "Home|Garden"]);
    set.rename("Sports", "Sport").expect("free");
    set.merge("Games", "Sport").expect("active");
    set.retire("Fax").expect("active");
    let named = |prediction: &str, classes: &[&str]| {
        let line = serde_json::json!({
            "classifier": "news", "utterance": "Rates rise", "prediction": prediction,
            "classes": classes.iter().map(|name| serde_json::json!({"name": name, "score": 0.5})).collect::<Vec<_>>(),
        });
        let record = FeedbackRecord::parse(line.to_string().as_bytes()).expect("a line");
        let named = set.with_own_names(record);
        let classes: Vec<String> = named.classes.iter().map(|class| class.name.clone()).collect();
        (named.prediction.unwrap_or_default(), classes.join(", "))
    };

    for (prediction, classes, expected) in [
        ("Sports", &["Sports", "World"][..], ("Sport", "Sport, World")),
        ("Games", &["Games", "Sports", "World"], ("Sport", "Sport, World")),
        (" sports", &[], ("Sport", "")),
        (
            "Sports|World",
            &["Sports", "World"],
            ("Sport|World", "Sport, World"),
        ),
        ("Sports|Games", &["Sports", "Games"], ("Sport", "Sport")),
        ("World", &["World", "Sports"], ("World", "Sport, World")),
        ("Fax", &["Fax", "Sports"], ("Fax", "Fax, Sport")),
        ("Home|Garden", &["Home|Garden"], ("Home|Garden", "Home|Garden")),
        ("Politics", &["Politics"], ("Politics", "Politics")),
    ] {
        let (said, scored) = named(prediction, classes);
        assert_eq!((said.as_str(), scored.as_str()), expected, "{prediction}");
    }
}

#[test]
fn scores_of_merged_classes_add_up_where_one_label_is_right_and_the_greater_counts_where_several_may_be() {
    let mut set = set(&["Sports", "Games", "World", "Business"]);
    set.merge("Games", "Sports").expect("active");
    set.rename("Business", "Economy").expect("free");
    let line = br#"{"classifier":"news","utterance":"Rates rise","prediction":"World","confidence":0.4375,
        "classes":[{"name":"World","score":0.4375},{"name":"Sports","score":0.25},{"name":"Games","score":0.25},
        {"name":"Business","score":0.0625}]}"#;
    let record = FeedbackRecord::parse(line).expect("a line");
    let scores = |several: bool| {
        let named = set
            .clone()
            .with_several_labels(several)
            .with_own_names(record.clone());
        assert_eq!(named.prediction.as_deref(), Some("World"));
        assert_eq!(named.confidence, Some(0.4375), "what the model said of it stays");
        let classes = named.classes.into_iter();
        classes.map(|class| (class.name, class.score)).collect::<Vec<_>>()
    };
    let expected = |classes: &[(&str, f32)]| -> Vec<(String, f32)> {
        classes
            .iter()
            .map(|(name, score)| ((*name).to_owned(), *score))
            .collect()
    };

    assert_eq!(
        scores(false),
        expected(&[("Sports", 0.5), ("World", 0.4375), ("Economy", 0.0625)])
    );
    assert_eq!(
        scores(true),
        expected(&[("World", 0.4375), ("Sports", 0.25), ("Economy", 0.0625)])
    );
    // As the model's own answer is named.
    let called = record.classes.iter().map(|class| ClassScore {
        name: set.class_name(&class.name).to_owned(),
        score: class.score,
    });
    let answered = Prediction::of_labels(called.collect(), false).expect("classes");
    let answered = answered
        .classes
        .into_iter()
        .map(|class| (class.name, class.score));
    assert_eq!(answered.collect::<Vec<_>>(), scores(false));
}

#[test]
fn a_prediction_of_several_labels_has_the_names_of_now_one_by_one_and_an_unknown_class_its_own() {
    let mut set = set(&["Sports", "Games", "World", "Fax", "Home|Garden"]);
    set.rename("Sports", "Sport").expect("free");
    set.merge("Games", "Sport").expect("active");
    set.retire("Fax").expect("active");

    for (prediction, names) in [
        ("Sports", &["Sport"][..]),
        (" games", &["Sport"]),
        ("Sports|World", &["Sport", "World"]),
        ("Sports|Games", &["Sport"]),
        ("Sports|Politics", &["Sport", "Politics"]),
        ("Home|Garden", &["Home|Garden"]),
        ("Fax", &["Fax"]),
        ("Politics", &["Politics"]),
        (r"Left\|Right", &[r"Left\|Right"]),
    ] {
        assert_eq!(set.prediction_names(prediction), names, "{prediction}");
    }
}

#[test]
fn a_like_of_a_class_that_was_split_since_contradicts_no_label_in_its_place() {
    let mut set = set(&["Sports", "World"]);
    let like =
        br#"{"classifier":"news","utterance":"They won","prediction":"Sports","signal":"like","user":"ada"}"#;
    let like = FeedbackRecord::parse(like).expect("a record");
    set.split("Sports", &["Racing", "Tennis"]).expect("split");
    let mut question = Question::known(FeedbackRecord {
        signal: Signal::Dislike,
        ..like.clone()
    });
    question.answer_with(&[Vote {
        worker: "w1".into(),
        answer: Answer::labels(["Racing"]),
        source: VoteSource::HumanReview,
        at: String::new(),
        seconds: None,
        note: Default::default(),
    }]);

    let opinion = set.opinion(&like, Opinion::of(&like));
    let effects = [question.hear(&opinion), question.hear(&opinion)];

    assert_eq!(effects, [Effect::Counted, Effect::Known]);
    assert_eq!(question.answer(), Some(&Answer::labels(["Racing"])));
    assert_eq!(question.votes.len(), 2, "it is kept");
}

#[test]
fn of_two_names_that_are_no_labels_the_one_is_named_that_has_to_be_a_label() {
    let mut set = set(&["World", "Sports"]);

    assert_eq!(
        set.merge("Invoices", "Billing"),
        Err(LabelSetError::Unknown("Billing".into()))
    );
    assert_eq!(
        set.merge("World", "Billing"),
        Err(LabelSetError::Unknown("Billing".into()))
    );
}

#[test]
fn several_labels_of_a_text_are_read_the_same_in_whatever_order_they_are_written() {
    let set = set(&["World", "Sports"]).with_several_labels(true);
    let proposal = |label: &str| Answer::NewLabel {
        label: label.to_owned(),
    };

    assert_eq!(set.read("world|Sports"), Answer::labels(["Sports", "World"]));
    assert_eq!(set.read("Weather|world"), proposal("Weather|World"));
    assert_eq!(set.read("world|Weather"), proposal("Weather|World"));
    let one = set.with_several_labels(false);
    assert_eq!(one.read("World|Sports"), proposal("Sports|World"));
    assert_eq!(one.read("Sci|Art"), proposal("Sci|Art"), "one name is as it is");
}

#[test]
fn a_proposed_name_is_merged_as_another_name_of_the_label() {
    let mut set = set(&["Billing", "Login"]);

    set.merge("Invoices", "billing").expect("a synonym");

    assert_eq!(set.resolve("INVOICES"), Resolution::Label("Billing"));
    assert_eq!(set.active().count(), 2);
    assert_eq!(
        set.merge("Billing", "Payments"),
        Err(LabelSetError::Unknown("Payments".into()))
    );
}

#[test]
fn a_name_that_is_written_as_several_labels_of_one_text_is_refused_whichever_of_them_comes_first() {
    let with = |names: &[&str]| {
        let mut set = LabelSet::none();
        names.iter().try_for_each(|name| set.add(name, "")).map(|()| set)
    };

    for names in [["A", "B", "A|B"], ["Spam", "Ham|Eggs", "spam|ham|EGGS"]] {
        let refused = with(&names).expect_err("refused");
        assert!(
            matches!(refused, LabelSetError::Ambiguous { .. }),
            "{names:?}: {refused}"
        );
        assert!(
            refused.to_string().contains('/'),
            "it proposes another name: {refused}"
        );
    }
    let in_the_way = |name: &str, label: &str| {
        Err(LabelSetError::InTheWay {
            name: name.into(),
            label: label.into(),
        })
    };
    assert_eq!(with(&["a|b", "B", "A"]).map(drop), in_the_way("A", "a|b"));
    let mut set = with(&["A|B", "A", "C"]).expect("nothing else is written so");
    assert_eq!(set.rename("C", "b"), in_the_way("b", "A|B"));
    assert_eq!(set.add_synonym("C", "B"), in_the_way("B", "A|B"));
    assert_eq!(set.read("A|B"), Answer::labels(["A|B"]));
    assert_eq!(set.read("A|C"), Answer::labels(["A", "C"]));
}

#[test]
fn what_joins_a_label_with_others_is_the_name_of_none_where_a_text_may_have_several() {
    let mut set = set(&["Gut", "Schlecht"]);
    let refused = Err(LabelSetError::JoinsLabels {
        name: "Lärm|schlecht".into(),
        label: "Schlecht".into(),
        new: "Lärm".into(),
        other: "Lärm/schlecht".into(),
    });

    assert_eq!(set.add(" Lärm|schlecht ", ""), refused);
    assert_eq!(set.rename("Gut", "Lärm|schlecht"), refused);
    assert_eq!(set.add_synonym("Gut", "Lärm|schlecht"), refused);
    assert_eq!(set.merge("Lärm|schlecht", "Gut"), refused);
    assert_eq!(set.split("Gut", &["Prima", "Lärm|schlecht"]), refused);
    assert_eq!(set.add("Bar|Cocina", ""), Ok(()), "no part of it is a label");
    let one = set.with_several_labels(false).add("Lärm|schlecht", "");
    assert_eq!(one, Ok(()));
}

#[test]
fn of_a_proposal_the_parts_are_proposed_that_are_no_labels_and_a_text_of_one_label_has_the_whole() {
    let mut set = set(&["Gut", "Schlecht", "Home|Garden"]);
    set.retire("Gut").expect("active");

    for (proposal, names) in [
        ("Lärm|Schlecht", &["Lärm"][..]),
        (" schlecht|Lärm|lärm ", &["Lärm"]),
        ("Bar|Cocina", &["Bar", "Cocina"]),
        ("Bar|Home|Garden", &["Bar"]),
        ("Gut|Neu", &["Neu"]),
        ("Schlecht", &[]),
        ("Neu", &["Neu"]),
    ] {
        assert_eq!(set.proposed_names(proposal), names, "{proposal}");
    }
    let one = set.with_several_labels(false);
    assert_eq!(one.proposed_names("Lärm|Schlecht "), ["Lärm|Schlecht"]);
    assert_eq!(one.proposed_names("schlecht"), [""; 0]);
}

#[test]
fn a_joined_name_that_was_accepted_as_one_label_makes_way_and_its_votes_count_for_its_parts() {
    // As the version before accepted what it listed.
    let mut set = set(&["Gut", "Schlecht", "Lärm|Schlecht"]);
    let proposed = vote(
        Answer::NewLabel {
            label: "Lärm|Schlecht".into(),
        },
        VoteSource::HumanReview,
    );
    let chosen = vote(Answer::labels(["Lärm|Schlecht"]), VoteSource::HumanReview);

    let refused = set.add("Lärm", "").expect_err("they could not be told apart");
    set.retire("Lärm|Schlecht").expect("active");
    let retired = set.map_vote(&chosen);
    set.add("Lärm", "").expect("nothing is in its way");

    assert!(refused.to_string().contains("labels retire"), "{refused}");
    assert_eq!(retired, Mapped::Retired);
    let both = Answer::labels(["Lärm", "Schlecht"]);
    assert_eq!(set.map_vote(&proposed), Mapped::Answer(both.clone()));
    assert_eq!(set.map_vote(&chosen), Mapped::Answer(both.clone()));
    assert_eq!(set.read("schlecht|lärm"), both);
    assert!(set.add("Lärm|Schlecht", "").is_err());
}

#[test]
fn where_a_text_has_one_label_a_name_with_a_bar_stands_beside_its_parts() {
    let mut set = LabelSet::none().with_several_labels(false);

    for name in ["A", "B", "A|B"] {
        set.add(name, "").expect("one label a text");
    }

    assert_eq!(set.read("a|b"), Answer::labels(["A|B"]));
    assert_eq!(
        LabelSet::parse(&set.to_json()).map(|set| set.active().count()),
        Ok(3)
    );
}

#[test]
fn several_labels_that_a_reviewer_chose_stay_several_where_one_is_written_as_they_are() {
    let mut set = LabelSet::none().with_several_labels(false);
    ["A", "B", "A|B"]
        .iter()
        .for_each(|name| set.add(name, "").expect("free"));
    let set = set.with_several_labels(true);
    let vote = |labels: &[&str]| Vote {
        worker: "w1".into(),
        answer: Answer::labels(labels.iter().copied()),
        source: VoteSource::HumanReview,
        at: String::new(),
        seconds: None,
        note: Default::default(),
    };

    let several = set.map_vote(&vote(&["A", "B"]));
    let one = set.map_vote(&vote(&["A|B"]));

    assert_eq!(several, Mapped::Answer(Answer::labels(["A", "B"])));
    assert_eq!(one, Mapped::Answer(Answer::labels(["A|B"])));
}

#[test]
fn what_pages_answer_and_what_cannot_be_seen_can_be_no_label() {
    for name in [
        "__none__",
        " __UNSURE__ ",
        "\u{200b}",
        "A\nB",
        "",
        "\u{2800}",
        "\u{e0041}",
    ] {
        assert!(!can_be_label(name), "{name:?}");
    }
    assert!(["None", "👍", "A|B", "C#"].iter().all(|name| can_be_label(name)));
}

proptest! {
    #[test]
    fn any_spelling_of_a_name_or_synonym_resolves_to_the_one_label(
        names in proptest::collection::btree_set("[a-zäéж][a-zäéж|,+#]{0,6}( [a-zäéж|,+#]{1,6})?", 3..12),
        chosen in any::<proptest::sample::Index>(),
        owner in any::<proptest::sample::Index>(),
        edge in "[ \t\u{a0}\u{3000}\u{200b}]{0,3}",
    ) {
        let names: Vec<String> = names.into_iter().collect();
        // One in three is another name of a label.
        let (synonyms, labels) = names.split_at(names.len() / 3);
        let mut set = LabelSet::none().with_several_labels(false);
        labels.iter().for_each(|name| set.add(name, "").expect("no two meet"));
        let owner = owner.get(labels);
        synonyms.iter().for_each(|name| set.add_synonym(owner, name).expect("no two meet"));
        let name = chosen.get(&names);
        let label = if synonyms.contains(name) { owner } else { name };

        for spelling in [
            name.to_uppercase(),
            format!("{edge}{name}{edge}"),
            name.replace(' ', "\u{a0} "),
            name.nfd().collect(),
            name.to_uppercase().nfkd().collect(),
        ] {
            prop_assert_eq!(set.resolve(&spelling), Resolution::Label(label.as_str()));
        }
        prop_assert_eq!(set.active().count(), labels.len());
    }

    #[test]
    fn whatever_changes_are_tried_no_two_labels_meet_and_the_set_can_be_read_again(
        changes in proptest::collection::vec((0..6u8, "[a-cA-C]{1,2}", "[a-cA-C]{1,2}"), 0..40),
    ) {
        let mut set = set(&["a", "b", "c"]);

        for (kind, one, other) in &changes {
            // Refusals are fine; what they let through is what counts.
            let _ = match kind {
                0 => set.add(one, ""),
                1 => set.rename(one, other),
                2 => set.merge(one, other),
                3 => set.retire(one),
                4 => set.split(one, &[other.as_str(), "z"]),
                _ => set.add_synonym(one, other),
            };
        }

        prop_assert_eq!(LabelSet::parse(&set.to_json()), Ok(set.clone()));
        prop_assert!(set.active().count() > 0);
    }
}

#[test]
fn a_change_that_names_nothing_that_can_be_seen_is_refused_without_an_empty_quotation() {
    for blank in ["", " ", "\u{a0}\t", "\u{200b}", "\u{200d}\u{fe0f}"] {
        let mut set = set(&["World", "Sports"]);
        let refused = [
            set.add(blank, ""),
            set.rename(blank, "World"),
            set.rename("World", blank),
            set.merge(blank, "World"),
            set.merge("World", blank),
            set.retire(blank),
            set.split(blank, &["A", "B"]),
            set.split("World", &["A", blank]),
            set.describe(blank, "x"),
            set.add_synonym(blank, "x"),
            set.add_synonym("World", blank),
            set.refuse(blank),
        ];

        for (number, refused) in refused.into_iter().enumerate() {
            let reason = refused.expect_err("a blank name").to_string();
            assert!(!reason.contains("``"), "{number} {blank:?}: {reason}");
        }
    }
}

#[test]
fn an_imported_proposal_that_is_accepted_stays_known_as_one_and_a_label_from_the_first_does_not() {
    let mut set = set(&["World"]);
    let record = FeedbackRecord::parse(br#"{"classifier":"news","utterance":"They won"}"#).expect("a record");
    let proposal = Answer::NewLabel {
        label: " weather".into(),
    };
    let canonical = |set: &LabelSet, answer: &Answer, source: VoteSource| {
        let vote = set.canonical(&record, vote(answer.clone(), source));
        let again = set.canonical(&record, vote.clone());
        assert_eq!(vote, again, "twice is once");
        (vote.answer, vote.note.proposed)
    };

    let before = canonical(&set, &proposal, VoteSource::Import);
    set.add("Weather", "").expect("accepted");
    let weather = Answer::labels(["Weather"]);

    assert!(matches!(before, (Answer::NewLabel { .. }, false)), "{before:?}");
    assert_eq!(
        canonical(&set, &proposal, VoteSource::Import),
        (weather.clone(), true)
    );
    assert_eq!(
        canonical(&set, &weather, VoteSource::Import),
        (weather.clone(), false)
    );
    assert_eq!(
        canonical(&set, &proposal, VoteSource::HumanReview),
        (weather.clone(), false)
    );
    assert_eq!(canonical(&set, &proposal, VoteSource::Feedback), (weather, false));
}

#[test]
fn labels_stand_in_the_order_that_is_given_and_are_found_there_by_all_their_names() {
    let mut set = LabelSet::seed(["A", "B", "C", "D"], Origin::Edited, "t");
    set.add_synonym("C", "Sea").expect("a synonym");
    set.retire("B").expect("retired");

    set.order(&["d", "sea"]).expect("an order");

    assert_eq!(set.active().collect::<Vec<_>>(), ["D", "C", "A"]);
    assert_eq!(set.resolve("sea"), Resolution::Label("C"));
    assert_eq!(set.resolve("a"), Resolution::Label("A"));
    assert_eq!(set.resolve("b"), Resolution::Retired("B"));
    let stored = LabelSet::parse(&set.to_json()).expect("a set");
    assert_eq!(stored.active().collect::<Vec<_>>(), ["D", "C", "A"]);
    set.move_up("A").expect("moved");
    set.move_up("D").expect("the first one stays");
    assert_eq!(set.active().collect::<Vec<_>>(), ["D", "A", "C"]);
}

#[test]
fn a_label_has_one_place_and_one_that_is_not_in_use_has_none() {
    let mut set = LabelSet::seed(["A", "B", "C"], Origin::Edited, "t");
    set.retire("B").expect("retired");
    let before = set.clone();

    assert_eq!(
        set.order(&["C", "A", "c"]),
        Err(LabelSetError::Twice("C".to_owned()))
    );
    assert!(matches!(set.order(&["B"]), Err(LabelSetError::NotInUse { .. })));
    assert!(matches!(set.order(&["X"]), Err(LabelSetError::Unknown(_))));

    assert_eq!(set, before);
}

#[test]
fn a_change_by_a_clock_that_is_behind_takes_no_time_back_and_is_known_by_what_its_maker_says() {
    let mut set = LabelSet::seed(["World", "Sports"], Origin::Edited, "2026-11-28T10:00:05.000Z");
    let (at, later) = ("2026-11-28T10:00:00.000Z", "2026-11-28T10:01:00.000Z");

    set.refuse("Fog").expect("refused");
    set.edited(at);
    let read = LabelSet::parse(&set.to_json()).expect("a set");
    let mut next = read.clone();
    next.edited(later);

    assert_eq!(read.updated_at(), "2026-11-28T10:00:05.000Z");
    assert!(read.was_made_at(at) && !read.was_made_at(read.updated_at()));
    assert!(read.was_refused_since("Fog", "2026-11-28T10:00:04.000Z"));
    assert_eq!(next.updated_at(), later);
    assert!(next.was_made_at(later) && !next.was_made_at(at));
    let json = String::from_utf8(next.to_json()).expect("UTF-8");
    assert!(!json.contains("saidAt"), "{json}");
}

#[test]
fn votes_for_two_labels_follow_renames_and_merges_and_mean_nothing_while_one_of_them_is_split_or_retired() {
    let mut set = set(&["A", "B", "C", "D", "E"]).with_several_labels(true);
    set.rename("A", "Alpha").expect("free");
    set.merge("B", "Alpha").expect("active");
    set.retire("C").expect("others");
    set.split("D", &["D1", "D2"]).expect("parts");
    let of = |labels: [&str; 2]| set.map_vote(&vote(Answer::labels(labels), VoteSource::HumanReview));

    assert_eq!(of(["a", "E"]), Mapped::Answer(Answer::labels(["Alpha", "E"])));
    assert_eq!(of(["A", "B"]), Mapped::Answer(Answer::labels(["Alpha"])));
    assert_eq!((of(["C", "E"]), of(["E", "D"])), (Mapped::Retired, Mapped::Split));
}

#[test]
fn of_an_answer_with_a_split_label_the_others_stand_and_nothing_is_said_of_its_parts() {
    let mut set = set(&["A", "B", "C", "D", "E"]).with_several_labels(true);
    set.split("D", &["D1", "E"]).expect("parts");
    set.split("D1", &["D2", "D3"]).expect("parts");
    set.rename("A", "Alpha").expect("free");
    set.retire("C").expect("others");
    let of = |labels: &[&str]| set.standing(&Answer::labels(labels.iter().copied()));
    let rest = |left: &[&str], silent_on: &[&str]| {
        Some(Standing {
            answer: Answer::labels(left.iter().copied()),
            silent_on: silent_on.iter().map(|name| (*name).to_owned()).collect(),
        })
    };

    let parts = ["D", "D1", "D2", "D3", "E"];
    assert_eq!(of(&["a", "d"]), rest(&["Alpha"], &parts));
    assert_eq!(
        of(&["B", "C", "D"]),
        rest(&["B"], &["C", "D", "D1", "D2", "D3", "E"])
    );
    assert_eq!(of(&["D", "E"]), rest(&["E"], &parts[..4]), "it was named beside");
    assert_eq!(of(&["A", "B"]), rest(&["A", "B"], &[]), "nothing was in doubt");
    for nothing in [&["D"][..], &["D", "D1"], &["A", "C"], &["C"]] {
        assert_eq!(of(nothing), None, "{nothing:?}");
    }
    assert_eq!(set.standing(&Answer::NoneFits), None);

    let final_word = vote(Answer::labels(["A", "D"]), VoteSource::Adjudicator);
    let of_user = vote(Answer::labels(["A", "D"]), VoteSource::Feedback);
    let left = set.left_of(&final_word).expect("the other label");
    assert_eq!(
        (left.source, &left.answer),
        (VoteSource::HumanReview, &Answer::labels(["Alpha"]))
    );
    assert_eq!(set.left_of(&of_user), None, "users are asked nothing");
}

#[test]
fn a_synonym_is_taken_away_and_what_was_called_so_is_a_proposal_or_another_label_s_name() {
    let mut set = set(&["Billing", "Login"]);
    set.add_synonym("Billing", "Payments").expect("free");

    for (name, synonym) in [("Billing", "Login"), ("Login", "payments"), ("Billing", "Rain")] {
        let refused = set
            .remove_synonym(name, synonym)
            .expect_err("it is none of its names");
        assert!(matches!(refused, LabelSetError::NoSynonym { .. }), "{refused}");
    }
    assert_eq!(
        set.remove_synonym("Billing", " BILLING"),
        Err(LabelSetError::OwnName("Billing".into()))
    );
    set.remove_synonym("payments", "ＰＡＹＭＥＮＴＳ")
        .expect("it has it");

    assert_eq!(set.resolve("Payments"), Resolution::Proposed("Payments"));
    assert_eq!(set.find("Billing").map(|label| label.synonyms.len()), Some(0));
    assert_eq!(LabelSet::parse(&set.to_json()).expect("a set"), set);
    set.add_synonym("Login", "Payments").expect("it is free");
    assert_eq!(set.resolve("payments"), Resolution::Label("Login"));
}

#[test]
fn two_labels_exchange_their_names_step_by_step_and_a_name_in_the_way_is_told() {
    let mut set = set(&["A", "B"]);
    set.describe("A", "of the first").expect("active");
    set.rename("A", "C").expect("free");

    let refused = set.rename("B", "A").expect_err("it is a name of before");
    assert!(
        refused
            .to_string()
            .contains("`active-learning labels remove-synonym` with `C` and `A`"),
        "{refused}"
    );
    set.remove_synonym("C", "A").expect("its name of before");
    set.rename("B", "A").expect("free");
    set.remove_synonym("A", "B").expect("its name of before");
    set.rename("C", "B").expect("free");

    assert_eq!(set.resolve("a"), Resolution::Label("A"));
    assert_eq!(
        set.find("b").map(|label| label.description.as_str()),
        Some("of the first")
    );
}

#[test]
fn a_number_in_the_digits_of_another_script_is_the_label_unless_one_is_called_so() {
    let mut set = set(&["1", "Tier 3", "मूल्य ५"]);

    for (name, label) in [
        ("١", "1"),
        ("۱", "1"),
        ("१", "1"),
        ("１", "1"),
        ("tier ३", "Tier 3"),
        ("मूल्य 5", "मूल्य ५"),
        ("मूल्य ٥", "मूल्य ५"),
    ] {
        assert_eq!(set.resolve(name), Resolution::Label(label), "{name}");
    }
    assert_eq!(set.resolve("٢"), Resolution::Proposed("٢"));
    set.add("١", "").expect("it is another name");
    assert_eq!(set.resolve("١"), Resolution::Label("١"));
    assert_eq!(set.resolve("1"), Resolution::Label("1"));
}

#[test]
fn a_number_that_two_labels_are_in_other_digits_means_neither_and_each_of_them_itself() {
    let mut set = set(&["Level \u{664}", "Level \u{96a}"]);

    assert_eq!(set.resolve("Level 4"), Resolution::Proposed("Level 4"));
    assert_eq!(set.resolve("level \u{664}"), Resolution::Label("Level \u{664}"));
    assert_eq!(set.resolve("level \u{96a}"), Resolution::Label("Level \u{96a}"));
    assert!(set.has_name("LEVEL \u{664}") && !set.has_name("Level 4"));
    set.add("Level 4", "").expect("no label is called so");
    assert_eq!(set.resolve("Level 4"), Resolution::Label("Level 4"));
}

#[test]
fn classes_of_a_model_and_rows_that_are_one_number_in_two_scripts_stay_two_where_both_are_labels() {
    let mut set = LabelSet::seed(["4"], Origin::Edited, AT);
    assert!(set.take_data(["4", "\u{664}"], false, "2026-11-30T10:00:00.000Z"));

    assert_eq!(set.active().collect::<Vec<_>>(), ["4", "\u{664}"]);
    assert_eq!(set.choices(["4", "\u{664}"]), ["4", "\u{664}"]);
    assert!(set.difference(["4", "\u{664}"]).is_empty());
    for label in ["4", "\u{664}"] {
        assert_eq!(
            set.classes_of_row(label, Mode::MultiClass),
            Ok(vec![label.to_owned()])
        );
    }
}
