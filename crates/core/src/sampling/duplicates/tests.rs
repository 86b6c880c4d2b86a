use proptest::prelude::*;

use super::{small_change::are_copies, *};
use crate::feedback::{FeedbackRequest, Source};

const STORY: &str =
    "Oil prices rose above fifty dollars a barrel on Monday as exports from the north were halted again";

fn record(utterance: &str) -> FeedbackRecord {
    let request = FeedbackRequest {
        classifier: "news".into(),
        sentence: utterance.into(),
        ..FeedbackRequest::default()
    };
    let record = request.into_record(Source::ExplicitApi, "2026-11-20T10:00:00Z");
    FeedbackRecord {
        prediction: Some("Business".into()),
        ..scored(record.expect("complete"), 0.6)
    }
}

/// A record that a model has seen, with the score of its class.
fn scored(record: FeedbackRecord, score: f32) -> FeedbackRecord {
    let class = |name: &str, score| ClassScore {
        name: name.into(),
        score,
    };
    FeedbackRecord {
        classes: vec![class("Business", score), class("World", 1.0 - score)],
        ..record
    }
}

fn recent(texts: &[&str]) -> RecentTexts {
    let mut recent = RecentTexts::default();
    for text in texts {
        recent.insert(&record(text));
    }
    recent
}

#[test]
fn form_is_case_space_punctuation_and_entities() {
    let form = |text: &str| same_form(&record(text));

    assert_eq!(form("AT&T's rates"), form("at&amp;t#39;s   RATES!"));
    assert_ne!(form("rates rise"), form("rates fall"));
    assert_ne!(form("rates rise"), form("rates rise?"));
    assert_ne!(form("\u{1f44d}"), form("\u{1f44e}"));
    let mut other = record("rates rise");
    other.classifier = "mail".into();
    assert_ne!(same_form(&other), form("rates rise"));
}

fn is_copy(copy: &FeedbackRecord, of: &FeedbackRecord) -> bool {
    let mut recent = RecentTexts::default();
    recent.insert(of);
    recent.original(copy).is_some()
}

#[test]
fn a_small_change_without_content_makes_a_copy() {
    let recent = recent(&["Something else that has nothing to do with any of it", STORY]);

    for copy in [
        format!("{STORY} (Agency)"),
        format!("Agency report: {STORY}"),
        format!("{}...", &STORY[..60]),
        format!("{}…", &STORY[..57]),
    ] {
        assert_eq!(
            recent.original(&record(&copy)),
            Some(record(STORY).id.as_str()),
            "{copy}"
        );
    }
}

#[test]
fn what_may_mean_something_else_is_a_question_of_its_own() {
    let story = record(STORY);

    for other in [
        STORY.replace("Monday", "Tuesday"),
        STORY.replace("rose", "fell"),
        STORY.replace("were halted", "were not halted"),
        STORY.replace("fifty", "sixty"),
        format!("{STORY}?"),
        format!("{STORY} \u{1f44e}"),
        format!("{STORY} - not"),
        format!("Fake: {STORY}"),
        format!("UPDATE 2: {STORY}"),
        format!("{STORY}, and nobody at the ministry of energy could say when they would resume"),
        STORY[..60].to_owned(),
        format!("{}...", &STORY[..40]),
    ] {
        assert!(!is_copy(&record(&other), &story), "{other}");
    }
    assert!(!is_copy(&record(&format!("{STORY} yesterday")), &story), "no tag");
    assert!(
        !is_copy(&record(&format!("World: {STORY}")), &story),
        "names a class"
    );
    let dots = record("The engine of this car is quiet and it runs well on long trips...");
    let taken_back =
        record("The engine of this car is quiet and it runs well on long trips ... but it is slow");
    assert!(!is_copy(&dots, &taken_back) && !is_copy(&taken_back, &dots));
}

#[test]
fn what_moves_the_model_is_no_copy_and_where_no_scores_are_known_only_the_form_counts() {
    let (story, copy) = (record(STORY), record(&format!("{STORY} (Agency)")));

    assert!(is_copy(&scored(copy.clone(), 0.69), &story));
    assert!(!is_copy(&scored(copy.clone(), 0.85), &story));
    let unscored = FeedbackRecord {
        classes: Vec::new(),
        ..copy.clone()
    };
    assert!(!is_copy(&unscored, &story) && !is_copy(&story, &unscored));
    let other_class = FeedbackRecord {
        prediction: Some("World".into()),
        ..copy.clone()
    };
    assert!(!is_copy(&other_class, &story));
    let other_classifier = FeedbackRecord {
        classifier: "mail".into(),
        ..copy
    };
    assert!(!is_copy(&other_classifier, &story));
}

