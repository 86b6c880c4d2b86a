//! What a folder may ask for, so that a text never takes memory or time without end.

use std::borrow::Cow;

use text_encoder::{Encoder, Files, built_in_files};

use crate::changed;

/// The tokenizer of the built-in encoder with another part.
fn with_part(name: &str, part: &serde_json::Value) -> Files {
    let mut files = built_in_files();
    let mut tokenizer: serde_json::Value =
        serde_json::from_slice(&files["tokenizer.json"]).expect("the file is JSON");
    tokenizer[name] = part.clone();
    files.insert("tokenizer.json", Cow::Owned(tokenizer.to_string().into_bytes()));
    files
}

/// Of a text that is cut off, the `tokenizers` library would make 2^40 combinations of its parts.
#[test]
fn a_template_that_repeats_the_text_is_refused() {
    let text = serde_json::json!({"Sequence": {"id": "A", "type_id": 0}});
    for count in [0, 2, 40] {
        let template = serde_json::json!({
            "type": "TemplateProcessing", "single": vec![&text; count], "pair": [], "special_tokens": {},
        });
        let nested = serde_json::json!({"type": "Sequence", "processors": [template.clone()]});
        for part in [template, nested] {
            let error = Encoder::from_files(with_part("post_processor", &part)).expect_err("it is refused");

            assert!(
                error.to_string().contains("does not put a text there once"),
                "{error}"
            );
        }
    }
}

#[test]
fn a_text_that_is_cut_off_keeps_the_mark_of_its_end() {
    let shorter = Encoder::from_files(changed("sentence_bert_config.json", "256", "8")).expect("an encoder");

    let tokens = shorter.tokens(&"word ".repeat(500));

    assert_eq!(tokens, [101, 2773, 2773, 2773, 2773, 2773, 2773, 102]);
}

#[test]
fn marks_that_leave_no_token_for_the_text_are_refused() {
    let mark = serde_json::json!({"SpecialToken": {"id": "[CLS]", "type_id": 0}});
    let mut single = vec![mark; 300];
    single.push(serde_json::json!({"Sequence": {"id": "A", "type_id": 0}}));
    let template = serde_json::json!({
        "type": "TemplateProcessing", "single": single, "pair": [],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [101], "tokens": ["[CLS]"]}},
    });

    let error = Encoder::from_files(with_part("post_processor", &template)).expect_err("it is refused");

    assert!(
        error
            .to_string()
            .contains("adds 300 tokens to a text, of which 256 count"),
        "{error}"
    );
}

#[test]
fn tokenizers_that_make_a_text_grow_without_end_are_refused() {
    let double = serde_json::json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
    let between =
        serde_json::json!({"type": "Replace", "pattern": {"Regex": "x*"}, "content": "x".repeat(900)});
    let long = serde_json::json!({"type": "Prepend", "prepend": "x".repeat(5_000)});
    let bytes = serde_json::json!({"type": "ByteLevel"});
    let lower = serde_json::json!({"type": "Lowercase"});
    let sequence = |step: &serde_json::Value, count| serde_json::json!({"type": "Sequence", "normalizers": vec![step; count]});
    let nested = serde_json::json!({"type": "Sequence", "normalizers": vec![sequence(&double, 8); 4]});
    for (normalizer, named) in [
        (sequence(&double, 30), "1073741824 times"),
        (nested, "4294967296 times"),
        (sequence(&between, 2), "811801 times"),
        (sequence(&bytes, 20), "1048576 times"),
        (sequence(&lower, 65), "65 normalizers"),
        (long, "5000 bytes"),
    ] {
        let error = Encoder::from_files(with_part("normalizer", &normalizer)).expect_err(named);

        assert!(error.to_string().contains(named), "{error} lacks {named}");
    }
}

/// model2vec puts spaces around each mark by a step of its own, and so do its newer models, such as potion-multilingual.
#[test]
fn a_tokenizer_that_sets_each_mark_apart_as_model2vec_does_is_read() {
    let apart = |mark: char| serde_json::json!({"type": "Replace", "pattern": {"String": mark.to_string()}, "content": format!(" {mark} ")});
    let before = serde_json::json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
        "strip_accents": null, "lowercase": true});
    let marks = (0_u8..128).map(char::from).filter(char::is_ascii_punctuation);
    let spaces = serde_json::json!({"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "});
    let strip = serde_json::json!({"type": "Strip", "strip_left": false, "strip_right": true});
    let steps: Vec<serde_json::Value> = [before]
        .into_iter()
        .chain(marks.map(apart))
        .chain([spaces, strip])
        .collect();
    assert_eq!(steps.len(), 35);
    let normalizer = serde_json::json!({"type": "Sequence", "normalizers": steps});

    let encoder = Encoder::from_files(with_part("normalizer", &normalizer)).expect("an encoder");

    let plain = Encoder::from_files(built_in_files()).expect("an encoder");
    assert_eq!(encoder.tokens("R&D, now!"), plain.tokens("r & d , now !"));
}

#[test]
fn steps_that_make_each_others_marks_grow_are_refused() {
    let into = |from: &str, to: &str| serde_json::json!({"type": "Replace", "pattern": {"String": from}, "content": to.repeat(20)});
    let normalizer = serde_json::json!({"type": "Sequence", "normalizers": [
        into("a", "b"), into("b", "c"), into("c", "d"),
    ]});

    let error = Encoder::from_files(with_part("normalizer", &normalizer)).expect_err("it is refused");

    assert!(error.to_string().contains("8000 times"), "{error}");
}

#[test]
fn models_that_look_words_up_for_hours_or_by_chance_are_refused() {
    let long = changed(
        "tokenizer.json",
        "\"max_input_chars_per_word\":100",
        "\"max_input_chars_per_word\":1000000",
    );
    let prefix = changed("tokenizer.json", "\"##\"", &format!("\"{}\"", "#".repeat(2_000)));
    let dropout = with_part(
        "model",
        &serde_json::json!({"type": "BPE", "dropout": 0.5, "unk_token": "a", "vocab": {"a": 0}, "merges": []}),
    );
    for (files, named) in [
        (long, "1000000"),
        (prefix, "2000 bytes"),
        (dropout, "dropout 0.5"),
    ] {
        let error = Encoder::from_files(files).expect_err(named);

        assert!(error.to_string().contains(named), "{error} lacks {named}");
    }
}

#[test]
fn a_prompt_longer_than_what_counts_is_refused() {
    let prompt = "x".repeat(256 * 40 + 1);
    let files = changed(
        "config_sentence_transformers.json",
        "{\n  \"__version__\"",
        &format!(r#"{{"prompts": {{"q": "{prompt}"}}, "default_prompt_name": "q", "__version__""#),
    );

    let error = Encoder::from_files(files).expect_err("it is refused").to_string();

    assert!(
        error.contains("has 10241 characters; no more than 10240"),
        "{error}"
    );
}

#[test]
fn a_prompt_that_pooling_leaves_out_is_refused() {
    let mut files = changed(
        "config_sentence_transformers.json",
        "{\n  \"__version__\"",
        r#"{"prompts": {"q": "query: "}, "default_prompt_name": "q", "__version__""#,
    );
    let pooling = br#"{"pooling_mode_mean_tokens": true, "include_prompt": false}"#;
    files.insert("1_Pooling/config.json", Cow::Borrowed(pooling));

    let error = Encoder::from_files(files).expect_err("it is refused").to_string();

    assert!(error.contains("without the tokens of the prompt"), "{error}");
}
