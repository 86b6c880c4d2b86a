//! Personal data: masked before a text is stored, through the whole stack.

use std::{io::Read, path::Path};

use aws_sdk_s3::Client;
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};

use crate::{
    harness::{self, until},
    new_models::{BY_HAND, Stack, news},
};

/// The buckets of a stack that hold what people said.
const BUCKETS: [&str; 4] = [
    "BatchUploadS3Bucket",
    "FeedbackS3Bucket",
    "ReviewS3Bucket",
    "TrainingS3Bucket",
];

/// Returns the keys of all objects that hold a text, also compressed ones, or whose keys do.
pub async fn objects_with(stack: &Stack, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for output in BUCKETS {
        let bucket = stack.outputs.output(output);
        for key in keys(&stack.s3, bucket).await {
            let bytes = content(&stack.s3, bucket, &key).await;
            let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
            let mut plain = Vec::new();
            // What is not compressed is no gzip, which is no failure.
            let _ = MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain);
            if holds(&bytes) || holds(&plain) || key.contains(text) {
                found.push(format!("{output}/{key}"));
            }
        }
    }
    found
}

pub async fn keys(s3: &Client, bucket: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut pages = s3.list_objects_v2().bucket(bucket).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.expect("listed");
        keys.extend(
            page.contents()
                .iter()
                .filter_map(|object| object.key().map(str::to_owned)),
        );
    }
    keys
}

async fn content(s3: &Client, bucket: &str, key: &str) -> Vec<u8> {
    match s3.get_object().bucket(bucket).key(key).send().await {
        Ok(object) => object.body.collect().await.expect("readable").to_vec(),
        // It may be gone meanwhile.
        Err(_) => Vec::new(),
    }
}

fn write(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("written");
    path.to_string_lossy().into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comprehend_finds_is_masked_before_any_function_or_command_stores_it() {
    let (folder, files) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let masking = [
        ("PersonalData", "comprehend"),
        ("ComprehendClassificationScoreThreshold", "1"),
    ];
    let stack = Stack::start(folder.path(), &news()[..24], &[&BY_HAND[..], &masking].concat()).await;
    let address = "jane.doe@example.com";
    let text = |what: &str| format!("{what} for {address}");
    let file = write(
        files.path(),
        "texts.csv",
        &format!("text,label\n{},Sports\n{},\n", text("A cup"), text("Anything")),
    );

    let classified = stack.classify(&text("A loan")).await;
    let dislike = json!({"classifier": "news", "sentence": text("A loan"),
        "predictionId": classified["predictionId"], "feedback": "dislike", "label": "Business"});
    let (url, key) = (
        stack.outputs.output("FeedbackAPIGatewayID"),
        &stack.outputs.api_key_value,
    );
    let (status, disliked) = harness::post(url, key, &dislike).await;
    let (previewed, preview) =
        harness::command(folder.path(), &["import", &file, "--preview", "--json"]).await;
    let (imported, said) = harness::command(folder.path(), &["import", &file, "--yes"]).await;
    let questions = async || {
        let bucket = stack.outputs.output("FeedbackS3Bucket");
        harness::json_objects(&stack.s3, bucket, "questions/", ".json").await
    };
    until(async || questions().await.len() == 3).await;
    let found = objects_with(&stack, address).await;
    stack.stop().await;

    assert_eq!(classified["utterance"], "A loan for [EMAIL]");
    assert_eq!(classified["masked"], json!(["EMAIL"]));
    assert_eq!(
        (status, &disliked["masked"]),
        (200, &json!(["EMAIL"])),
        "{disliked}"
    );
    assert!(previewed, "{preview}");
    let preview: Value = serde_json::from_str(&preview).expect("JSON");
    assert_eq!(preview["masked"], json!({"EMAIL": 2}));
    assert!(imported && said.contains("[EMAIL] in 2 texts"), "{said}");
    assert_eq!(found, Vec::<String>::new());
}
