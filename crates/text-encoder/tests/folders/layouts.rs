//! Folders of other layouts, and other kinds of numbers.

use std::{borrow::Cow, path::Path};

use text_encoder::{Encoder, Files, built_in_files, read_folder};

use crate::cosine;

#[test]
fn ways_of_pooling_that_are_not_run_are_named() {
    for (pooling, named) in [
        (r#"{"pooling_mode": "lasttoken"}"#, "pooling by lasttoken"),
        (
            r#"{"pooling_mode_lasttoken": true, "pooling_mode_mean_tokens": false}"#,
            "pooling by lasttoken",
        ),
        (
            r#"{"pooling_mode_weightedmean_tokens": true}"#,
            "weightedmean_tokens",
        ),
        (
            r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}"#,
            r#"["cls_token", "mean_tokens"]"#,
        ),
        ("{}", "pooling by []"),
    ] {
        let mut files = built_in_files();
        files.insert("1_Pooling/config.json", Cow::Borrowed(pooling.as_bytes()));

        let error = Encoder::from_files(files).expect_err(named).to_string();

        assert!(error.contains(named), "{error} lacks {named}");
    }
}

/// The files of the small folder with its weights written by another kind of numbers.
fn tiny_in(kind: safetensors::Dtype, number: impl Fn(f32) -> Vec<u8>) -> Files {
    use safetensors::{SafeTensors, tensor::TensorView};

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tiny");
    let mut files = read_folder(&folder).expect("the folder can be read");
    let read = SafeTensors::deserialize(&files["model.safetensors"]).expect("the weights can be read");
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = read
        .iter()
        .map(|(name, tensor)| {
            assert_eq!(tensor.dtype(), safetensors::Dtype::F32, "{name}");
            let numbers = tensor.data().as_chunks::<4>().0.iter();
            let numbers = numbers.flat_map(|bytes| number(f32::from_le_bytes(*bytes)));
            (name.to_owned(), tensor.shape().to_vec(), numbers.collect())
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, numbers)| {
        let view = TensorView::new(kind, shape.clone(), numbers);
        (name, view.expect("the shape fits"))
    });
    let written = safetensors::serialize(views, None).expect("tensors can be written");
    files.insert("model.safetensors", Cow::Owned(written));
    files
}

#[test]
fn weights_in_half_and_double_precision_give_the_same_vectors() {
    use safetensors::Dtype;

    let half = |value: f32| {
        let bits = value.to_bits();
        let exponent = (bits >> 23 & 0xff) as i32 - 127 + 15;
        assert!(exponent < 31, "{value}");
        let magnitude = if exponent > 0 {
            (exponent as u32) << 10 | bits >> 13 & 0x3ff
        } else {
            0
        };
        ((bits >> 16 & 0x8000 | magnitude) as u16).to_le_bytes().to_vec()
    };
    let brain = |value: f32| value.to_le_bytes()[2..].to_vec();
    let double = |value: f32| f64::from(value).to_le_bytes().to_vec();
    let text = ["great work on a rainy day"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tiny");
    let single = Encoder::load(&folder)
        .expect("an encoder")
        .encode(&text)
        .remove(0);

    for (files, least) in [
        (tiny_in(Dtype::F16, half), 0.999_9),
        (tiny_in(Dtype::BF16, brain), 0.99),
        (tiny_in(Dtype::F64, double), 0.999_999),
    ] {
        let vector = Encoder::from_files(files)
            .expect("an encoder")
            .encode(&text)
            .remove(0);

        let cosine = cosine(&vector, &single);
        assert!(cosine >= least, "{cosine} {least}");
    }
}

#[test]
fn a_static_embedding_of_sentence_transformers_is_read_in_both_its_layouts() {
    let tokens = 30_522;
    let embeddings: Vec<u8> = (0..tokens)
        .flat_map(|token| [token as f32, 1.0])
        .flat_map(f32::to_le_bytes)
        .collect();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![tokens, 2], &embeddings);
    let weights = [("embedding.weight", view.expect("the shape fits"))];
    let weights = safetensors::serialize(weights, None).expect("tensors can be written");
    let tokenizer = built_in_files()["tokenizer.json"].clone();
    let modules = |path: &str| {
        format!(
            r#"[{{"idx":0,"name":"0","path":"{path}","type":"sentence_transformers.models.StaticEmbedding"}}]"#
        )
    };
    for (path, in_path) in [
        ("", ["tokenizer.json", "model.safetensors"]),
        (
            "0_StaticEmbedding",
            [
                "0_StaticEmbedding/tokenizer.json",
                "0_StaticEmbedding/model.safetensors",
            ],
        ),
    ] {
        let [tokenizer_path, weights_path] = in_path;
        let files = Files::from([
            ("modules.json", Cow::Owned(modules(path).into_bytes())),
            (tokenizer_path, tokenizer.clone()),
            (weights_path, Cow::Owned(weights.clone())),
        ]);

        let encoder = Encoder::from_files(files).expect("a static model");

        // What the vocabulary lacks counts, as in the reference; so does every token of a long text.
        assert_eq!(encoder.tokens("great work 👍"), [2_307, 2_147, 100]);
        assert_eq!(encoder.encode(&["great work 👍"]), [[4_554.0 / 3.0, 1.0]]);
        assert_eq!(encoder.tokens(&"great ".repeat(3_000)).len(), 3_000);
    }
}

