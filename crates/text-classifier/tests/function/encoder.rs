//! Models that look through a text encoder, and encoders that are exchanged.

use std::collections::BTreeMap;

use active_learning_core::{
    sampling::selection::{SelectedBy, SelectedTexts},
    text::{Vector, pack_vectors, unpack_vectors, vector_id},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use text_classifier::TextEncoder;

use crate::{
    harness::{BUCKET, ENDPOINT_ARN, Function, ROLE_ARN},
    initial_model::right_by_signs,
};

/// Rows whose words say little: half of the words of the test are in none of them.
const FOOD_AND_SPORT: &str = "food,pasta with tomato sauce\nsport,the striker scored twice\n\
    food,a bowl of noodle soup\nsport,our goalkeeper saved the penalty\n\
    food,grilled fish and rice\nsport,she won the tennis final\n\
    food,bread with butter and cheese\nsport,the marathon runner came first\n";

async fn best(function: &Function, text: &str) -> String {
    best_at(function, ENDPOINT_ARN, text).await
}

async fn best_at(function: &Function, endpoint: &str, text: &str) -> String {
    let request = json!({"EndpointArn": endpoint, "Text": text});
    let answer = function.call("ClassifyDocument", &request).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["Classes"][0]["Name"]
        .as_str()
        .expect("a class")
        .to_owned()
}

#[tokio::test]
async fn a_model_understands_words_that_training_never_saw() {
    let function = Function::with_encoder(TextEncoder::BuiltIn);

    function
        .train("initial/rows.csv", FOOD_AND_SPORT)
        .await
        .expect("trained");

    for (text, class) in [
        ("lasagne", "food"),
        ("basketball tournament", "sport"),
        ("roast chicken", "food"),
        ("swimming championship", "sport"),
    ] {
        assert_eq!(best(&function, text).await, class, "{text}");
    }
}

#[tokio::test]
async fn a_model_notes_which_encoder_it_was_trained_with() {
    for (encoder, noted) in [
        (TextEncoder::BuiltIn, text_encoder::Encoder::built_in_identity()),
        (TextEncoder::None, "none"),
    ] {
        let function = Function::with_encoder(encoder);
        function
            .train("initial/rows.csv", FOOD_AND_SPORT)
            .await
            .expect("trained");
        let endpoint = function.endpoint(ENDPOINT_ARN).await;
        let first = endpoint["ModelArn"].as_str().expect("a model").to_owned();
        let later = function.trained_classifier("one", FOOD_AND_SPORT).await;

        for model in [first, later] {
            let resource = model.rsplit(':').next().expect("a resource");
            let state = function.object(&format!("text-classifier/{resource}.json")).await;
            let state: Value = serde_json::from_slice(&state.expect("a state")).expect("JSON");
            assert_eq!(state["trained"]["encoder"], noted, "{state}");
        }
    }
}

#[tokio::test]
async fn a_model_understands_what_its_labels_are_called() {
    // The rows say nothing of either. Were names not read, the other way round would give the other answers.
    for labels in [["food", "sport"], ["sport", "food"]] {
        let rows: String = (0..4)
            .map(|row| format!("{},row {row} of the table\n", labels[row % 2]))
            .collect();
        let function = Function::with_encoder(TextEncoder::BuiltIn);

        function.train("initial/rows.csv", &rows).await.expect("trained");
        let model = function.trained_classifier("one", &rows).await;
        let endpoint = function.endpoint_of("late", &model).await;

        for endpoint in [ENDPOINT_ARN, &endpoint] {
            for (text, class) in [("lasagne and roast chicken", "food"), ("basketball", "sport")] {
                assert_eq!(
                    best_at(&function, endpoint, text).await,
                    class,
                    "{text}, {labels:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn texts_are_encoded_before_there_is_a_model_and_stay_for_its_training() {
    let function = Function::with_encoder(TextEncoder::BuiltIn);
    let texts: Vec<String> = (0..40).map(|number| format!("text number {number}")).collect();

    let answer = function
        .call("EncodeDocuments", &json!({"TextList": texts}))
        .await;
    let none = Function::new()
        .call("EncodeDocuments", &json!({"TextList": texts}))
        .await;
    let too_many = vec!["text"; 101];
    let refused = function
        .call("EncodeDocuments", &json!({"TextList": too_many}))
        .await;

    assert_eq!(answer.body["Encoder"], text_encoder::Encoder::built_in_identity());
    let pack = answer.body["Vectors"].as_str().expect("a pack");
    let pack = BASE64_STANDARD.decode(pack).expect("Base64");
    let vectors: BTreeMap<_, _> = unpack_vectors(&pack).collect();
    assert_eq!(vectors.len(), 40);
    assert!(vectors.contains_key(&vector_id("text number 7")));
    assert_eq!(function.keys("text-classifier/vectors/").await.len(), 1);
    assert_eq!(answer.body["TextEncoder"], "built-in");
    assert_eq!(none.body, json!({"TextEncoder": "none", "Encoder": null}));
    let of_no_texts = function.call("EncodeDocuments", &json!({"TextList": []})).await;
    assert_eq!(
        of_no_texts.body,
        json!({
            "TextEncoder": "built-in",
            "Encoder": answer.body["Encoder"],
            "Earlier": ["14633fc61b438e0c2e0f2832b51caa07691b27d3d341beef4624d1e8af7e4496"],
            "Vectors": "",
        })
    );
    assert_eq!(refused.status, 400, "{}", refused.body);
}

#[tokio::test]
async fn a_training_reads_which_rows_a_models_doubt_chose() {
    // Half of the texts tell their class, of the other half nobody could; these are what doubt chose.
    let clear = (0..100).map(|n| (["a", "b"][n % 2], format!("{} number {n}", ["cat", "dog"][n % 2])));
    let hard = (100..200).map(|n| {
        (
            ["a", "b"][n / 2 % 2],
            format!("{} number {n}", ["cat", "dog"][n % 2]),
        )
    });
    let hard: Vec<(&str, String)> = hard.collect();
    let rows = clear.chain(hard.iter().cloned());
    let rows: String = rows.map(|(label, text)| format!("{label},{text}\n")).collect();
    let confidence = async |chosen: &[(&str, String)]| {
        let function = Function::new();
        let ids: Vec<u8> = chosen.iter().flat_map(|(_, text)| vector_id(text)).collect();
        function.put_bytes_quietly("datasets/v1/chosen.bin", ids).await;
        let model = function.trained_on("one", "datasets/v1/train.csv", &rows).await;
        let endpoint = function.endpoint_of("late", &model).await;
        let request = json!({"EndpointArn": endpoint, "Text": "cat"});
        let answer = function.call("ClassifyDocument", &request).await;
        answer.body["Classes"][0]["Score"].as_f64().expect("a score")
    };

    let (without, with) = (confidence(&[]).await, confidence(&hard).await);

    assert!(with > without + 0.05, "{without} {with}");
}

#[tokio::test]
async fn a_training_reads_with_what_probability_rows_were_selected() {
    // 2 % of 900 trusted predictions are audited and right; of 100 doubtful ones, all asked about, 70 are.
    let label = |n: usize| ["a", "b"][if n < 88 { n % 2 } else { (n + 1) % 2 }];
    let text = |n: usize| format!("{} number {n}", ["cat", "dog"][n % 2]);
    let rows: String = (0..118).map(|n| format!("{},{}\n", label(n), text(n))).collect();
    let confidence = async |of: fn(usize) -> SelectedBy| {
        let function = Function::new();
        let selected: SelectedTexts = (0..118).map(|n| (vector_id(&text(n)), of(n))).collect();
        function
            .put_bytes_quietly("datasets/v1/chosen.bin", selected.to_bytes())
            .await;
        let model = function.trained_on("one", "datasets/v1/train.csv", &rows).await;
        let endpoint = function.endpoint_of("late", &model).await;
        let request = json!({"EndpointArn": endpoint, "Text": "cat"});
        let answer = function.call("ClassifyDocument", &request).await;
        answer.body["Classes"][0]["Score"].as_f64().expect("a score")
    };

    let alike = confidence(|_| SelectedBy::Chance).await;
    let by_probability = confidence(|n| match n {
        0..18 => SelectedBy::Audit(0.02),
        _ => SelectedBy::Policy(1.0),
    })
    .await;

    assert!(by_probability > 0.94, "{by_probability}");
    assert!(by_probability > alike + 0.1, "{alike} {by_probability}");
}

#[tokio::test]
async fn what_only_signs_decide_is_learnt_beside_the_encoder() {
    // The encoder knows no such signs, or says little of them: the vectors of both classes are nearly the same.
    for signs in [[" 👍", " 👎"], ["", "?"]] {
        let function = Function::with_encoder(TextEncoder::BuiltIn);

        let right = right_by_signs(&function, signs).await;

        assert!(right >= 95, "{signs:?}: {right} of 100");
    }
}

#[tokio::test]
async fn several_labels_of_a_text_are_learnt_through_the_encoder() {
    let function = Function::with_several_labels_and_encoder();
    let both =
        "food|sport,the striker ate a plate of pasta\nfood|sport,our team drank soup after the match\n";

    function
        .train("initial/rows.csv", &format!("{FOOD_AND_SPORT}{both}"))
        .await
        .expect("trained");

    for (text, class) in [
        ("lasagne", "food"),
        ("basketball tournament", "sport"),
        ("roast chicken", "food"),
        ("swimming championship", "sport"),
    ] {
        let request = json!({"EndpointArn": ENDPOINT_ARN, "Text": text});
        let answer = function.call("ClassifyDocument", &request).await;
        assert_eq!(answer.body["Classes"], Value::Null, "{}", answer.body);
        assert_eq!(answer.body["Labels"][0]["Name"], class, "{text}: {}", answer.body);
    }
}

/// Values of a vector of the encoder of the program.
const DIMENSIONS: usize = 384;

/// Texts of two bands of meaning, by their number: by their vectors alone, words say nothing.
fn of_bands(n: usize) -> (&'static str, String, Vector) {
    let (class, up) = [("up", 1.0), ("down", -1.0)][n % 2];
    let mut values = vec![0.0; DIMENSIONS];
    values[..3].copy_from_slice(&[
        (n / 2) as f32 / 10.0 - 5.0,
        up * (1.0 + (n * 7 % 5) as f32 / 20.0),
        0.3,
    ]);
    (class, format!("text {}", n * 7_919), Vector::of(&values))
}

#[tokio::test]
async fn labels_are_spread_over_the_texts_that_were_encoded_before() {
    // Labelled at opposite ends: by the labels alone the ends are what differs.
    let (labelled, others): (Vec<usize>, Vec<usize>) =
        (0..200).partition(|n| if n % 2 == 0 { *n < 40 } else { *n >= 160 });
    let rows = labelled.iter().map(|n| of_bands(*n));
    let rows: String = rows.map(|(class, text, _)| format!("{class},{text}\n")).collect();
    let pack = |texts: &[usize]| {
        let vectors = texts.iter().map(|n| of_bands(*n));
        let vectors: BTreeMap<_, _> = vectors
            .map(|(_, text, vector)| (vector_id(&text), vector))
            .collect();
        pack_vectors(DIMENSIONS, &vectors)
    };
    let identity = text_encoder::Encoder::built_in_identity();
    let folder = format!("text-classifier/vectors/{identity}/");
    let documents = others
        .iter()
        .map(|n| of_bands(*n).1)
        .collect::<Vec<_>>()
        .join("\n");

    for is_first in [true, false] {
        let right = async |before: &[usize]| {
            let function = Function::with_encoder(TextEncoder::BuiltIn);
            function
                .put_bytes_quietly(&format!("{folder}before.bin"), pack(before))
                .await;
            let model = match is_first {
                true => {
                    function.train("initial/rows.csv", &rows).await.expect("trained");
                    let endpoint = function.endpoint(ENDPOINT_ARN).await;
                    endpoint["ModelArn"].as_str().expect("a model").to_owned()
                }
                false => function.trained_classifier("one", &rows).await,
            };
            // The job is to look through the same vectors.
            let all = [&labelled[..], &others].concat();
            function
                .put_bytes_quietly(&format!("{folder}later.bin"), pack(&all))
                .await;
            let said = job_on(&function, &model, &documents).await;
            let is_right = |(said, n): &(&Value, &usize)| said["Classes"][0]["Name"] == of_bands(**n).0;
            said.iter().zip(&others).filter(is_right).count()
        };

        let without = right(&labelled).await;
        let with = right(&[&labelled[..], &others].concat()).await;

        assert!(with > without, "{is_first}: {without} {with} of {}", others.len());
    }
}

/// Has a model classify documents, one a line; returns what it says of each.
async fn job_on(function: &Function, model: &str, documents: &str) -> Vec<Value> {
    function.put_quietly("in/texts.txt", documents).await;
    let request = json!({
        "DocumentClassifierArn": model,
        "InputDataConfig": {"S3Uri": format!("s3://{BUCKET}/in/"), "InputFormat": "ONE_DOC_PER_LINE"},
        "OutputDataConfig": {"S3Uri": format!("s3://{BUCKET}/out")},
        "DataAccessRoleArn": ROLE_ARN,
    });
    let started = function.call("StartDocumentClassificationJob", &request).await;
    function.work().await;
    let id = json!({"JobId": started.body["JobId"]});
    let job = function.call("DescribeDocumentClassificationJob", &id).await.body;
    let uri = &job["DocumentClassificationJobProperties"]["OutputDataConfig"]["S3Uri"];
    let (_, predictions) = function.output(uri.as_str().expect("URI")).await;
    predictions
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn vectors_are_made_once() {
    let function = Function::with_encoder(TextEncoder::BuiltIn);
    let rows: String = (0..40)
        .map(|n| format!("{},text number {n}\n", ["a", "b"][n % 2]))
        .collect();

    function.trained_classifier("one", &rows).await;
    let first = function.keys("text-classifier/vectors/").await;
    function.trained_classifier("two", &rows).await;

    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(function.keys("text-classifier/vectors/").await, first);
}

#[tokio::test]
async fn a_training_finds_its_vectors_behind_those_of_many_texts_that_came_in_since() {
    let function = Function::with_encoder(TextEncoder::BuiltIn);
    let encode = async |texts: Vec<String>| {
        let answer = function
            .call("EncodeDocuments", &json!({"TextList": texts}))
            .await;
        let pack = answer.body["Vectors"].as_str().expect("a pack").to_owned();
        BASE64_STANDARD.decode(pack).expect("Base64")
    };
    let trained = |n: usize| format!("trained text number {n}");
    // All have the vector of another text: so it shows where one comes from.
    let sentinel = unpack_vectors(&encode(vec!["sentinel".to_owned()]).await).next();
    let (_, sentinel) = sentinel.expect("a vector");
    let known: BTreeMap<_, _> = (0..220)
        .map(|n| (vector_id(&trained(n)), sentinel.clone()))
        .collect();
    let folder = format!(
        "text-classifier/vectors/{}/",
        text_encoder::Encoder::built_in_identity()
    );
    let pack = pack_vectors(sentinel.dimensions(), &known);
    function
        .put_bytes_quietly(&format!("{folder}trained.bin"), pack)
        .await;
    // Packs of jobs are larger, and there may be many of them.
    for job in 0..5 {
        let texts: BTreeMap<_, _> = (0..300)
            .map(|n| (vector_id(&format!("text {n} of job {job}")), sentinel.clone()))
            .collect();
        let pack = pack_vectors(sentinel.dimensions(), &texts);
        function
            .put_bytes_quietly(&format!("{folder}job-{job}.bin"), pack)
            .await;
    }
    for call in 0..5 {
        encode((0..32).map(|n| format!("text {n} of call {call}")).collect()).await;
    }
    let before = function.keys(&folder).await;

    let rows: String = (0..221)
        .map(|n| format!("{},{}\n", ["a", "b"][n % 2], trained(n)))
        .collect();
    function.trained_classifier("one", &rows).await;

    let mut new = function.keys(&folder).await;
    new.retain(|key| !before.contains(key));
    assert_eq!((before.len(), new.len()), (11, 1));
    let pack: BTreeMap<_, _> = unpack_vectors(&function.object(&new[0]).await.expect("a pack")).collect();
    assert_eq!(pack.len(), 221);
    let made = pack.values().filter(|vector| **vector != sentinel).count();
    assert_eq!(made, 1, "only the one text that was in no pack");
}

#[tokio::test]
async fn a_text_that_was_encoded_of_late_is_not_encoded_again_in_this_process() {
    let function = Function::with_encoder(TextEncoder::BuiltIn);
    function
        .train("initial/rows.csv", FOOD_AND_SPORT)
        .await
        .expect("trained");
    let encode = async |function: &Function, texts: Vec<String>| {
        let answer = function
            .call("EncodeDocuments", &json!({"TextList": texts}))
            .await;
        let pack = answer.body["Vectors"].as_str().expect("a pack").to_owned();
        let pack = BASE64_STANDARD.decode(pack).expect("Base64");
        unpack_vectors(&pack).collect::<BTreeMap<_, _>>()
    };
    // A pack has the vector of another text for one: so it shows where it comes from.
    let sport = encode(&function, vec!["basketball tournament".to_owned()]).await;
    let sport = sport.into_values().next().expect("a vector");
    let planted = BTreeMap::from([(vector_id("lasagne"), sport.clone())]);
    let identity = text_encoder::Encoder::built_in_identity();
    let pack = pack_vectors(DIMENSIONS, &planted);
    function
        .put_bytes_quietly(&format!("text-classifier/vectors/{identity}/planted.bin"), pack)
        .await;

    let before = best(&function, "roast chicken").await;
    let texts = (0..39)
        .map(|n| format!("text number {n}"))
        .chain(["lasagne".to_owned()]);
    encode(&function, texts.collect()).await;
    let classified = best(&function, "lasagne").await;
    let encoded = encode(&function, vec!["lasagne".to_owned()]).await;
    let restarted = function.with_other_encoder(TextEncoder::BuiltIn);
    let anew = best(&restarted, "lasagne").await;

    assert_eq!(before, "food");
    assert_eq!(classified, "sport", "by the vector that the pack had");
    assert_eq!(encoded[&vector_id("lasagne")], sport);
    assert_eq!(anew, "food", "what a process remembers ends with it");
}

#[tokio::test]
async fn what_was_encoded_one_by_one_is_kept_as_soon_as_it_is_worth_a_pack() {
    let function = Function::with_encoder(TextEncoder::BuiltIn);
    let texts: Vec<String> = (0..32).map(|n| format!("text number {n}")).collect();
    for text in &texts {
        function
            .call("EncodeDocuments", &json!({"TextList": [text]}))
            .await;
    }
    let before = function.keys("text-classifier/vectors/").await;

    function
        .call("EncodeDocuments", &json!({"TextList": texts}))
        .await;

    let kept = function.keys("text-classifier/vectors/").await;
    assert_eq!((before.len(), kept.len()), (0, 1));
    let pack = function.object(&kept[0]).await.expect("a pack");
    assert_eq!(unpack_vectors(&pack).count(), 32);
}

#[tokio::test]
async fn vectors_of_a_job_are_kept_apart_from_those_of_trainings() {
    let function = Function::with_encoder(TextEncoder::BuiltIn);
    let model = function.trained_classifier("one", FOOD_AND_SPORT).await;
    let documents: Vec<String> = (0..40).map(|n| format!("text number {n}")).collect();

    job_on(&function, &model, &documents.join("\n")).await;

    let kept = function.keys("text-classifier/vectors/").await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(kept[0].contains("/job-"), "{kept:?}");
}

#[tokio::test]
async fn a_model_of_another_encoder_is_refused_and_says_what_to_do() {
    let function = Function::with_encoder(TextEncoder::BuiltIn);
    let model = function.trained_classifier("one", FOOD_AND_SPORT).await;
    let function = function.with_other_encoder(TextEncoder::None);

    let endpoint = function.endpoint_of("late", &model).await;

    let state = function.endpoint(&endpoint).await;
    assert_eq!(state["Status"], "FAILED", "{state}");
    let message = state["Message"].as_str().expect("a message");
    assert!(
        message.contains("put that encoder back, or train the model again"),
        "{message}"
    );
}

/// Returns a model of n-grams as a release wrote it that knew no encoder.
fn of_format_3(mut file: Vec<u8>) -> Vec<u8> {
    file[8] = 3;
    let body = file.len() - 4;
    let mut checksum = flate2::Crc::new();
    checksum.update(&file[..body]);
    file.truncate(body);
    file.extend(checksum.sum().to_le_bytes());
    file
}

#[tokio::test]
async fn a_model_from_before_there_were_encoders_serves_behind_one_as_it_did() {
    let function = Function::new();
    let model = function.trained_classifier("one", FOOD_AND_SPORT).await;
    let endpoint = function.endpoint_of("late", &model).await;
    let resource = model.rsplit(':').next().expect("a resource");
    let key = format!("text-classifier/models/{resource}.bin");
    let file = function.object(&key).await.expect("a model");
    let says = async |function: &Function| {
        let request = json!({"EndpointArn": endpoint, "Text": "tomato soup after the final"});
        let answer = function.call("ClassifyDocument", &request).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    };
    let before = says(&function).await;

    function.put_bytes_quietly(&key, of_format_3(file)).await;
    let function = function.with_other_encoder(TextEncoder::BuiltIn);
    let after = says(&function).await;
    let lines = job_on(&function, &model, "tomato soup after the final\n").await;

    assert_eq!(after, before);
    assert_eq!(lines[0]["Classes"], before["Classes"]);
}

#[tokio::test]
async fn callers_of_a_model_of_another_encoder_are_told_what_to_do() {
    let function = Function::with_encoder(TextEncoder::BuiltIn);
    function
        .train("initial/rows.csv", FOOD_AND_SPORT)
        .await
        .expect("trained");
    let function = function.with_other_encoder(TextEncoder::None);

    let request = json!({"EndpointArn": ENDPOINT_ARN, "Text": "lasagne"});
    let answer = function.call("ClassifyDocument", &request).await;

    assert_eq!(
        (answer.status, &answer.body["__type"]),
        (500, &json!("InternalServerException"))
    );
    let message = answer.body["Message"].as_str().expect("a message");
    assert!(
        message.contains("in use is none: put that encoder back"),
        "{message}"
    );
}

#[tokio::test]
async fn an_encoder_of_the_bucket_is_read_as_it_is_and_another_architecture_refused_by_name() {
    let function = Function::with_encoder(TextEncoder::S3);
    for (name, file) in text_encoder::built_in_files() {
        function
            .put_bytes_quietly(&format!("encoder/{name}"), file.into_owned())
            .await;
    }

    function
        .train("initial/rows.csv", FOOD_AND_SPORT)
        .await
        .expect("trained");
    let other = json!({"model_type": "mpnet", "architectures": ["MPNetModel"]}).to_string();
    function.put_quietly("encoder/config.json", &other).await;
    let function = function.with_other_encoder(TextEncoder::S3);
    let refused = function.trained_classifier("one", FOOD_AND_SPORT).await;

    let state = function.classifier(&refused).await;
    assert_eq!(state["Status"], "IN_ERROR", "{state}");
    assert!(
        state["Message"]
            .as_str()
            .expect("a message")
            .contains("MPNetModel"),
        "{state}"
    );
}

#[tokio::test]
async fn an_encoder_that_is_exchanged_is_the_one_of_the_next_call_and_its_models_are_refused() {
    let function = Function::with_encoder(TextEncoder::S3);
    for (name, file) in text_encoder::built_in_files() {
        function
            .put_bytes_quietly(&format!("encoder/{name}"), file.into_owned())
            .await;
    }
    let request = json!({"TextList": ["a text"]});
    let before = function.call("EncodeDocuments", &request).await.body["Encoder"].clone();
    let model = function.trained_classifier("one", FOOD_AND_SPORT).await;
    let shorter = json!({"max_seq_length": 8, "do_lower_case": false}).to_string();

    function
        .put_quietly("encoder/sentence_bert_config.json", &shorter)
        .await;
    let after = function.call("EncodeDocuments", &request).await.body["Encoder"].clone();
    let endpoint = function.endpoint_of("late", &model).await;

    assert_eq!(before, text_encoder::Encoder::built_in_identity());
    assert_ne!(after, before);
    let state = function.endpoint(&endpoint).await;
    assert_eq!(state["Status"], "FAILED", "{state}");
}

#[tokio::test]
async fn a_job_looks_through_the_encoder_too() {
    let function = Function::with_encoder(TextEncoder::BuiltIn);
    let model = function.trained_classifier("one", FOOD_AND_SPORT).await;

    let lines = job_on(&function, &model, "lasagne\n\nbasketball tournament\n").await;

    assert_eq!(lines[0]["Classes"][0]["Name"], "food");
    assert_eq!(lines[1]["ErrorCode"], "INVALID_DOCUMENT");
    assert_eq!(lines[2]["Classes"][0]["Name"], "sport");
    assert_eq!(lines[2]["Line"], "2");
}

async fn report_on(function: &Function, file: &str) -> Value {
    let report = function.object(&format!("initial-reports/{file}.json")).await;
    serde_json::from_slice(&report.expect("a report")).expect("JSON")
}

#[tokio::test]
async fn a_good_file_waits_for_an_encoder_that_cannot_be_used_and_is_taken_once_it_can() {
    let function = Function::with_encoder(TextEncoder::S3);
    function.put_quietly("encoder/config.json", "{}").await;
    let bad = "food\nsport\n";
    for (key, csv) in [("initial/bad.csv", bad), ("initial/rows.csv", FOOD_AND_SPORT)] {
        function.train(key, csv).await.expect("told in a report");
    }
    let (refused, waiting) = (
        report_on(&function, "bad.csv").await,
        report_on(&function, "rows.csv").await,
    );

    let mut last = Value::Null;
    for (name, file) in text_encoder::built_in_files() {
        last = function.put(&format!("encoder/{name}"), file.to_vec()).await;
    }
    function.deliver(&last).await.expect("taken");

    assert_eq!(refused["state"], "refused", "{refused}");
    assert_eq!(waiting["state"], "waiting", "{waiting}");
    let reason = waiting["reason"].as_str().expect("a reason");
    assert!(reason.contains("text encoder under encoder/"), "{reason}");
    assert!(reason.contains("Nothing is wrong with this file"), "{reason}");
    let taken = report_on(&function, "rows.csv").await;
    assert_eq!(
        (&taken["state"], &taken["reason"]),
        (&json!("taken"), &Value::Null),
        "{taken}"
    );
    assert_eq!(best(&function, "pasta with tomato sauce").await, "food");
    assert_eq!(report_on(&function, "bad.csv").await, refused);
}

#[tokio::test]
async fn a_file_that_waits_for_an_encoder_is_taken_by_a_function_that_looks_through_another() {
    let function = Function::with_encoder(TextEncoder::S3);
    function
        .train("initial/rows.csv", FOOD_AND_SPORT)
        .await
        .expect("told in a report");
    assert_eq!(report_on(&function, "rows.csv").await["state"], "waiting");
    let function = function.with_other_encoder(TextEncoder::BuiltIn);

    // Whatever it is that comes first.
    function
        .train("initial/other.csv", "food\nsport\n")
        .await
        .expect("told in a report");

    assert_eq!(report_on(&function, "rows.csv").await["state"], "taken");
    assert_eq!(best(&function, "pasta with tomato sauce").await, "food");
}
