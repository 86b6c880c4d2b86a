//! The built-in encoder against the reference implementation, and folders that are put in its place.

#[path = "folders/bounds.rs"]
mod bounds;
#[path = "folders/layouts.rs"]
mod layouts;
#[path = "../../core/tests/skipped/mod.rs"]
mod skipped;

use std::{borrow::Cow, env, fs, path::Path};

use serde::Deserialize;
use text_encoder::{Encoder, EncoderError, Files, built_in_files, read_folder};

#[derive(Deserialize)]
struct Reference {
    text: String,
    tokens: Vec<u32>,
    vector: Vec<f32>,
}

/// Made by `reference.py`.
fn references() -> Vec<Reference> {
    serde_json::from_str(include_str!("reference.json")).expect("the fixture is valid")
}

fn cosine(left: &[f32], right: &[f32]) -> f32 {
    let dot = |left: &[f32], right: &[f32]| left.iter().zip(right).map(|(a, b)| a * b).sum::<f32>();
    dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()
}

/// The built-in encoder's files with other words in one of them.
fn changed(file: &'static str, from: &str, to: &str) -> Files {
    let mut files = built_in_files();
    let text = std::str::from_utf8(&files[file])
        .expect("a text file")
        .replace(from, to);
    files.insert(file, Cow::Owned(text.into_bytes()));
    files
}

#[test]
fn tokens_are_those_of_the_reference_in_every_script() {
    let encoder = Encoder::built_in();

    for reference in references() {
        assert_eq!(
            encoder.tokens(&reference.text),
            reference.tokens,
            "{}",
            reference.text
        );
    }
}

#[test]
fn vectors_are_those_of_the_reference_but_for_eight_bits() {
    let references = references();
    let texts: Vec<&str> = references
        .iter()
        .map(|reference| reference.text.as_str())
        .collect();

    let vectors = Encoder::built_in().encode(&texts);

    for (reference, vector) in references.iter().zip(&vectors) {
        let cosine = cosine(vector, &reference.vector);
        assert!(cosine >= 0.999, "{cosine} {}", reference.text);
    }
}

#[test]
fn a_text_gets_the_same_vector_alone_and_in_a_batch() {
    let texts = [
        "one text",
        "",
        "another one, which is longer than the first",
        "ok",
    ]
    .repeat(9);
    let encoder = Encoder::built_in();

    let together = encoder.encode(&texts);

    for (text, vector) in texts.iter().zip(&together).take(4) {
        assert_eq!(encoder.encode(&[text])[0], *vector, "{text}");
    }
}

#[test]
fn the_identity_of_the_built_in_encoder_is_that_of_its_files() {
    let encoder = Encoder::from_files(built_in_files()).expect("the files fit together");

    assert_eq!(encoder.identity(), Encoder::built_in_identity());
    assert_eq!((encoder.dimensions(), encoder.max_tokens()), (384, 256));
}

#[test]
fn models_of_the_earlier_rounding_are_served_by_the_built_in_encoder_alone() {
    let before = "14633fc61b438e0c2e0f2832b51caa07691b27d3d341beef4624d1e8af7e4496";
    let built_in = Encoder::built_in();
    let shorter = Encoder::from_files(changed("sentence_bert_config.json", "256", "8")).expect("an encoder");

    assert!(built_in.serves(before) && built_in.serves(built_in.identity()));
    assert_eq!(built_in.earlier().collect::<Vec<_>>(), [before]);
    assert!(!shorter.serves(before) && !shorter.serves(built_in.identity()));
}

#[test]
fn a_folder_in_the_hubs_layout_is_read_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    fs::create_dir(folder.path().join("1_Pooling")).expect("a folder can be made");
    for (name, file) in built_in_files() {
        fs::write(folder.path().join(name), file).expect("a file can be written");
    }

    let files = read_folder(folder.path()).expect("the folder can be read");
    let encoder = Encoder::load(folder.path()).expect("the folder is an encoder");

    assert_eq!(files.len(), built_in_files().len());
    assert_eq!(
        encoder.encode(&["a text"]),
        Encoder::built_in().encode(&["a text"])
    );
}

