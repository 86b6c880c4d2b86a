//! Copies of a text are asked about once: within an object, across objects, and whatever breaks off.

use active_learning_aws::{bucket::Bucket, claims, copies::Copies};
use active_learning_core::{
    feedback::{FeedbackRecord, record_id},
    keys,
    labels::question::{Question, State},
    sampling::duplicates::{KeptCopy, RecentTexts, parts_of},
};
use futures::future::join_all;
use serde_json::Value;

use crate::harness::*;

const STORY: &str =
    "Oil prices rose above fifty dollars a barrel on Monday as exports from the north were halted again";

fn story(old: &str, new: &str) -> String {
    assert!(STORY.contains(old));
    line(&STORY.replace(old, new), "low-confidence", 0.1)
}

fn id(text: &str) -> u128 {
    u128::from_str_radix(&record_id("news", text), 16).expect("an id")
}

/// The story, a copy of form, one by a small change, another story, and a copy of that.
fn delivered() -> String {
    let other =
        "The club signed a young striker from the second division for three years, it said late on Friday";
    [
        story("Oil", "Oil"),
        story("Monday", "MONDAY,"),
        story("again", "again (Agency)"),
        line(other, "dislike", 0.9),
        line(&format!("{other} (Agency)"), "dislike", 0.9),
    ]
    .concat()
}

#[tokio::test]
async fn copies_in_one_object_are_asked_once_and_kept_with_their_original() {
    let services = Services::start();
    let event = services.deliver("feedback/a", delivered()).await;

    let script = services.work_off(&event).await;

    let asked = asked(&[&script]);
    assert_eq!(asked.len(), 2, "{asked:?}");
    let copies = services.copies().await;
    assert_eq!(copies.len(), 3, "{copies:?}");
    let asked_ids: Vec<u128> = asked.iter().map(|text| id(text)).collect();
    for kept in copies {
        let copy = services.get_in(TRAINING_BUCKET, &kept.to_string()).await;
        let copy: Value = serde_json::from_str(&copy).expect("a record");
        assert_eq!(copy["id"], format!("{:032x}", kept.id));
        assert!(asked_ids.contains(&kept.original) && !asked_ids.contains(&kept.id));
    }
}

#[tokio::test]
async fn the_same_text_again_is_kept_as_a_copy_of_itself_once_for_each_time() {
    let services = Services::start();
    let at = |time: &str| line("Rates rise", "low-confidence", 0.1).replace("T10:00", time);
    let first = services.deliver("feedback/a", at("T10:00") + &at("T11:00")).await;
    let second = services.deliver("feedback/b", at("T12:00")).await;

    let script = services.work_off(&first).await;
    for event in [&second, &first, &second] {
        services.work_off(event).await;
    }

    let copies = services.copies().await;
    assert_eq!(asked(&[&script]), ["Rates rise"]);
    let of_itself = |copy: &KeptCopy| copy.original == id("Rates rise") && copy.id == copy.original;
    assert!(copies.len() == 2 && copies.iter().all(of_itself), "{copies:?}");
}

#[tokio::test]
async fn a_complaint_about_a_text_that_was_asked_is_no_copy_and_goes_on_where_the_question_is_given_up() {
    let services = Services::start();
    let complaint = line(STORY, "dislike", 0.9).replace("T10:00", "T11:00");
    let first = services.deliver("feedback/a", story("Oil", "Oil")).await;
    let second = services.deliver("feedback/b", complaint).await;

    for event in [&first, &second, &second] {
        services.work_off(event).await;
    }

    assert_eq!(services.copies().await, [], "it is the text that was asked");
    assert_eq!(services.keys_in(TRAINING_BUCKET, "copies/").await.len(), 1);
    let released = give_up(&services, STORY).await;
    let [event] = &released[..] else {
        panic!("one object: {released:?}");
    };
    let again = services.work_off(event).await;
    assert_eq!(asked(&[&again]), [STORY]);
}

/// A copy of the story by its last words, and a text that is cut off: a copy of the former and not of the story.
fn chain() -> (String, String) {
    let tagged = format!("Agency report: {STORY}");
    let cut_off = format!("{}...", &tagged[..75]);
    (tagged, cut_off)
}

