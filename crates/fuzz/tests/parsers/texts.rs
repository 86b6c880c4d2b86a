//! What is imported, predicted, labelled and answered.

use std::collections::HashSet;
use std::ops::ControlFlow;

use active_learning_core::{
    MAX_UTTERANCE_BYTES,
    feedback::{FeedbackRecord, FeedbackRequest, Source, hosted_model},
    labels::{
        human_loop::HumanLoopOutput,
        label_key::label_key,
        label_set::{LabelSet, Resolution},
    },
    text::{normal_form, personal_data},
};
use fuzz::fuzz;
use human_review::{answer::read_answer, form::read_form, labelling_jobs::manifest};
use text_import::feedback;
use text_model::{Model, TrainingSet};

const TABLES: &[&[u8]] = &[
    b"text,label\none,A\n\"two, three\",B\nfour,\"A|B\"\n",
    "Nachricht;Kategorie;Nr.\r\nWo ist mein Paket?;Lieferung;1\r\n\"Zu \"\"viel\"\" abgebucht\";Rechnung;2\r\n".as_bytes(),
    b"{\"text\": \"one\", \"label\": [\"A\", \"B\"]}\n{\"text\": \"two\", \"label\": null}\n",
    b"[{\"text\": \"one\", \"label\": \"A\"}, {\"text\": \"two\"}]",
    b"\xff\xfet\0e\0x\0t\0\n\0o\0n\0e\0\n\0",
    b"sep=;\ntext;label\na;b\n",
    b"__label__A one two\n__label__B three\n",
    // A label of control characters alone.
    b"text,label\none,\x01\ntwo,A\n",
    b"[{\"id\": 1, \"data\": {\"text\": \"one\"}, \"annotations\": [{\"result\": [{\"type\": \"choices\", \"value\": {\"choices\": [\"A\"]}}]}]}]",
];

#[test]
fn whatever_is_imported_is_a_text_of_bounded_length_in_a_line_of_the_file() {
    fuzz(TABLES, |bytes| {
        let Ok(import) = text_import::read(bytes, &text_import::Options::default()) else {
            return;
        };
        for row in &import.rows {
            assert!(!row.text.trim().is_empty() && row.text.len() <= MAX_UTTERANCE_BYTES);
            assert!(row.line > 0);
            assert!(
                row.votes
                    .iter()
                    .all(|vote| vote.labels.iter().all(|label| !label.trim().is_empty()))
            );
        }
    });
}

const BATCHES: &[&[u8]] = &[
    b"{\"sentence\": \"one\", \"feedback\": \"dislike\", \"label\": \"A\"}\n{\"sentence\": \"two\"}\n",
    b"{\"classifier\": \"news\", \"sentences\": [\"one\", {\"sentence\": \"two\", \"user\": \"u\"}]}",
    b"sentence,label,prediction\none,A,B\n\"two, three\",,\n",
    b"one line\nanother one\n",
    b"[\"one\", \"two\"]",
];

#[test]
fn every_item_of_a_batch_is_a_request_that_can_be_stored_or_has_a_reason() {
    fuzz(BATCHES, |bytes| {
        let whole = match feedback::whole(bytes).expect("nothing is fetched") {
            Ok(whole) => whole,
            Err(reason) => return assert!(!reason.is_empty()),
        };
        let mut numbers = Vec::new();
        let mut take = |item: feedback::Item| {
            numbers.push(item.number);
            match item.content {
                Ok(request) => {
                    let record = request
                        .or_classifier("news")
                        .into_record(Source::ExplicitBatch, "2026-11-20T10:00:00.000Z");
                    let record = record.map(|record| record.to_line());
                    if let Ok(line) = record {
                        assert!(
                            FeedbackRecord::parse(line.trim_end().as_bytes()).is_ok(),
                            "{line}"
                        );
                    }
                }
                Err(reason) => assert!(!reason.is_empty()),
            }
            ControlFlow::Continue(())
        };
        feedback::read(bytes, &whole, "news", &mut take).expect("nothing is fetched");

        assert!(numbers.is_sorted(), "{numbers:?}");
    });
}

#[test]
fn a_request_that_is_taken_is_taken_again_as_it_is_written() {
    const REQUESTS: &[&[u8]] = &[
        b"{\"classifier\": \"news\", \"sentence\": \"one\", \"feedback\": \"like\", \"prediction\": \"A\", \"confidence\": 0.5}",
        b"{\"utterance\": \"one\", \"label\": \"A\", \"predictionId\": \"p\", \"user\": \"u\"}",
    ];
    fuzz(REQUESTS, |bytes| {
        if let Ok(request) = FeedbackRequest::parse(bytes) {
            let written = serde_json::to_vec(&request).expect("JSON");

            assert_eq!(FeedbackRequest::parse(&written).as_ref(), Ok(&request));
        }
    });
}