#[test]
fn a_folder_without_a_config_is_told_where_it_belongs() {
    let mut files = built_in_files();
    files.remove("config.json");

    let error = Encoder::from_files(files).expect_err("it is refused").to_string();

    assert!(
        error.contains("no config.json; a model in a folder of its own, such as 0_Transformer"),
        "{error}"
    );
}

#[test]
fn a_static_model_reads_the_vectors_that_its_mapping_names() {
    // Three vectors; of the two tokens, 2307 has the last one and 2147 the middle one.
    let vectors = [[9.0_f32, 9.0], [1.0, -2.0], [5.0, 4.0]];
    let of_token = |token: i64| match token {
        2_307 => 2_i64,
        2_147 => 1,
        _ => 0,
    };
    let embeddings = vectors.iter().flatten().flat_map(|value| value.to_le_bytes());
    let mapping = (0..30_522).flat_map(|token| of_token(token).to_le_bytes());
    let data: Vec<u8> = embeddings.chain(mapping).collect();
    let header = format!(
        r#"{{"embeddings":{{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]}},
            "mapping":{{"dtype":"I64","shape":[30522],"data_offsets":[24,{}]}}}}"#,
        data.len()
    );
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat();

    let encoder = Encoder::from_files(static_files(file)).expect("a static model");

    assert_eq!(encoder.tokens("great work"), [2_307, 2_147]);
    assert_eq!(encoder.encode(&["great work", "great"]), [[3.0, 1.0], [5.0, 4.0]]);
}

#[test]
fn a_static_model_gives_the_weighted_mean_of_its_tokens() {
    let tokens = 30_522;
    let embeddings: Vec<f32> = (0..tokens).flat_map(|token| [token as f32, 1.0]).collect();
    let weights: Vec<f32> = (0..tokens)
        .map(|token| if token == 2_307 { 3.0 } else { 1.0 })
        .collect();
    let files = static_files(safetensors(&embeddings, &weights));

    let encoder = Encoder::from_files(files).expect("a static model");

    // Two tokens, 2307 and 2147; no marks of start and end, nothing of what the vocabulary lacks.
    assert_eq!(encoder.tokens("great work 👍"), [2_307, 2_147]);
    assert_eq!(
        encoder.encode(&["great work 👍", ""]),
        [vec![(3.0 * 2_307.0 + 2_147.0) / 2.0, 2.0], vec![0.0, 0.0]]
    );
}

/// The files of a static model with these weights and the tokens of the built-in encoder.
fn static_files(weights: Vec<u8>) -> Files {
    let mut files = built_in_files();
    files.insert("model.safetensors", Cow::Owned(weights));
    files.insert(
        "config.json",
        Cow::Borrowed(br#"{"model_type": "model2vec", "normalize": false}"#),
    );
    for name in ["modules.json", "1_Pooling/config.json"] {
        files.remove(name);
    }
    files
}

fn safetensors(embeddings: &[f32], weights: &[f32]) -> Vec<u8> {
    let (first, all) = (4 * embeddings.len(), 4 * (embeddings.len() + weights.len()));
    let rows = weights.len();
    let header = format!(
        r#"{{"embeddings":{{"dtype":"F32","shape":[{rows},2],"data_offsets":[0,{first}]}},
            "weights":{{"dtype":"F32","shape":[{rows}],"data_offsets":[{first},{all}]}}}}"#
    );
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend(
        embeddings
            .iter()
            .chain(weights)
            .flat_map(|value| value.to_le_bytes()),
    );
    file
}