#[tokio::test]
async fn a_copy_is_not_remembered_as_a_text_that_was_asked() {
    let (tagged, cut_off) = chain();
    let like = |text: &str, other: &str| {
        let mut recent = RecentTexts::default();
        assert!(recent.insert(&record(other)));
        recent.original(&record(text)).is_some()
    };
    assert!(like(&tagged, STORY) && like(&cut_off, &tagged) && !like(&cut_off, STORY));
    let lines = [STORY, &tagged, &cut_off].map(|text| line(text, "low-confidence", 0.1));
    let [story, tagged_line, cut_line] = &lines;

    // One after another, and the copy together with what is like it.
    for deliveries in [
        vec![story.clone(), tagged_line.clone(), cut_line.clone()],
        vec![story.clone(), format!("{tagged_line}{cut_line}")],
    ] {
        let services = Services::start();
        let mut questions = Vec::new();
        for (number, delivered) in deliveries.into_iter().enumerate() {
            let event = services.deliver(&format!("feedback/{number}"), delivered).await;
            let script = services.work_off(&event).await;
            questions.extend(asked(&[&script]));
        }

        assert_eq!(questions, [STORY, &cut_off]);
        let [first, _] = parts(&tagged).map(|part| keys::recent_texts(&part));
        let remembered = services.get(&first).await;
        let id = record_id("news", &tagged);
        assert!(!remembered.contains(&id), "{remembered}");
    }
}

#[tokio::test]
async fn copies_of_what_other_objects_asked_are_not_asked() {
    let services = Services::start();
    let first = services.deliver("feedback/a", story("Oil", "Oil")).await;
    let copies = [
        story("again", "again (Agency)"),
        story("Oil", "OIL"),
        line("Something else", "dislike", 0.9),
    ];
    let second = services.deliver("feedback/b", copies.concat()).await;

    let one = services.work_off(&first).await;
    let two = services.work_off(&second).await;

    assert_eq!(asked(&[&one]), [STORY]);
    assert_eq!(asked(&[&two]), ["Something else"]);
}

#[tokio::test]
async fn a_redelivered_object_asks_the_same_whatever_was_asked_since() {
    let services = Services::start();
    let event = services.deliver("feedback/a", delivered()).await;
    let again = starting();

    let once = services.work_off(&event).await;
    // As if so much had been asked since that the texts are forgotten, and copies of them are asked.
    for key in services.keys("copies/recent/").await {
        let recent = services.s3.delete_object().bucket(BUCKET).key(key);
        recent.send().await.expect("removed");
    }
    let later = services
        .deliver("feedback/b", story("again", "again (Agency report)"))
        .await;
    let others = services.work_off(&later).await;
    for _ in 0..2 {
        services
            .function(&again)
            .handle(event.clone())
            .await
            .expect("worked off");
    }

    assert_eq!(asked(&[&others]).len(), 1);
    assert_eq!(loops(&again), loops(&once));
}

#[tokio::test]
async fn of_many_copies_that_come_at_once_one_is_asked() {
    let services = Services::start();
    let lengths = [60, 64, 75, 80, 85, 92];
    let events = join_all(lengths.map(async |length| {
        let cut_off = format!("{}...", &STORY[..length]);
        let key = format!("feedback/{length}");
        services
            .deliver(&key, line(&cut_off, "low-confidence", 0.1))
            .await
    }))
    .await;
    let script = starting();
    let function = services.function(&script);

    // Each twice: S3 may tell of an object twice at once.
    let outcomes = join_all(
        events
            .iter()
            .chain(&events)
            .map(|event| function.handle(event.clone())),
    )
    .await;

    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let asked = asked(&[&script]);
    assert_eq!(asked.len(), 1, "{asked:?}");
}