#[test]
fn an_output_names_each_of_its_records_once_at_most() {
    const OUTPUTS: &[&[u8]] = &[br#"{"flowDefinitionArn":"arn:aws:sagemaker:us-east-1:123456789012:flow-definition/f",
        "humanLoopName":"tc-1","inputContent":{"comprehendPredictions":[{"id":"0123456789abcdef0123456789abcdef",
        "schemaVersion":1,"utterance":"one","classifier":"news","prediction":"A","confidence":0.4,"signal":"low-confidence",
        "source":"implicit","receivedAt":"2026-11-20T10:00:00.000Z"}],"labels":["A","B"]},
        "humanAnswers":[{"answerContent":{"0123456789abcdef0123456789abcdef":"A"},"submissionTime":"2026-11-20T10:00:00.000Z",
        "timeSpentInSeconds":1.5,"workerId":"w"}]}"#];
    assert!(HumanLoopOutput::parse(OUTPUTS[0]).is_ok_and(|output| !output.reviewed().is_empty()));
    fuzz(OUTPUTS, |bytes| {
        if let Ok(output) = HumanLoopOutput::parse(bytes) {
            let reviewed = output.reviewed();
            let workers = output.answers.len();

            assert!(reviewed.iter().all(|item| item.votes.len() <= workers));
            output.unmatched_fields();
            output.unusable_items();
        }
    });
}

#[test]
fn names_of_one_key_are_one_label_and_a_set_is_read_as_it_is_written() {
    const SETS: &[&[u8]] = &[br#"{"schemaVersion":1,"version":3,"origin":"edited","updatedAt":"2026-11-01T00:00:00.000Z",
        "labels":[{"name":"Billing","synonyms":["Invoice"],"description":"d"},{"name":"C#"},{"name":"F & A"}]}"#];
    assert!(LabelSet::parse(SETS[0]).is_ok());
    fuzz(SETS, |bytes| {
        let Ok(set) = LabelSet::parse(bytes) else { return };
        let names: Vec<&str> = set.active().collect();
        let keys: HashSet<String> = names.iter().map(|name| label_key(name)).collect();

        assert_eq!(keys.len(), names.len());
        for name in names {
            assert!(
                matches!(set.resolve(name), Resolution::Label(label) if label == name),
                "{name:?}"
            );
            assert_eq!(label_key(&label_key(name)), label_key(name));
        }
        assert_eq!(LabelSet::parse(&set.to_json()).ok(), Some(set));
    });
}

#[test]
fn masking_finds_nothing_in_what_it_has_masked_and_leaves_the_rest() {
    const TEXTS: &[&[u8]] = &[
        b"write to jane@example.com or +49 30 1234567, IBAN DE89 3704 0044 0532 0130 00",
        b"card 4111 1111 1111 1111 12/27 from 203.0.113.7 and 2001:db8::8a2e:370:7334",
        "＋４９ １７０ １２３４５６７, 06.12.34.56.78; us\u{200b}er@example.com".as_bytes(),
    ];
    fuzz(TEXTS, |bytes| {
        // Longer texts are refused before.
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_UTTERANCE_BYTES)]);
        let found = personal_data::find(&text);

        assert!(found.is_sorted_by(|one, next| one.end <= next.begin));
        assert!(found.iter().all(|found| {
            text.get(found.begin..found.end)
                .is_some_and(|piece| !piece.is_empty())
        }));
        normal_form(&text);
    });
}

#[test]
fn the_classes_of_a_hosted_model_have_probabilities() {
    const ANSWERS: &[&[u8]] = &[
        br#"[[{"label":"A","score":0.9},{"label":"B","score":0.1}]]"#,
        br#"{"predicted_label":"A","probabilities":[0.2,0.8],"labels":["B","A"]}"#,
        br#"{"labels":["A","B"],"scores":[0.7,0.3],"sequence":"s"}"#,
    ];
    fuzz(ANSWERS, |bytes| {
        if let Ok(classes) = hosted_model::read_answer(bytes, None) {
            assert!(!classes.is_empty());
            assert!(
                classes.iter().all(|class| (0.0..=1.0).contains(&class.score)),
                "{classes:?}"
            );
        }
    });
}

#[test]
fn lines_of_a_manifest_lie_within_it_and_each_is_read_again() {
    const MANIFESTS: &[&[u8]] = &[
        b"{\"source\": \"one\", \"id\": 1.10}\n{\"source-ref\": \"s3://b/k\", \"topic\": 0, \"topic-metadata\": {\"class-name\": \"A\"}}\n",
    ];
    fuzz(MANIFESTS, |bytes| {
        let Ok(lines) = manifest::check(bytes, |_, _| {}) else {
            return;
        };
        for line in lines {
            let read = manifest::parse(&bytes[line]).expect("it was read before");
            let written = manifest::output_line(&read, &serde_json::Map::new());

            assert!(manifest::parse(written.as_bytes()).is_ok(), "{written}");
        }
    });
}

#[test]
fn pages_and_answers_of_reviewers_are_read_without_harm() {
    const PAGES: &[&[u8]] = &[
        b"<crowd-form><crowd-classifier name=\"category\" categories=\"['A', 'B']\"><classification-target>x</classification-target></crowd-classifier></crowd-form>",
        b"<form><select name=\"0\"><option value=\"A\">A</option></select><input type=\"radio\" name=\"r\" value=\"B\" checked></form>",
    ];
    fuzz(PAGES, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        read_form(&text);
        let fields = text
            .split('&')
            .map(|field| field.split_once('=').unwrap_or((field, "")));
        let fields: Vec<(String, String)> = fields
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        drop(read_answer(&fields));
    });
}

#[test]
fn training_files_and_model_files_are_read_or_refused() {
    const FILES: &[&[u8]] = &[b"A,one\nB,\"two, three\"\nA,four\nB,five\n"];
    fuzz(FILES, |bytes| {
        if let Ok(set) = TrainingSet::read_csv(bytes) {
            assert!(!set.is_empty());
        }
        assert!(Model::from_bytes(bytes).is_err());
    });
}
