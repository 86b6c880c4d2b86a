use proptest::prelude::*;

use super::*;
use crate::MAX_UTTERANCE_BYTES;

const NOW: &str = "2026-11-20T10:00:00Z";

fn request(json: &str) -> FeedbackRequest {
    FeedbackRequest::parse(json.as_bytes()).expect("a request")
}

#[test]
fn a_line_of_the_reference_sample_is_read() {
    let line = br#"{"utterance":"Rates rise","prediction":"Business","confidence":0.31,"classifier":"news"}"#;

    let record = FeedbackRecord::parse(line).expect("an old line");

    assert_eq!(record.source, Source::Implicit);
    assert_eq!(record.signal, Signal::LowConfidence);
    assert_eq!(record.prediction.as_deref(), Some("Business"));
    assert_eq!(record.confidence, Some(0.31));
    assert_eq!(record.id, record_id("news", "Rates rise"));
}

#[test]
fn the_sample_s_words_for_unknown_become_nothing() {
    let line =
        br#"{"utterance":"Rates rise","prediction":"CLASSIFY","confidence":"NONE","classifier":"news"}"#;

    let record = FeedbackRecord::parse(line).expect("an old line");

    assert_eq!((record.prediction, record.confidence), (None, None));
    assert_eq!(
        (record.source, record.signal),
        (Source::ExplicitApi, Signal::Dislike)
    );
}

#[test]
fn a_line_of_version_one_is_read_as_it_was_written() {
    let line = concat!(
        r#"{"schemaVersion":1,"id":"x","classifier":"news","utterance":"Rates rise","prediction":"World","#,
        r#""confidence":0.4,"classes":[{"name":"World","score":0.4}],"source":"implicit","signal":"audit","#,
        r#""predictionId":"p-1","modelArn":"arn","selectionProbability":0.01,"receivedAt":"2026-11-20T10:00:00Z"}"#
    );

    let record = FeedbackRecord::parse(line.as_bytes()).expect("a line");

    assert_eq!(record.signal, Signal::Audit);
    assert_eq!(record.selection_probability, Some(0.01));
    assert_eq!(record.received_at, NOW);
    assert_eq!(record.id, record_id("news", "Rates rise"));
}

#[test]
fn a_newer_line_is_refused_by_its_version() {
    let line = br#"{"schemaVersion":2,"classifier":"news","utterance":"Rates rise"}"#;

    assert_eq!(FeedbackRecord::parse(line), Err(InvalidFeedback::NewerSchema(2)));
}

#[test]
fn an_accepted_prediction_survives_the_wire_and_one_that_is_made_up_is_refused() {
    let classes = vec![ClassScore {
        name: "World".into(),
        score: 0.97,
    }];
    let prediction = Prediction::multi_class(classes).expect("a class");
    let accepted = FeedbackRecord::accepted("news", "Rates rise", &prediction, 0.9, "p-1", "arn".into(), NOW);

    let line = accepted.to_line();

    assert!(!accepted.signal.needs_review() && accepted.selection_probability.is_none());
    assert!(line.contains(r#""signal":"accepted""#) && line.contains(r#""acceptedAbove":0.9"#));
    assert_eq!(FeedbackRecord::parse(line.as_bytes()), Ok(accepted));
    for (from, to) in [
        (r#""modelArn":"arn","#, ""),
        (r#""source":"implicit""#, r#""source":"explicit-api""#),
        (r#""acceptedAbove":0.9"#, r#""acceptedAbove":0.97"#),
        (r#""acceptedAbove":0.9,"#, ""),
        (r#""prediction":"World","#, ""),
    ] {
        let forged = line.replace(from, to);
        assert_ne!(forged, line, "{from}");
        assert_eq!(
            FeedbackRecord::parse(forged.as_bytes()),
            Err(InvalidFeedback::NotAccepted)
        );
    }
    let request = r#"{"classifier":"news","sentence":"Rates rise","signal":"accepted","modelArn":"arn"}"#;
    let claimed = FeedbackRequest::parse(request.as_bytes())
        .and_then(|request| request.into_record(Source::ExplicitApi, NOW))
        .expect("a dislike");
    assert_eq!((claimed.signal, claimed.model_arn), (Signal::Dislike, None));
    let opinion = r#"{"classifier":"news","sentence":"Rates rise","feedback":"accepted"}"#;
    assert!(FeedbackRequest::parse(opinion.as_bytes()).is_err());
}

#[test]
fn feedback_without_an_opinion_is_a_dislike() {
    let record = request(r#"{"classifier":"news","sentence":"Rates rise"}"#)
        .into_record(Source::ExplicitApi, NOW)
        .expect("complete");

    assert_eq!(record.signal, Signal::Dislike);
    assert!(record.signal.needs_review());
}

#[test]
fn a_like_needs_no_review() {
    let record =
        request(r#"{"classifier":"news","sentence":"Rates rise","feedback":"like","label":"Business"}"#)
            .into_record(Source::ExplicitApi, NOW)
            .expect("complete");

    assert!(!record.signal.needs_review());
    assert_eq!(record.suggested_label.as_deref(), Some("Business"));
}

#[test]
fn bad_requests_are_refused_by_field_and_never_quote_the_text() {
    let long = format!(
        r#"{{"classifier":"news","sentence":"{}"}}"#,
        "x".repeat(MAX_UTTERANCE_BYTES + 1)
    );
    let cases = [
        (
            r#"{"sentence":"secret"}"#,
            "field `classifier` is missing or empty",
        ),
        (
            r#"{"classifier":"news","sentence":"  "}"#,
            "field `sentence` is missing or empty",
        ),
        (
            r#"{"classifier":"news","sentence":null}"#,
            "field `sentence` is missing or empty",
        ),
        (
            r#"{"classifier":"news","sentence":"secret","confidence":1.5}"#,
            "field `confidence` must be a number from 0 to 1",
        ),
        (
            long.as_str(),
            "the text is 10001 bytes long; at most 10000 bytes of UTF-8 are accepted",
        ),
    ];
    for (body, message) in cases {
        let error = request(body)
            .into_record(Source::ExplicitApi, NOW)
            .expect_err("bad");
        assert_eq!(error.to_string(), message);
    }
    let error = FeedbackRequest::parse(br#"{"classifier":"news","sentence":"s","feedback":"secret"}"#)
        .expect_err("no such opinion");
    assert!(!error.to_string().contains("secret"), "{error}");
}

proptest! {
    #[test]
    fn every_record_survives_the_wire(
        classifier in "[a-z]{1,20}", utterance in "\\PC{1,200}", confidence in proptest::option::of(0.0f32..=1.0),
        label in proptest::option::of("[A-Z][a-z]{1,9}"), like in any::<bool>(),
    ) {
        prop_assume!(!utterance.trim().is_empty());
        let request = FeedbackRequest {
            classifier, sentence: utterance, confidence, prediction: label.clone(), label,
            feedback: like.then_some(Opinion::Like), ..FeedbackRequest::default()
        };
        let record = request.into_record(Source::ExplicitBatch, NOW).expect("complete");

        let line = record.to_line();

        prop_assert_eq!(line.matches('\n').count(), 1);
        prop_assert_eq!(FeedbackRecord::parse(line.as_bytes()), Ok(record));
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = FeedbackRecord::parse(&bytes);
        let _ = FeedbackRequest::parse(&bytes);
    }
}