#[test]
fn other_architectures_are_refused_by_name() {
    let files = changed("config.json", "\"bert\"", "\"mpnet\"");
    let files = {
        let mut files = files;
        let config = String::from_utf8_lossy(&files["config.json"]).replace("BertModel", "MPNetModel");
        files.insert("config.json", Cow::Owned(config.into_bytes()));
        files
    };

    let error = Encoder::from_files(files).expect_err("another architecture");

    assert!(
        matches!(&error, EncoderError::Architecture(name) if name == "MPNetModel"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_followed_is_refused_by_its_name() {
    for (file, from, to, named) in [
        ("config.json", "\"absolute\"", "\"relative_key\"", "relative_key"),
        ("config.json", "\"gelu\"", "\"relu\"", "relu"),
        ("modules.json", "models.Normalize", "models.Dense", "Dense"),
        (
            "1_Pooling/config.json",
            "\"pooling_mode_cls_token\": false",
            "\"pooling_mode_cls_token\": true",
            "cls_token",
        ),
        (
            "config.json",
            "\"hidden_size\": 384",
            "\"hidden_size\": 768",
            "384 columns",
        ),
        (
            "config.json",
            "\"num_hidden_layers\": 6",
            "\"num_hidden_layers\": 7",
            "encoder.layer.6",
        ),
        (
            "config.json",
            "\"intermediate_size\": 1536",
            "\"intermediate_size\": 1536000000000000",
            "1536 rows",
        ),
        (
            "tokenizer.json",
            "\"dowry\":29603",
            "\"dowry\":40602",
            "40603 tokens",
        ),
        (
            "tokenizer.json",
            "\"ids\":[102]",
            "\"ids\":[99999]",
            "100000 tokens",
        ),
        ("tokenizer.json", "\"WordPiece\"", "\"SentencePiece\"", "kind"),
        (
            "tokenizer.json",
            "{\"type\":\"BertPreTokenizer\"}",
            r#"{"type":"Split","pattern":{"Regex":"(a+)+(?!b)"},"behavior":"Isolated","invert":false}"#,
            "its pattern `(a+)+(?!b)`",
        ),
        (
            "config.json",
            "\"max_position_embeddings\": 512",
            "\"max_position_embeddings\": \"x\"",
            "config.json",
        ),
    ] {
        let error = Encoder::from_files(changed(file, from, to)).expect_err(named);

        assert!(error.to_string().contains(named), "{error} lacks {named}");
    }
}

#[test]
fn a_missing_file_is_named() {
    for name in [
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "1_Pooling/config.json",
    ] {
        let mut files = built_in_files();
        files.remove(name);

        let error = Encoder::from_files(files).expect_err(name);

        assert!(
            matches!(&error, EncoderError::Missing(missing) if *missing == name),
            "{error}"
        );
    }
}

#[test]
fn what_to_do_about_a_missing_file_is_said_where_the_hub_has_it_in_another_form() {
    for (name, remedy) in [
        ("model.safetensors", ".save(FOLDER)"),
        ("tokenizer.json", ".save_pretrained(FOLDER)"),
    ] {
        let mut files = built_in_files();
        files.remove(name);

        let error = Encoder::from_files(files).expect_err(name).to_string();

        assert!(error.contains(remedy), "{error}");
    }
}

#[test]
fn a_file_that_was_not_got_whole_is_told_from_one_of_another_form() {
    let weights = &built_in_files()["model.safetensors"];
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90868376\n";
    for (content, named) in [
        (&weights[..weights.len() / 2], "not complete"),
        (&weights[..1_000], "not complete"),
        (&[], "not complete"),
        (&pointer[..], "git lfs pull"),
    ] {
        let mut files = built_in_files();
        files.insert("model.safetensors", Cow::Owned(content.to_vec()));

        let error = Encoder::from_files(files).expect_err(named).to_string();

        assert!(
            error.contains("model.safetensors") && error.contains(named),
            "{error}"
        );
    }
}

#[test]
fn weights_that_another_program_quantised_are_refused_and_not_read_as_they_are() {
    let mut files = built_in_files();
    let mut weights = files["model.safetensors"].to_vec();
    let header: Vec<usize> = (0..100_000)
        .filter(|&at| weights[at..].starts_with(b".scale\""))
        .collect();
    // Their scales have another name; its length is the same.
    for at in &header {
        weights[*at..][..6].copy_from_slice(b".other");
    }
    files.insert("model.safetensors", Cow::Owned(weights));

    let refusal = Encoder::from_files(files).expect_err("no scales").to_string();

    assert!(header.len() > 30, "{}", header.len());
    assert!(
        refusal.contains(
            "is in whole numbers without scales that are known here; save the model in 32 or 16 bits"
        ),
        "{refusal}"
    );
}

#[test]
fn a_decoder_is_refused() {
    let files = changed("config.json", "\"use_cache\": true", "\"is_decoder\": true");

    let refusal = Encoder::from_files(files).expect_err("no encoder").to_string();

    assert!(
        refusal.contains("(is_decoder), which is not supported"),
        "{refusal}"
    );
}

#[test]
fn a_tokenizer_that_marks_neither_start_nor_end_makes_no_vector_of_no_text() {
    let mark = |token: &str| format!(r#"{{"SpecialToken":{{"id":"{token}","type_id":0}}}}"#);
    let text = r#"{"Sequence":{"id":"A","type_id":0}}"#;
    let marked = format!("\"single\":[{},{text},{}]", mark("[CLS]"), mark("[SEP]"));
    let files = changed("tokenizer.json", &marked, &format!("\"single\":[{text}]"));
    let encoder = Encoder::from_files(files).expect("an encoder");

    let vectors = encoder.encode(&["", "a text", " "]);

    assert_eq!(vectors[0], vec![0.0; 384]);
    assert_eq!(vectors[1], encoder.encode(&["a text"])[0]);
    assert_eq!(vectors[2], vectors[0]);
}

#[test]
fn a_tokenizer_that_contradicts_itself_is_refused_and_not_a_panic() {
    let lost = changed(
        "tokenizer.json",
        "\"special_tokens\":{\"[CLS]\"",
        "\"special_tokens\":{\"[OTHER]\"",
    );

    let error = Encoder::from_files(lost).expect_err("it is refused").to_string();

    assert!(
        error.contains("tokenizer.json") && error.contains("contradicts itself"),
        "{error}"
    );
}

#[test]
fn what_is_computed_with_the_weights_changes_the_identity_and_models_of_before_are_served() {
    let tiny = |file: &str, from: &str, to: &str| {
        let mut files = read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tiny"))
            .expect("the folder is there");
        let name = files
            .keys()
            .copied()
            .find(|name| *name == file)
            .expect("it has the file");
        let text = std::str::from_utf8(&files[name]).expect("a text file");
        assert!(text.contains(from), "{text}");
        files.insert(name, Cow::Owned(text.replace(from, to).into_bytes()));
        Encoder::from_files(files)
    };
    let config = |from, to| tiny("config.json", from, to).expect("an encoder");
    let plain = config("\"use_cache\": false", "\"use_cache\": true");
    // What the release before called each of them.
    let earlier = "bb5658d03f9e082439859b05c02ae734c619f7b1b8fee1485bbe0525b14695b4";

    let others = [
        config("\"num_attention_heads\": 3", "\"num_attention_heads\": 4"),
        config("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 1"),
        config("\"layer_norm_eps\": 1e-12", "\"layer_norm_eps\": 1.0"),
    ];
    let no_layer = tiny(
        "config.json",
        "\"num_hidden_layers\": 3",
        "\"num_hidden_layers\": 0",
    );
    let no_length = Encoder::from_files(changed("sentence_bert_config.json", "256", "0"));

    let vector = |encoder: &Encoder| encoder.encode(&["a text"]);
    for (number, other) in others.iter().enumerate() {
        assert_ne!(vector(other), vector(&plain), "{number}");
        assert!(
            !other.serves(plain.identity()) && !plain.serves(other.identity()),
            "{number}"
        );
        assert!(other.serves(earlier), "{number}");
    }
    assert!(plain.serves(plain.identity()) && plain.serves(earlier));
    assert_eq!(
        no_layer.expect_err("no layer").to_string(),
        "the encoder's config.json cannot be used: num_hidden_layers is 0"
    );
    let refusal = no_length.expect_err("no token").to_string();
    assert!(refusal.contains("texts of 0 tokens"), "{refusal}");
}

#[test]
fn settings_of_the_folder_are_followed_and_change_the_identity() {
    let plain = Encoder::built_in();
    let load = |file, from: &str, to: &str| Encoder::from_files(changed(file, from, to)).expect("an encoder");

    let shorter = load("sentence_bert_config.json", "256", "8");
    let first = {
        let file = "1_Pooling/config.json";
        let mut files = changed(
            file,
            "\"pooling_mode_mean_tokens\": true",
            "\"pooling_mode_mean_tokens\": false",
        );
        let pooling = String::from_utf8_lossy(&files[file]).replace(
            "\"pooling_mode_cls_token\": false",
            "\"pooling_mode_cls_token\": true",
        );
        files.insert(file, Cow::Owned(pooling.into_bytes()));
        Encoder::from_files(files).expect("an encoder")
    };
    let prefixed = load(
        "config_sentence_transformers.json",
        "{\n  \"__version__\"",
        r#"{"prompts": {"query": "query: "}, "default_prompt_name": "query", "__version__""#,
    );

    assert_eq!(shorter.tokens(&"word ".repeat(20)).len(), 8);
    assert_eq!(prefixed.tokens("a text"), plain.tokens("query: a text"));
    assert_ne!(first.encode(&["a text"]), plain.encode(&["a text"]));
    for other in [&shorter, &first, &prefixed] {
        assert_ne!(other.identity(), plain.identity());
    }
}

#[test]
fn full_weights_and_pieces_of_words_are_those_of_the_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tiny");
    let encoder = Encoder::load(&folder).expect("the folder is an encoder");
    let references: Vec<Reference> =
        serde_json::from_str(include_str!("tiny/reference.json")).expect("the fixture is valid");

    for reference in references {
        let vector = &encoder.encode(&[&reference.text])[0];

        assert_eq!(
            encoder.tokens(&reference.text),
            reference.tokens,
            "{}",
            reference.text
        );
        let cosine = cosine(vector, &reference.vector);
        assert!(cosine >= 0.999_99, "{cosine} {}", reference.text);
    }
}

/// The weights that the built-in encoder was rounded from are too large for the repository.
#[test]
fn vectors_of_the_original_weights_are_those_of_the_reference() {
    let Ok(folder) = env::var("TEXT_ENCODER_ORIGINAL") else {
        skipped::skipped("TEXT_ENCODER_ORIGINAL does not name the folder of all-MiniLM-L6-v2");
        return;
    };
    let encoder = Encoder::load(Path::new(&folder)).expect("the folder is an encoder");

    for reference in references() {
        let cosine = cosine(&encoder.encode(&[&reference.text])[0], &reference.vector);

        assert!(cosine >= 0.9999, "{cosine} {}", reference.text);
    }
}

/// Multilingual encoders are too large for the repository; multilingual-e5-small is one that should pass.
#[test]
fn a_multilingual_folder_finds_what_means_the_same_in_another_language() {
    let Ok(folder) = env::var("MULTILINGUAL_ENCODER") else {
        skipped::skipped("MULTILINGUAL_ENCODER does not name the folder of a multilingual encoder");
        return;
    };
    let encoder = Encoder::load(Path::new(&folder)).expect("the folder is an encoder");
    let station = [
        "Where is the train station?",
        "Wo ist der Bahnhof?",
        "¿Dónde está la estación de tren?",
        "Где находится вокзал?",
        "火车站在哪里？",
    ];
    let soup = [
        "The soup is too salty.",
        "Die Suppe ist zu salzig.",
        "这汤太咸了。",
    ];

    let station = encoder.encode(&station);
    let soup = encoder.encode(&soup);

    for question in &station {
        let nearest = soup
            .iter()
            .map(|other| cosine(question, other))
            .fold(-1.0, f32::max);
        for same in &station {
            assert!(
                cosine(question, same) > nearest,
                "{} {nearest}",
                cosine(question, same)
            );
        }
    }
}

/// Made by `multilingual.py`, with weights in F16 and in F32.
const MULTILINGUAL: [&str; 2] = [
    "b8522238bbad602edfc4f437d1fcd1d327dbe6fb3d96dca238c58af1d6b6636c",
    "c0c1200b5714c234da4677fbf884c2f9c0301e95a2468b59a7359867b251d49a",
];

#[test]
fn the_folder_made_of_a_package_gives_what_the_packages_own_engine_gives() {
    let Ok(folder) = env::var("MULTILINGUAL_ENCODER") else {
        skipped::skipped("MULTILINGUAL_ENCODER does not name the folder that multilingual.py makes");
        return;
    };
    let encoder = Encoder::load(Path::new(&folder)).expect("the folder is an encoder");
    if !MULTILINGUAL.iter().any(|identity| encoder.serves(identity)) {
        skipped::skipped("MULTILINGUAL_ENCODER names another folder than multilingual.py makes");
        return;
    }
    let references: Vec<Reference> =
        serde_json::from_str(include_str!("multilingual.json")).expect("the fixture is valid");

    for reference in references {
        let vector = &encoder.encode(&[&reference.text])[0];

        assert_eq!(
            encoder.tokens(&reference.text),
            reference.tokens,
            "{}",
            reference.text
        );
        let cosine = cosine(vector, &reference.vector);
        assert!(cosine >= 0.999, "{cosine} {}", reference.text);
    }
}

#[test]
fn maximum_pooling_takes_the_greatest_of_each_value() {
    // No text is two tokens, its start and its end: two ways of pooling say what these are.
    let pooled = |name: &str| {
        let module = |number: usize, path: &str, kind: &str| {
            format!(
                r#"{{"idx":{number},"name":"{number}","path":"{path}","type":"sentence_transformers.models.{kind}"}}"#
            )
        };
        let modules = [module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling")];
        let modules = format!("[{}]", modules.join(","));
        let mut files = built_in_files();
        files.insert("modules.json", Cow::Owned(modules.into_bytes()));
        let pooling = format!(r#"{{"pooling_mode": "{name}"}}"#);
        files.insert("1_Pooling/config.json", Cow::Owned(pooling.into_bytes()));
        let encoder = Encoder::from_files(files).expect("an encoder");
        assert_eq!(encoder.tokens("").len(), 2);
        encoder.encode(&[""]).remove(0)
    };

    let (start, mean, greatest) = (pooled("cls"), pooled("mean"), pooled("max"));

    let mut from_end = 0;
    for ((start, mean), greatest) in start.iter().zip(&mean).zip(&greatest) {
        let end = 2.0 * mean - start;
        from_end += usize::from(end > *start);
        assert!(
            (greatest - start.max(end)).abs() < 1e-4,
            "{start} {end} {greatest}"
        );
    }
    assert!((50..334).contains(&from_end), "{from_end} of {}", greatest.len());
}