#[test]
fn of_many_classes_those_are_remembered_that_tell_texts_apart() {
    let classes = |most_likely: f32| -> Vec<ClassScore> {
        let rest = (1.0 - most_likely) / 499.0;
        let name = |number| match number {
            0 => "Business".to_owned(),
            499 => "Reuters".to_owned(),
            _ => format!("Something at length that a class is called {number}"),
        };
        let class = |number| ClassScore {
            name: name(number),
            score: if number == 0 { most_likely } else { rest },
        };
        (0..500).map(class).collect()
    };
    let seen = |text: &str, most_likely| FeedbackRecord {
        classes: classes(most_likely),
        ..record(text)
    };
    let bytes = |record: &FeedbackRecord| {
        let mut recent = RecentTexts::default();
        recent.insert(record);
        recent.write().len()
    };
    let (story, doubtful) = (seen(STORY, 0.9), seen(STORY, 0.004));
    let tagged = |tag: &str, most_likely| seen(&format!("{STORY} ({tag})"), most_likely);

    assert!(bytes(&story) < 400 && bytes(&doubtful) < 400);
    assert!(is_copy(&tagged("Agency", 0.85), &story) && is_copy(&tagged("Agency", 0.005), &doubtful));
    assert!(!is_copy(&tagged("Agency", 0.6), &story));
    assert!(is_copy(&record(&format!("{STORY} (Reuters)")), &record(STORY)));
    assert!(
        !is_copy(&tagged("Reuters", 0.9), &story),
        "names a class, if an unlikely one"
    );
}

#[test]
fn a_cut_may_leave_a_model_less_sure_unless_what_follows_denies_something() {
    let start =
        "My delivery was quick and the driver was so friendly and helpful that I rang the company and";
    let whole = record(&format!("{start} said that I would order there again"));
    let denied = record(&format!("{start} said that I would order there never again"));
    let cut = record(&format!("{start} sa..."));

    assert!(is_copy(&scored(cut.clone(), 0.95), &whole));
    let other_meaning = scored(cut.clone(), 0.05);
    assert!(!is_copy(&other_meaning, &whole));
    assert!(is_copy(&scored(cut.clone(), 0.65), &denied));
    assert!(!is_copy(&scored(cut, 0.85), &denied));
    let short = "The delivery was quick and the driver was friendly and I would order there again";
    let cut = record(&format!("{}...", &short[..63]));
    assert!(is_copy(&scored(cut.clone(), 0.85), &record(short)));
    assert!(!is_copy(&scored(cut.clone(), 0.1), &record(short)));
    let denied = record(&short.replace("order there", "never order there"));
    assert!(!is_copy(&cut, &denied));
    let number = record("Our parcel was left at the door of the neighbours in house No. 13 of the street");
    let cut = record("Our parcel was left at the door of the neighbours in house ...");
    assert!(is_copy(&cut, &number), "a number is no denial");
    let start =
        "The team came back late in the last quarter of the game and won by a narrow margin of two points in";
    let cut = record(&format!("{start} the..."));
    for (end, is_number) in [
        ("against No.", true),
        ("the country's No.", true),
        ("but said no.", false),
    ] {
        let whole = record(&format!("{start} the end as many had hoped {end}"));
        assert_eq!(is_copy(&cut, &whole), is_number, "{end}");
    }
}

#[test]
fn a_tag_that_only_names_a_source_makes_a_copy_in_any_language_and_no_other_tag_does() {
    let turkish = "Bakanlar kurulu bugün yeni bütçeyi uzun bir toplantıdan sonra kabul etti ve açıkladı";

    for (text, copy, is_one) in [
        (turkish, format!("Agency report: {turkish}"), true),
        (turkish, format!("{turkish} (Reuters)"), true),
        (turkish, format!("{turkish} (Full story here)"), true),
        (turkish, format!("Yalan: {turkish}"), false),
        (turkish, format!("{turkish} (Değil)"), false),
        (turkish, format!("Agency report, not confirmed: {turkish}"), false),
        (STORY, format!("From our readers: {STORY}"), true),
        (STORY, format!("Myth: {STORY}"), false),
        (STORY, format!("Fact check: {STORY}"), false),
        (STORY, format!("{STORY} (Dementi)"), false),
        (STORY, format!("[Misinformation] {STORY}"), false),
        (STORY, format!("Rumours: {STORY}"), false),
        (STORY, format!("LONDON - {STORY}"), false),
    ] {
        assert_eq!(is_copy(&record(&copy), &record(text)), is_one, "{copy}");
    }
}

#[test]
fn users_who_hold_another_label_right_keep_texts_apart() {
    let story = record(STORY);
    let says = |label: &str| FeedbackRecord {
        suggested_label: Some(label.into()),
        ..record(&format!("{STORY} (Agency)"))
    };

    assert!(
        is_copy(&says("business "), &story),
        "the class, however it is spelt"
    );
    assert!(!is_copy(&says("World"), &story));
    assert!(!is_copy(&story, &says("World")));
}

#[test]
fn texts_that_an_older_version_remembered_are_read() {
    let line = br#"{"id":"0123456789abcdef0123456789abcdef","classifier":"news","text":"one two three four five six seven eight nine"}"#;

    let recent = RecentTexts::read(line).expect("an old line");

    assert_eq!(
        recent.original(&record("Agency: one two three four five six seven eight nine")),
        None
    );
}