#[tokio::test]
async fn a_copy_of_a_question_that_was_given_up_is_asked_once_it_is_delivered_again() {
    for copy in [story("Monday", "MONDAY,"), story("again", "again (Agency)")] {
        let services = Services::start();
        let first = services.deliver("feedback/a", story("Oil", "Oil")).await;
        let second = services.deliver("feedback/b", copy.clone()).await;
        let (one, two) = (services.work_off(&first).await, services.work_off(&second).await);
        assert_eq!((asked(&[&one]).len(), asked(&[&two]).len()), (1, 0));

        let released = give_up(&services, STORY).await;
        let [event] = &released[..] else {
            panic!("one object: {released:?}");
        };
        let three = services.work_off(event).await;

        let text: Value = serde_json::from_str(&copy).expect("JSON");
        assert_eq!(asked(&[&three]), [text["utterance"].as_str().expect("a text")]);
        assert!(services.copies().await.is_empty());
    }
}

/// Does what label-collection does where nobody answers: the question is given up, and what was claimed for it released.
/// Returns the events of its copies.
pub async fn give_up(services: &Services, text: &str) -> Vec<Value> {
    let question = keys::question(&record_id("news", text));
    let mut known = Question::parse(services.get(&question).await.as_bytes()).expect("a question");
    known.state = State::Abandoned;
    services.deliver(&question, known.to_json()).await;
    let feedback = Bucket::new(services.s3.clone(), BUCKET);
    let training = feedback.other(TRAINING_BUCKET);
    let withdrawn = claims::withdraw(&feedback, &known.record.id).await;
    withdrawn.expect("withdrawn");
    let copies = Copies {
        feedback: &feedback,
        training: &training,
    };
    let gone_on = copies.let_go_on("review-1", &known).await;
    gone_on.expect("delivered");
    services.released().await
}

#[tokio::test]
async fn an_audited_copy_is_asked_since_it_stands_for_the_traffic() {
    let services = Services::start();
    let audited = line(&STORY.replace("again", "again (Agency)"), "audit", 0.9);
    let event = services
        .deliver("feedback/a", story("Oil", "Oil") + &audited)
        .await;

    let script = services.work_off(&event).await;

    assert_eq!(asked(&[&script]).len(), 2);
}

#[tokio::test]
async fn a_run_that_breaks_off_anywhere_is_made_up_for_by_the_next_one() {
    for (bucket, folder) in [
        (BUCKET, "claims/"),
        (BUCKET, "claims/text-"),
        (BUCKET, "copies/recent/first-"),
        (BUCKET, "copies/recent/last-"),
        (BUCKET, "claims/plan-"),
        (TRAINING_BUCKET, "copies/"),
        (BUCKET, "asked/"),
    ] {
        for passed in 0..2 {
            let services = Services::start();
            let event = services.deliver("feedback/a", delivered()).await;
            let broken = breaking_off(passed, &format!("PUT /{bucket}/{folder}"));
            let whole = starting();

            let outcome = services.function(&broken).handle(event.clone()).await;
            services.function(&whole).handle(event).await.expect("worked off");

            let both = asked(&[&broken, &whole]);
            assert_eq!(asked(&[&whole]), both, "{folder} {passed} {outcome:?}");
            let copies = services.copies().await;
            assert_eq!((both.len(), copies.len()), (2, 3), "{folder} {passed}: {both:?}");
        }
    }
}

#[tokio::test]
async fn damaged_recent_texts_are_begun_anew() {
    let services = Services::start();
    let [first, _] = parts(STORY).map(|part| keys::recent_texts(&part));
    services.deliver(keys::RECENT_TEXTS, "no text\n").await;
    services.deliver(&first, "no text\n").await;
    let event = services.deliver("feedback/a", delivered()).await;

    let script = services.work_off(&event).await;

    assert_eq!(asked(&[&script]).len(), 2);
    let recent = services.get(&first).await;
    assert!(
        recent.contains("barrel") && !recent.contains("no text"),
        "{recent}"
    );
}

/// Names the parts in which a text is remembered.
fn parts(text: &str) -> [String; 2] {
    parts_of(&record(text)).expect("a text that is long enough")
}

fn record(text: &str) -> FeedbackRecord {
    FeedbackRecord::parse(line(text, "low-confidence", 0.1).as_bytes()).expect("a record")
}

