//! Folders of sentence encoders.

use std::borrow::Cow;

use fuzz::{corpus, fuzz};
use text_encoder::{Encoder, FILES, Files};

/// Between two files; none of them holds it.
const MARK: &[u8] = b"\x1e\x1e\n";

/// The order of the files in an input: the large one is the last.
fn names() -> impl Iterator<Item = &'static str> {
    let is_large = |name: &&str| name.ends_with(".safetensors");
    let small = FILES.into_iter().filter(move |name| !is_large(name));
    small.chain(FILES.into_iter().filter(is_large))
}

/// Writes the files of a folder one after the other.
fn joined(files: &[(&str, &[u8])]) -> Vec<u8> {
    let file = |name| {
        files
            .iter()
            .find(|(other, _)| *other == name)
            .map_or(&b""[..], |(_, file)| file)
    };
    names().map(file).collect::<Vec<_>>().join(MARK)
}

/// Reads them again; an empty one is not there.
fn files(mut bytes: &[u8]) -> Files {
    let mut files = Files::new();
    for name in names() {
        let end = bytes.windows(MARK.len()).position(|window| window == MARK);
        let (file, rest) = match end {
            Some(end) => (&bytes[..end], &bytes[end + MARK.len()..]),
            None => (bytes, &b""[..]),
        };
        if !file.is_empty() {
            files.insert(name, Cow::Owned(file.to_vec()));
        }
        bytes = rest;
    }
    files
}

/// A BERT of one layer with two values a token, and a static model of two tokens.
fn seeds() -> [Vec<u8>; 2] {
    let tokenizer = br#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{"id":0,"content":"[UNK]",
        "single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],"normalizer":{"type":"Lowercase"},
        "pre_tokenizer":{"type":"Whitespace"},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[UNK]",
        "type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B",
        "type_id":0}}],"special_tokens":{"[UNK]":{"id":"[UNK]","ids":[0],"tokens":["[UNK]"]}}},"decoder":null,
        "model":{"type":"WordLevel","vocab":{"[UNK]":0,"one":1},"unk_token":"[UNK]"}}"#;
    let layer = "encoder.layer.0.";
    let mut tensors: Vec<(String, Vec<usize>)> = Vec::new();
    for (name, rows) in [("word", 2), ("position", 4), ("token_type", 1)] {
        tensors.push((format!("embeddings.{name}_embeddings.weight"), vec![rows, 2]));
    }
    for (name, rows, columns) in [
        ("attention.self.query", 2, 2),
        ("attention.self.key", 2, 2),
        ("attention.self.value", 2, 2),
        ("attention.output.dense", 2, 2),
        ("intermediate.dense", 3, 2),
        ("output.dense", 2, 3),
    ] {
        tensors.push((format!("{layer}{name}.weight"), vec![rows, columns]));
        tensors.push((format!("{layer}{name}.bias"), vec![rows]));
    }
    for name in ["attention.output.LayerNorm", "output.LayerNorm"] {
        let name = format!("{layer}{name}");
        tensors.extend(["weight", "bias"].map(|part| (format!("{name}.{part}"), vec![2])));
    }
    let norm = ["weight", "bias"].map(|part| (format!("embeddings.LayerNorm.{part}"), vec![2]));
    tensors.extend(norm);
    let bert = joined(&[
        (
            "config.json",
            br#"{"model_type":"bert","hidden_size":2,"num_attention_heads":1,"num_hidden_layers":1,"intermediate_size":3,
                "max_position_embeddings":4,"hidden_act":"gelu","layer_norm_eps":1e-12}"#,
        ),
        ("tokenizer.json", tokenizer),
        ("model.safetensors", &safetensors(&tensors)),
        (
            "modules.json",
            br#"[{"type":"sentence_transformers.models.Transformer","path":""},{"type":"x.Pooling","path":"1_Pooling"},
                {"type":"x.Normalize","path":"2_Normalize"}]"#,
        ),
        ("1_Pooling/config.json", br#"{"pooling_mode_mean_tokens":true,"pooling_mode_cls_token":false}"#),
        ("sentence_bert_config.json", br#"{"max_seq_length":4,"do_lower_case":true}"#),
        ("config_sentence_transformers.json", br#"{"prompts":{"q":"one: "},"default_prompt_name":"q"}"#),
        ("tokenizer_config.json", br#"{"model_max_length":1e30}"#),
    ]);
    let model = safetensors(&[
        ("embeddings".to_owned(), vec![2, 2]),
        ("weights".to_owned(), vec![2]),
        ("mapping".to_owned(), vec![2]),
    ]);
    let fixed = joined(&[
        (
            "config.json",
            br#"{"model_type":"model2vec","architectures":["StaticModel"],"normalize":true}"#,
        ),
        ("tokenizer.json", tokenizer),
        ("model.safetensors", &model),
    ]);
    [bert, fixed]
}

/// Writes tensors of numbers that are not all the same; those of a mapping name vectors.
fn safetensors(tensors: &[(String, Vec<usize>)]) -> Vec<u8> {
    use safetensors::{Dtype, tensor::TensorView};

    let numbers: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(name, shape)| {
            let count = shape.iter().product::<usize>();
            let step = if name == "mapping" { 1.0 } else { 0.5 };
            (0..count)
                .flat_map(|number| (number as f32 * step).to_le_bytes())
                .collect()
        })
        .collect();
    let views = tensors.iter().zip(&numbers).map(|((name, shape), numbers)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), numbers);
        (name, view.expect("the shape fits"))
    });
    safetensors::serialize(views, None).expect("tensors can be written")
}

#[test]
fn a_folder_is_refused_or_makes_vectors_of_its_length() {
    let encoders = seeds();
    for seed in &encoders {
        Encoder::from_files(files(seed)).expect("the seeds are encoders");
    }
    // Once took all memory: of a text that was cut off, every combination of its parts was made.
    let text = br#"{"Sequence":{"id":"A","type_id":0}},"#;
    let bert = &encoders[0];
    let place = bert
        .windows(text.len() - 1)
        .position(|part| part == &text[..text.len() - 1]);
    let mut repeated = bert.clone();
    let place = place.expect("the template puts the text there");
    repeated.splice(place..place, text.repeat(40));
    fuzz(corpus(encoders.into_iter().chain([repeated])), |bytes| {
        if let Ok(encoder) = Encoder::from_files(files(bytes)) {
            for vector in encoder.encode(&["one two", "", "One"]) {
                assert_eq!(vector.len(), encoder.dimensions());
            }
        }
    });
}