#[test]
fn the_very_question_is_known_and_no_copy_of_itself() {
    let mut recent = recent(&[STORY]);

    assert!(recent.contains(&record(STORY)) && !recent.insert(&record(STORY)));
    assert_eq!(recent.original(&record(STORY)), None);
    assert!(!recent.insert(&record("too short to have copies")));
}

#[test]
fn the_oldest_are_forgotten_when_all_do_not_fit() {
    let mut texts = RecentTexts::default();
    let text = |number: usize| {
        record(&format!(
            "number {number} {}",
            format_args!("a b c d e f g h {}", "x".repeat(9_500))
        ))
    };
    (0..300).for_each(|number| assert!(texts.insert(&text(number))));

    let read = RecentTexts::read(&texts.write()).expect("as written");

    assert!(read.contains(&text(299)) && !read.contains(&text(0)));
    assert!((245..=265).contains(&read.texts.len()), "{}", read.texts.len());
    assert_eq!(RecentTexts::read(b"{}\n").map(|_| ()), Err(DamagedTexts(1)));
}

#[test]
fn of_the_texts_of_a_part_the_newest_are_kept() {
    let mut texts = RecentTexts::default();
    let text = |number: usize| record(&format!("dear team of the shop please send order {number} today"));
    (0..9).for_each(|number| assert!(texts.insert(&text(number))));
    let size = RecentText::of(&text(0)).size();

    let read = RecentTexts::read(&texts.write_within(3 * size)).expect("as written");

    let kept = (0..9).filter(|number| read.contains(&text(*number)));
    assert!(kept.eq(6..9));
}

#[test]
fn a_text_that_does_not_fit_leaves_the_others_of_its_part() {
    let text = |name: &str| record(&format!("dear team of the shop please send order {name} today"));
    let size = RecentText::of(&text("a")).size();
    let long = text(&"x".repeat(4 * size));
    for place in 0..3 {
        let mut texts = RecentTexts::default();
        for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
            if number == place {
                assert!(texts.insert(&long));
            }
            assert!(texts.insert(&text(name)));
        }
        assert!(place > 0 || texts.insert(&text("d")));

        let read = RecentTexts::read(&texts.write_within(3 * size)).expect("as written");

        assert!(!read.contains(&long) && read.contains(&text("c")), "{place}");
        assert_eq!(read.texts.len(), 3, "{place}");
    }
}

#[test]
fn texts_lie_in_parts_by_their_first_and_last_words_and_short_ones_in_none() {
    let mut parts = std::collections::BTreeSet::new();

    for number in 0..2_000 {
        let text = record(&format!(
            "item {number} one two three four five six seven {number}"
        ));
        parts.extend(parts_of(&text).expect("long enough"));
    }

    assert_eq!(parts.len() as u64, 2 * PARTS, "{parts:?}");
    assert!(parts.contains("first-00") && parts.contains("last-1f"));
    assert_eq!(parts_of(&record("too short to have copies")), None);
}

fn edited() -> impl Strategy<Value = String> {
    let words = proptest::collection::vec("[ab]", 7..16);
    (words, "(\\.\\.\\.)?").prop_map(|(words, end)| words.join(" ") + &end)
}

proptest! {
    #[test]
    fn every_copy_is_found_and_copying_is_mutual(
        texts in proptest::collection::btree_set(edited(), 1..30), other in edited(),
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let other = record(&other);
        let [of_other, texts_of] = [RecentText::of(&other), RecentText::of(&other)];
        let long_enough = |text: &RecentText| words(&text.text).len() >= MIN_WORDS;
        let expected = texts.iter().map(|text| RecentText::of(&record(text))).find(|text| {
            text.id != other.id && long_enough(text) && long_enough(&of_other) && are_copies(text, &texts_of)
        });
        let recent = recent(&texts);
        prop_assert_eq!(recent.original(&other), expected.as_ref().map(|text| text.id.as_str()));
        if let Some(text) = expected {
            prop_assert!(are_copies(&of_other, &text));
            let texts = texts.iter().find(|other| record(other).id == text.id).expect("one of them");
            let parts = [&record(texts), &other].map(|record| parts_of(record).expect("long enough"));
            prop_assert!(parts[0].iter().zip(&parts[1]).any(|(one, other)| one == other));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = RecentTexts::read(&bytes);
    }
}

#[test]
fn a_remark_in_brackets_and_a_word_that_ends_a_matter_are_content() {
    for tagged in [
        format!("{STORY} (resolved)"),
        format!("{STORY} (just for fun)"),
        format!("{STORY} [update]"),
        format!("Erledigt: {STORY}"),
        format!("Resolved: {STORY}"),
        format!("{STORY} (Solved)"),
    ] {
        let mut recent = RecentTexts::default();
        recent.insert(&record(STORY));

        assert_eq!(recent.original(&record(&tagged)), None, "{tagged}");
    }
}