#[tokio::test]
async fn a_copy_of_what_a_release_before_asked_is_not_asked() {
    let services = Services::start();
    let first = services.deliver("feedback/a", story("Oil", "Oil")).await;
    services.work_off(&first).await;
    // As it was remembered then: all texts in one object.
    for key in services.keys("copies/recent/").await {
        let delete = services.s3.delete_object().bucket(BUCKET).key(key);
        delete.send().await.expect("removed");
    }
    let mut before = RecentTexts::default();
    assert!(before.insert(&record(STORY)));
    services.deliver(keys::RECENT_TEXTS, before.write()).await;

    let copy = services
        .deliver("feedback/b", story("again", "again (Agency)"))
        .await;
    let script = services.work_off(&copy).await;

    assert!(asked(&[&script]).is_empty());
    assert!(services.keys("copies/recent/").await.is_empty());
    give_up(&services, STORY).await;
    assert_eq!(
        services.get(keys::RECENT_TEXTS).await,
        "",
        "it is forgotten there too"
    );
}

#[tokio::test(start_paused = true)]
async fn five_hundred_deliveries_at_once_are_all_worked_off() {
    let services = Services::start();
    let text = |number: usize| {
        let story = STORY.replace("fifty", &number.to_string());
        format!("Item {number} of the day: {story} in the port of {number}")
    };
    let mut events = Vec::new();
    for number in 0..500 {
        let delivered = line(&text(number), "low-confidence", 0.1);
        events.push(services.deliver(&format!("feedback/{number}"), delivered).await);
    }
    let script = starting();
    let function = services.function(&script);

    let outcomes = join_all(events.into_iter().map(|event| function.handle(event))).await;

    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(asked(&[&script]).len(), 500);
    // Each was looked for among the others: by its first words and by its last ones.
    let mut remembered = 0;
    for key in services.keys("copies/recent/").await {
        remembered += services.get(&key).await.lines().count();
    }
    assert_eq!(remembered, 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_text_whose_part_too_many_write_at_once_is_asked_all_the_same() {
    let services = Services::start();
    let event = services.deliver("feedback/a", story("Oil", "Oil")).await;
    let script = starting();
    let taken = "<Error><Code>PreconditionFailed</Code></Error>";
    script.always(&format!("PUT /{BUCKET}/copies/recent/"), 412, taken);

    let outcome = services.function(&script).handle(event).await;

    outcome.expect("worked off");
    assert_eq!(asked(&[&script]), [STORY]);
}

#[tokio::test]
async fn a_vote_that_came_after_a_text_was_asked_keeps_near_duplicates_apart_from_it() {
    let services = Services::start();
    let first = services.deliver("feedback/a", story("Oil", "Oil")).await;
    services.work_off(&first).await;
    let mut vote: Value = serde_json::from_str(&line(STORY, "dislike", 0.1)).expect("JSON");
    vote["suggestedLabel"] = "Sports".into();
    let vote = services.deliver("feedback/b", format!("{vote}\n")).await;
    services.work_off(&vote).await;

    let copy = services
        .deliver("feedback/c", story("again", "again (Agency)"))
        .await;
    let script = services.work_off(&copy).await;
    let another = services
        .deliver("feedback/d", story("again", "AGAIN, (Agency)"))
        .await;
    let again = services.work_off(&another).await;

    assert_eq!(asked(&[&script]), [STORY.replace("again", "again (Agency)")]);
    assert!(asked(&[&again]).is_empty(), "the form counts still");
}

#[tokio::test]
async fn a_text_is_no_copy_of_one_of_whose_question_nothing_is_left() {
    for (is_claim_gone, asked_texts) in [(true, 1), (false, 0)] {
        let services = Services::start();
        let first = services.deliver("feedback/a", story("Oil", "Oil")).await;
        services.work_off(&first).await;
        let id = record_id("news", STORY);
        let mut gone = vec![keys::question(&id)];
        gone.extend(is_claim_gone.then(|| keys::claim(&id)));
        for key in gone {
            let delete = services.s3.delete_object().bucket(BUCKET).key(key);
            delete.send().await.expect("expired");
        }

        let copy = story("again", "again (Agency)");
        let copy = services.deliver("feedback/b", copy).await;
        let script = services.work_off(&copy).await;

        assert_eq!(asked(&[&script]).len(), asked_texts);
    }
}
