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
    assert!(FeedbackRequest::parse(request.as_bytes()).is_err());
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
        let record = FeedbackRequest::parse(body.as_bytes())
            .and_then(|request| request.into_record(Source::ExplicitApi, NOW));
        let error = record.expect_err("bad");
        assert_eq!(error.to_string(), message);
    }
    let error = FeedbackRequest::parse(br#"{"classifier":"news","sentence":"s","feedback":"secret"}"#)
        .expect_err("no such opinion");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[test]
fn a_field_that_is_unknown_or_of_another_shape_is_refused_by_its_name_and_never_by_its_value() {
    for (fields, message) in [
        (
            r#""Sentence":"secret""#,
            "unknown field `Sentence`: did you mean `sentence`?",
        ),
        (
            r#""sentence":"s","Feedback":"like""#,
            "unknown field `Feedback`: did you mean `feedback`?",
        ),
        (
            r#""sentence":"s","rating":"secret""#,
            "unknown field `rating`: did you mean `feedback`?",
        ),
        (
            r#""sentence":"s","prediction_id":"secret""#,
            "unknown field `prediction_id`: did you mean `predictionId`?",
        ),
        (
            r#""sentence":"s","feedback":"dislike","wrong_label":"secret""#,
            "unknown field `wrong_label`: did you mean `prediction`?",
        ),
        (
            r#""sentence":"s","correctLabel":"secret""#,
            "unknown field `correctLabel`: did you mean `label`?",
        ),
        (
            r#""sentence":"s","labels":["secret","other"]"#,
            "unknown field `labels`: did you mean `label`?",
        ),
        (
            r#""sentence":"s","label":["secret","other"]"#,
            "field `label` must be a text, in which a bar (|) stands between several labels, not an array",
        ),
        (
            r#""sentence":"s","prediction":["secret"]"#,
            "field `prediction` must be a text, in which a bar (|) stands between several labels, not an array",
        ),
        (
            r#""sentence":"s","comment":"secret""#,
            "unknown field `comment`: the fields are `classifier`, `sentence`, `feedback`, `prediction`, `confidence`, \
             `label`, `predictionId`, `user`",
        ),
        (
            r#""sentence":"s","lable":"secret""#,
            "unknown field `lable`: the fields are `classifier`, `sentence`, `feedback`, `prediction`, `confidence`, \
             `label`, `predictionId`, `user`",
        ),
        (
            r#""sentence":"s","a secret that is long":1"#,
            "unknown field (21 bytes, not shown: it may be a text): the fields are `classifier`, `sentence`, `feedback`, `prediction`, \
             `confidence`, `label`, `predictionId`, `user`",
        ),
        (
            r#""sentence":"s","sentence":"t""#,
            "field `sentence` is given more than once",
        ),
        (
            r#""sentence":"s","utterance":"t""#,
            "field `sentence` is given more than once",
        ),
        (
            r#""sentence":["secret"]"#,
            "field `sentence` must be a text, not an array",
        ),
        (
            r#""sentence":"s","label":17"#,
            "field `label` must be a text, not a number",
        ),
        (
            r#""sentence":"s","user":{"secret":1}"#,
            "field `user` must be a text, not an object",
        ),
        (
            r#""sentence":"s","confidence":"secret""#,
            "field `confidence` must be a number from 0 to 1",
        ),
        (
            r#""sentence":"secret \ud800""#,
            "field `sentence` holds half of a surrogate pair (`\\ud800` to `\\udfff` alone), which is no character",
        ),
    ] {
        let error = FeedbackRequest::parse(format!("{{{fields}}}").as_bytes()).expect_err(fields);

        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_field_that_is_null_is_left_out_and_so_no_second_name_of_another() {
    for body in [
        r#"{"sentence":"s","utterance":null}"#,
        r#"{"utterance":null,"sentence":"s","label":null,"label":null}"#,
        r#"{"sentence":null,"utterance":"s"}"#,
    ] {
        let request = FeedbackRequest::parse(body.as_bytes()).expect(body);

        assert_eq!((request.sentence.as_str(), request.label), ("s", None), "{body}");
    }
}

#[test]
fn an_opinion_is_like_or_dislike_and_nothing_that_might_mean_the_opposite() {
    for value in [
        "true",
        "1",
        r#""Like""#,
        r#""LIKE""#,
        r#""👍""#,
        r#""dislikes""#,
        r#""""#,
        "[]",
        "{}",
    ] {
        let body = format!(r#"{{"sentence":"s","feedback":{value}}}"#);

        let error = FeedbackRequest::parse(body.as_bytes()).expect_err(value);

        assert!(
            error
                .to_string()
                .starts_with("field `feedback` must be `like` or `dislike`"),
            "{error}"
        );
    }
    for (field, opinion) in [
        ("", None),
        (r#","feedback":null"#, None),
        (r#","feedback":"like""#, Some(Opinion::Like)),
        (r#","feedback":"dislike""#, Some(Opinion::Dislike)),
    ] {
        assert_eq!(
            request(&format!(r#"{{"sentence":"s"{field}}}"#)).feedback,
            opinion
        );
    }
}

#[test]
fn a_like_with_another_label_than_the_prediction_is_a_contradiction() {
    let refused = |feedback: &str, label: &str| {
        let body = format!(
            r#"{{"classifier":"news","sentence":"s","prediction":"World|Sports","feedback":"{feedback}","label":"{label}"}}"#
        );
        let request = FeedbackRequest::parse(body.as_bytes()).expect("a request");
        request.into_record(Source::ExplicitApi, NOW).err()
    };

    assert_eq!(refused("like", "Business"), Some(InvalidFeedback::Contradiction));
    assert_eq!(refused("like", "World"), Some(InvalidFeedback::Contradiction));
    assert_eq!(refused("like", "sports|World"), None);
    assert_eq!(refused("dislike", "Business"), None);
    assert_eq!(
        refused("dislike", "sports|World"),
        Some(InvalidFeedback::DislikedLabel)
    );
}

#[test]
fn who_gives_the_predicted_label_and_no_opinion_likes_it() {
    let signal = |label: &str| {
        let body =
            format!(r#"{{"classifier":"news","sentence":"s","prediction":"positive","label":"{label}"}}"#);
        let request = FeedbackRequest::parse(body.as_bytes()).expect("a request");
        let record = request.into_record(Source::ExplicitApi, NOW);
        record.expect("a record").signal
    };

    assert_eq!(signal(" Positive"), Signal::Like);
    assert_eq!(signal("negative"), Signal::Dislike);
}

#[test]
fn what_is_no_object_says_what_it_is() {
    for (body, message) in [
        ("7", "not a JSON object, but a number"),
        (r#"["secret"]"#, "not a JSON object, but an array"),
        (r#""secret""#, "not a JSON object, but a text"),
        ("", "not valid JSON: it ends too early (line 1, column 0)"),
        (
            r#"{"sentence":"secret"#,
            "not valid JSON: it ends too early (line 1, column 19)",
        ),
    ] {
        let error = FeedbackRequest::parse(body.as_bytes()).expect_err("no object");

        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_text_of_which_nothing_can_be_seen_is_blank() {
    for text in ["\u{200b}", "\u{feff}\u{200d} ", "\u{1}\u{7f}", "\u{202e}\u{202c}"] {
        let blank = FeedbackRequest {
            classifier: "news".into(),
            sentence: text.into(),
            ..FeedbackRequest::default()
        };

        let refused = blank.into_record(Source::ExplicitApi, NOW);

        assert_eq!(refused, Err(InvalidFeedback::Blank("sentence")));
    }
}

#[test]
fn a_byte_order_mark_is_passed_over_and_another_encoding_is_named() {
    let json = r#"{"classifier": "news", "sentence": "Grüße"}"#;
    let utf_16: Vec<u8> = std::iter::once(0xfeff_u16)
        .chain(json.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let latin_1: Vec<u8> = json.chars().map(|c| c as u8).collect();
    let detail = |body: &[u8]| FeedbackRequest::parse(body).expect_err("no UTF-8").to_string();

    assert!(FeedbackRequest::parse(format!("\u{feff}{json}").as_bytes()).is_ok());
    assert_eq!(detail(&utf_16), "the JSON must be UTF-8, but it is UTF-16");
    assert_eq!(
        detail(&latin_1),
        "the JSON must be UTF-8, but it is in another encoding"
    );
    assert_eq!(
        detail(&[0x1f, 0x8b, 8, 0]),
        "the JSON must be UTF-8, but it is compressed with gzip"
    );
}

#[test]
fn a_request_that_leaves_the_classifier_open_takes_the_default_one() {
    for field in [
        "",
        r#""classifier":"","#,
        r#""classifier":" ","#,
        r#""classifier":null,"#,
    ] {
        let open = request(&format!(r#"{{{field}"sentence":"s"}}"#)).or_classifier("news");

        assert_eq!(open.classifier, "news");
    }
    assert_eq!(
        request(r#"{"classifier":"mail","sentence":"s"}"#)
            .or_classifier("news")
            .classifier,
        "mail"
    );
}

proptest! {
    #[test]
    fn every_record_survives_the_wire(
        classifier in "[a-z]{1,20}", utterance in "\\PC{1,200}", confidence in proptest::option::of(0.0f32..=1.0),
        label in proptest::option::of("[A-Z][a-z]{1,9}"), like in any::<bool>(),
    ) {
        prop_assume!(!crate::text::is_blank(&utterance));
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

#[test]
fn a_record_whose_text_stands_under_the_name_of_a_request_says_so() {
    for name in ["sentence", "text", "Utterance"] {
        let line = format!("{{\"classifier\": \"news\", \"{name}\": \"Rates rise\"}}");

        let refused = FeedbackRecord::parse_strictly(line.as_bytes()).expect_err("no record");

        assert_eq!(
            refused.to_string(),
            format!("unknown field `{name}`: did you mean `utterance`?")
        );
    }
    let nothing = FeedbackRecord::parse_strictly(b"{\"classifier\": \"news\"}").expect_err("no text");
    assert_eq!(nothing.to_string(), "field `utterance` is missing or empty");
}
