//! Training files under `initial/`.

use std::time::{Duration, Instant};

use active_learning_core::dataset::ONLY_LABEL;
use active_learning_core::erasure::ErasedTexts;
use active_learning_core::labels::label_set::{LABEL_SET_KEY, LabelSet, Origin, version_key};
use serde_json::{Value, json};

use crate::harness::{BUCKET, ENDPOINT_ARN, Function, PETS_CSV, STATE_KEY, WEATHER_CSV, answer, url_event};

async fn state(function: &Function) -> Value {
    let json = function.object(STATE_KEY).await.expect("endpoint state");
    serde_json::from_slice(&json).expect("endpoint state")
}

async fn keys(function: &Function) -> Vec<String> {
    let listed = function
        .s3
        .list_objects_v2()
        .bucket(BUCKET)
        .send()
        .await
        .expect("list");
    listed
        .contents()
        .iter()
        .filter_map(|object| object.key().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn where_texts_may_have_several_labels_a_file_of_single_ones_makes_a_model_of_several() {
    let function = Function::with_several_labels();

    function
        .train("initial/pets.csv", PETS_CSV)
        .await
        .expect("good file");

    let body = json!({"EndpointArn": ENDPOINT_ARN, "Text": "a puppy at the gate"});
    let classified = function.call("ClassifyDocument", &body).await;
    assert_eq!(classified.body["Labels"][0]["Name"], "Dog", "{}", classified.body);
    let arn = &state(&function).await["properties"]["ModelArn"];
    let body = json!({"DocumentClassifierArn": arn});
    let model = function.call("DescribeDocumentClassifier", &body).await;
    assert_eq!(model.body["DocumentClassifierProperties"]["Mode"], "MULTI_LABEL");
}

#[tokio::test]
async fn a_file_with_several_labels_a_text_says_so_in_the_label_set_until_one_of_single_labels_comes() {
    let function = Function::new();
    let several = async || {
        let set = function.object(LABEL_SET_KEY).await.expect("a set");
        let set = LabelSet::parse(&set).expect("a set");
        set.with_several_labels(false).has_several_labels()
    };
    let both: String = PETS_CSV
        .lines()
        .map(|row| match row.split_once(',') {
            Some((label, text)) => format!("{label}|Indoors,{text}\n{label},{text} outside\n"),
            None => String::new(),
        })
        .collect();

    function
        .train("initial/both.csv", &both)
        .await
        .expect("good file");
    let with_both = several().await;
    function
        .train("initial/pets.csv", PETS_CSV)
        .await
        .expect("good file");
    let with_single = several().await;

    assert!(with_both && !with_single, "{with_both}, {with_single}");
}

#[tokio::test]
async fn a_training_file_becomes_the_serving_model() {
    let function = Function::new();

    function
        .train("initial/my pets+.csv", PETS_CSV)
        .await
        .expect("good file");

    let body = json!({"EndpointArn": ENDPOINT_ARN, "Text": "a puppy at the gate"});
    let classified = function.call("ClassifyDocument", &body).await;
    assert_eq!(classified.status, 200);
    assert_eq!(classified.body["Classes"][0]["Name"], "Dog");
    let endpoint = function
        .call("DescribeEndpoint", &json!({"EndpointArn": ENDPOINT_ARN}))
        .await;
    let properties = &endpoint.body["EndpointProperties"];
    assert_eq!(properties["Status"], "IN_SERVICE");
    assert_eq!(properties["ModelArn"], properties["DesiredModelArn"]);
    let arn = &properties["ModelArn"];
    let model = function
        .call(
            "DescribeDocumentClassifier",
            &json!({"DocumentClassifierArn": arn}),
        )
        .await;
    let properties = &model.body["DocumentClassifierProperties"];
    assert_eq!(properties["Status"], "TRAINED");
    assert_eq!(properties["Mode"], "MULTI_CLASS");
    assert_eq!(
        properties["InputDataConfig"]["S3Uri"],
        "s3://example-training/initial/my pets+.csv"
    );
    assert_eq!(properties["ClassifierMetadata"]["NumberOfTrainedDocuments"], 4);
    assert_eq!(properties["ClassifierMetadata"]["NumberOfLabels"], 2);
}

#[tokio::test]
async fn a_file_that_names_the_text_first_teaches_no_erased_text_and_keeps_the_rows_of_others() {
    let function = Function::new();
    let mut erased = ErasedTexts::default();
    for text in ["a kitten that purrs", "Dog"] {
        erased.insert(text);
    }
    function
        .put_bytes_quietly("erased/texts.bin", erased.write())
        .await;
    let rows = PETS_CSV
        .lines()
        .map(|line| line.split_once(',').expect("two columns"));
    let swapped: String = rows.map(|(label, text)| format!("{text},{label}\n")).collect();

    let trained = function
        .train("initial/pets.csv", &format!("text,label\n{swapped}"))
        .await;

    trained.expect("good file");
    let arn = &state(&function).await["properties"]["ModelArn"];
    let body = json!({"DocumentClassifierArn": arn});
    let model = function.call("DescribeDocumentClassifier", &body).await;
    let metadata = &model.body["DocumentClassifierProperties"]["ClassifierMetadata"];
    assert_eq!(
        (&metadata["NumberOfTrainedDocuments"], &metadata["NumberOfLabels"]),
        (&json!(3), &json!(2))
    );
}

#[tokio::test]
async fn the_same_event_again_changes_nothing() {
    let function = Function::new();
    let event = function.put("initial/pets.csv", PETS_CSV).await;
    function.deliver(&event).await.expect("good file");
    let (first_state, first_keys) = (state(&function).await, keys(&function).await);

    function.deliver(&event).await.expect("good file");

    assert_eq!(state(&function).await, first_state);
    assert_eq!(keys(&function).await, first_keys);
}

#[tokio::test]
async fn a_later_file_replaces_the_model_without_a_restart_and_an_old_event_does_not_bring_it_back() {
    let function = Function::new();
    let old_event = function.put("initial/pets.csv", PETS_CSV).await;
    function.deliver(&old_event).await.expect("good file");
    let body = json!({"EndpointArn": ENDPOINT_ARN, "Text": "puddles"});
    let before = function.call("ClassifyDocument", &body).await;

    function
        .train("initial/weather.csv", WEATHER_CSV)
        .await
        .expect("good file");
    function.deliver(&old_event).await.expect("good file");

    assert_ne!(before.body["Classes"][0]["Name"], "Rain");
    let deadline = Instant::now() + Duration::from_secs(10);
    while function.call("ClassifyDocument", &body).await.body["Classes"][0]["Name"] != "Rain" {
        assert!(Instant::now() < deadline, "the new model does not serve");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_model_that_is_deleted_while_it_comes_into_service_again_is_trained_again() {
    let function = Function::new();
    function
        .train("initial/pets.csv", PETS_CSV)
        .await
        .expect("good file");
    let model = state(&function).await["properties"]["ModelArn"].clone();
    let resource = model
        .as_str()
        .expect("an ARN")
        .rsplit(':')
        .next()
        .expect("a resource");
    function
        .train("initial/weather.csv", WEATHER_CSV)
        .await
        .expect("good file");
    function.delete_before_put(
        "document-classifier-endpoint/news",
        format!("text-classifier/{resource}.json"),
    );

    function
        .train("initial/pets-again.csv", PETS_CSV)
        .await
        .expect("good file");

    assert_eq!(state(&function).await["properties"]["ModelArn"], model);
    let described = function.classifier(model.as_str().expect("an ARN")).await;
    assert_eq!(described["Status"], "TRAINED", "{described}");
}

#[tokio::test]
async fn an_event_whose_first_delivery_died_half_way_is_finished_by_the_next() {
    let function = Function::new();
    let event = function.put("initial/pets.csv", PETS_CSV).await;
    function.deliver(&event).await.expect("good file");
    function
        .s3
        .delete_object()
        .bucket(BUCKET)
        .key(STATE_KEY)
        .send()
        .await
        .expect("delete");

    function.deliver(&event).await.expect("good file");

    assert_eq!(state(&function).await["properties"]["Status"], "IN_SERVICE");
}

async fn report(function: &Function, name: &str) -> Value {
    let json = function.object(&format!("initial-reports/{name}.json")).await;
    serde_json::from_slice(&json.expect("a report")).expect("JSON")
}

#[tokio::test]
async fn a_file_of_one_more_label_makes_no_model_and_gives_the_set_its_label() {
    let function = Function::new();
    function
        .train("initial/pets.csv", PETS_CSV)
        .await
        .expect("good file");
    let before = state(&function).await;

    function
        .train("initial/birds.csv", "label,text\nBird,sings\nbird,flies\n")
        .await
        .expect("good file");

    let taken = report(&function, "birds.csv").await;
    assert_eq!(
        (&taken["state"], &taken["reason"]),
        (&json!("taken"), &Value::Null)
    );
    let told = taken["repairs"].to_string();
    for part in [
        "line 1",
        "`bird`",
        ONLY_LABEL,
        "the label set did not have `Bird`: added",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(state(&function).await, before);
    let set: Value =
        serde_json::from_slice(&function.object(LABEL_SET_KEY).await.expect("a set")).expect("JSON");
    assert!(set.to_string().contains("\"Bird\""), "{set}");
}

#[tokio::test]
async fn a_file_of_one_label_is_refused_where_there_is_no_other() {
    let function = Function::new();

    function
        .train("initial/birds.csv", "label,text\nBird,sings\nBird,flies\n")
        .await
        .expect("a refusal is no failure");

    let refused = report(&function, "birds.csv").await;
    let repairs = refused["repairs"].to_string();
    assert!(
        repairs.contains("the header line was skipped"),
        "for when it is taken: {repairs}"
    );
    assert_eq!(
        (&refused["state"], &refused["reason"]),
        (
            &json!("refused"),
            &json!("the file has 1 different label, at least two are needed")
        )
    );
}

#[tokio::test]
async fn a_file_whose_only_label_is_retired_is_refused_by_that_reason() {
    let function = Function::new();
    let at = "2026-11-20T10:00:00.000Z";
    let mut set = LabelSet::seed(["cat", "Hund", "Bird"], Origin::Edited, at);
    set.retire("Bird").expect("in use");
    function.put_bytes_quietly(LABEL_SET_KEY, set.to_json()).await;

    function
        .train("initial/birds.csv", "bird,sings\nbird,flies\n")
        .await
        .expect("a refusal is no failure");

    let refused = report(&function, "birds.csv").await;
    assert_eq!(refused["state"], "refused");
    let reason = refused["reason"].to_string();
    assert!(
        reason.contains("the label `Bird`, which is no longer in use"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_bad_file_is_refused_with_line_and_reason_and_the_endpoint_keeps_its_model() {
    let function = Function::new();
    function
        .train("initial/pets.csv", PETS_CSV)
        .await
        .expect("good file");
    let before = state(&function).await;

    function
        .train("initial/bad.csv", "Cat,purrs\nDog,\n")
        .await
        .expect("a refusal is no failure");

    let refused = report(&function, "bad.csv").await;
    assert_eq!(
        (&refused["state"], &refused["reason"]),
        (&json!("refused"), &json!("line 2: the text is empty"))
    );
    assert_eq!(state(&function).await, before);
    assert_eq!(report(&function, "pets.csv").await["state"], "taken");
}

#[tokio::test]
async fn a_file_that_cannot_be_meant_is_refused_by_its_report_and_nothing_serves() {
    let swapped: String = (0..20)
        .map(|row| format!("the text of row {row},Cat\n"))
        .collect();
    let utf_16: Vec<u8> = PETS_CSV.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (file, reason) in [
        (
            swapped.into_bytes(),
            "line 1: nearly every row is its own class (20 classes in 20 rows)",
        ),
        (
            [b"\xfe\xff", utf_16.as_slice()].concat(),
            "line 1: the file is UTF-16; save it as UTF-8",
        ),
        (
            b"Cat,\"it purrs\nDog,it barks\"\nDog,it runs\n".to_vec(),
            "line 1: the quote before the text",
        ),
        (
            b"{'label': 'Cat', 'text': 'it purrs'}\n".to_vec(),
            "line 1: the file is JSON Lines in Python's",
        ),
    ] {
        let function = Function::new();
        let event = function.put("initial/pets.csv", file).await;

        function.deliver(&event).await.expect("a refusal is no failure");

        let refused = report(&function, "pets.csv").await;
        assert_eq!(refused["state"], "refused", "{refused}");
        let told = refused["reason"].as_str().expect("a reason");
        assert!(told.starts_with(reason), "{told}");
        assert_eq!(refused["modelArn"], Value::Null);
    }
}

#[tokio::test]
async fn a_class_with_a_single_row_is_told_by_the_report() {
    let function = Function::new();

    function
        .train("initial/pets.csv", &format!("{PETS_CSV}Bird,it sings\n"))
        .await
        .expect("good file");

    let taken = report(&function, "pets.csv").await;
    assert_eq!(taken["state"], "taken");
    let repairs = taken["repairs"].to_string();
    assert!(repairs.contains("1 class has a single row (`Bird`)"), "{repairs}");
}

#[tokio::test]
async fn what_only_signs_decide_is_learnt_from_a_training_file_and_answered() {
    for signs in [[" 👍", " 👎"], ["", "?"]] {
        let right = right_by_signs(&Function::new(), signs).await;

        assert!(right >= 95, "{signs:?}: {right} of 100");
    }
}

/// Trains on rows in which only one of two signs decides, among words that say nothing; returns how many of 100 others
/// are right.
pub async fn right_by_signs(function: &Function, signs: [&str; 2]) -> u32 {
    const WORDS: [&str; 12] = [
        "the", "order", "came", "today", "box", "red", "shoes", "with", "two", "papers", "from", "shop",
    ];
    let words = |number: usize| {
        let places = (0..6).map(|place| WORDS[(number * 7 + place * place * 5 + number / 12) % 12]);
        places.collect::<Vec<_>>().join(" ")
    };
    let text = |number: usize| {
        (
            signs[number % 2],
            format!("{}{}", words(number), signs[number % 2]),
        )
    };
    let label = |sign: &str| if sign == signs[0] { "first" } else { "second" };
    let rows = (0..120).map(text);
    let file: String = rows
        .map(|(sign, text)| format!("{},{text}\n", label(sign)))
        .collect();

    function
        .train("initial/signs.csv", &file)
        .await
        .expect("good file");

    let mut right = 0;
    for (sign, text) in (120..220).map(text) {
        let body = json!({"EndpointArn": ENDPOINT_ARN, "Text": text});
        let answer = function.call("ClassifyDocument", &body).await;
        right += u32::from(answer.body["Classes"][0]["Name"] == label(sign));
    }
    right
}

#[tokio::test]
async fn labels_for_which_the_set_has_no_room_are_told() {
    let function = Function::new();
    let names = (0..999).map(|number| format!("label {number}"));
    let set = LabelSet::seed(names, Origin::Edited, "2026-11-20T10:00:00.000Z");
    function.put_bytes_quietly("label-set.json", set.to_json()).await;

    function
        .train("initial/pets.csv", PETS_CSV)
        .await
        .expect("good file");

    let repairs = report(&function, "pets.csv").await["repairs"].to_string();
    let said =
        "the label set did not take in `Dog`, which is no choice: a set has at most 1000 active labels";
    assert!(
        repairs.contains(said) && repairs.contains("the label set did not have `Cat`: added"),
        "{repairs}"
    );
}

#[tokio::test]
async fn what_is_repaired_in_a_file_is_told_by_its_report_and_by_describing_its_model() {
    let function = Function::new();
    let file = format!("category,description\n{}", PETS_CSV.replacen("Cat,", "cat ,", 1));

    function
        .train("initial/pets.csv", &file)
        .await
        .expect("good file");

    let repairs = report(&function, "pets.csv").await["repairs"].clone();
    let repairs: Vec<String> = serde_json::from_value(repairs).expect("sentences");
    assert_eq!(repairs[0], "line 1: the header line was skipped");
    assert!(repairs[1].contains("is read as"), "{repairs:?}");
    let arn = state(&function).await["properties"]["ModelArn"].clone();
    let model = function
        .call(
            "DescribeDocumentClassifier",
            &json!({"DocumentClassifierArn": arn}),
        )
        .await;
    let properties = &model.body["DocumentClassifierProperties"];
    assert_eq!(properties["Message"], repairs.join("\n"));
    assert_eq!(properties["ClassifierMetadata"]["NumberOfLabels"], 2);
}

#[tokio::test]
async fn labels_of_a_file_have_the_names_of_the_set_and_it_is_said_what_was_joined_and_added() {
    let function = Function::new();
    let mut set = LabelSet::seed(["cat", "Hund"], Origin::Edited, "2026-11-20T10:00:00.000Z");
    set.add_synonym("Hund", "Dog").expect("free");
    function.put_bytes_quietly("label-set.json", set.to_json()).await;
    let birds = "Bird,it sings in the morning\nBird,it flies over the house\n";
    let event = function
        .put("initial/pets.csv", format!("{PETS_CSV}{birds}"))
        .await;

    for _ in 0..2 {
        function.deliver(&event).await.expect("good file");
    }

    let repairs = report(&function, "pets.csv").await["repairs"].to_string();
    for said in [
        "`Cat` (",
        "is read as `cat`, as the label set calls it",
        "is read as `Hund`",
        "the label set did not have `Bird`: added, 1 in all",
    ] {
        assert!(repairs.contains(said), "{said}: {repairs}");
    }
    let set = function.object(LABEL_SET_KEY).await.expect("a set");
    let set = LabelSet::parse(&set).expect("a set");
    assert_eq!(set.active().collect::<Vec<_>>(), ["cat", "Hund", "Bird"]);
    let arn = state(&function).await["properties"]["ModelArn"].clone();
    let resource = arn
        .as_str()
        .expect("an ARN")
        .rsplit(':')
        .next()
        .expect("a resource");
    let model = function.object(&format!("text-classifier/{resource}.json")).await;
    let model: Value = serde_json::from_slice(&model.expect("a model")).expect("JSON");
    assert_eq!(model["trained"]["labels"], json!(["Bird", "Hund", "cat"]));
}

#[tokio::test]
async fn a_label_of_the_parameter_that_the_training_data_does_not_have_is_told() {
    let function = Function::new();
    for (parameter, is_told) in [
        (["Cat", "Dog", "Other"], true),
        (["World", "Sports", "Other"], false),
    ] {
        let set = LabelSet::seed(parameter, Origin::Parameter, "2026-11-20T10:00:00.000Z");
        function.put_bytes_quietly("label-set.json", set.to_json()).await;
        let file = format!("{PETS_CSV}Cat,told {is_told}\n");

        function
            .train("initial/pets.csv", &file)
            .await
            .expect("good file");

        let repairs = report(&function, "pets.csv").await["repairs"].to_string();
        let said = "ComprehendClassificationCategories names `Other`, which the training data does not have";
        assert_eq!(repairs.contains(said), is_told, "{repairs}");
    }
}

#[tokio::test]
async fn each_switch_to_an_initial_model_is_written_down_so_that_it_can_be_rolled_back() {
    let function = Function::new();
    let event = function.put("initial/pets.csv", PETS_CSV).await;
    function.deliver(&event).await.expect("good file");
    let first = state(&function).await["properties"]["ModelArn"].clone();

    function
        .train("initial/weather.csv", WEATHER_CSV)
        .await
        .expect("good file");
    function.deliver(&event).await.expect("nothing new");

    let keys = keys(&function).await;
    let keys: Vec<_> = keys
        .iter()
        .filter(|key| key.starts_with("deployments/"))
        .collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    let switch = function.object(keys[0]).await.expect("a switch");
    let switch: Value = serde_json::from_slice(&switch).expect("JSON");
    assert_eq!(
        (&switch["by"], &switch["previousModelArn"]),
        (&json!("initial-file"), &first)
    );
    assert_eq!(
        switch["modelArn"],
        state(&function).await["properties"]["ModelArn"]
    );
}

#[tokio::test]
async fn the_shipped_sample_is_ignored_where_own_data_was_taken() {
    let function = Function::new();
    function
        .train("initial/own.csv", PETS_CSV)
        .await
        .expect("good file");
    let before = state(&function).await;

    function
        .train("initial/sample-news.csv", WEATHER_CSV)
        .await
        .expect("ignored");

    assert_eq!(report(&function, "sample-news.csv").await["state"], "ignored");
    assert_eq!(state(&function).await, before);
}

#[tokio::test]
async fn an_event_of_a_file_that_is_gone_or_replaced_is_left_alone() {
    let function = Function::new();
    let replaced = function.put("initial/a.csv", PETS_CSV).await;
    function.put("initial/a.csv", WEATHER_CSV).await;
    let gone = function.put("initial/b.csv", PETS_CSV).await;
    function
        .s3
        .delete_object()
        .bucket(BUCKET)
        .key("initial/b.csv")
        .send()
        .await
        .expect("delete");

    function.deliver(&replaced).await.expect("nothing to do");
    function.deliver(&gone).await.expect("nothing to do");

    assert_eq!(function.object(STATE_KEY).await, None);
}

#[tokio::test]
async fn a_new_process_serves_the_same_model() {
    let function = Function::new();
    function
        .train("initial/pets.csv", PETS_CSV)
        .await
        .expect("good file");
    let body = json!({"EndpointArn": ENDPOINT_ARN, "Text": "something that purrs"});
    let before = function.call("ClassifyDocument", &body).await;

    let event = url_event("Comprehend_20171127.ClassifyDocument", &body.to_string(), false);
    let after = answer(&function.restarted(), &event).await;

    assert_eq!(after.body, before.body);
}

#[tokio::test]
async fn a_damaged_model_is_an_internal_error_until_it_is_mended() {
    let function = Function::new();
    function
        .train("initial/pets.csv", PETS_CSV)
        .await
        .expect("good file");
    let model_key = keys(&function)
        .await
        .into_iter()
        .find(|key| key.ends_with(".bin"))
        .expect("model");
    let model = function.object(&model_key).await.expect("model");
    let put = |bytes: Vec<u8>| {
        function
            .s3
            .put_object()
            .bucket(BUCKET)
            .key(&model_key)
            .body(bytes.into())
            .send()
    };
    put(model[..model.len() / 2].to_vec()).await.expect("put");
    let body = json!({"EndpointArn": ENDPOINT_ARN, "Text": "purrs"});

    let damaged = function.call("ClassifyDocument", &body).await;
    put(model).await.expect("put");
    let mended = function.call("ClassifyDocument", &body).await;

    assert_eq!((damaged.status, mended.status), (500, 200));
    assert_eq!(
        damaged.body,
        json!({"__type": "InternalServerException", "Message": "the service failed"})
    );
}

#[tokio::test]
async fn the_sample_event_is_one_of_ours() {
    let function = Function::new();
    let put = function.put("initial/first news.csv", PETS_CSV).await;
    let mut event: Value = serde_json::from_str(include_str!(
        "../../../../events/text-classifier/initial-training-file.json"
    ))
    .expect("JSON");
    event["Records"][0]["s3"]["object"]["eTag"] = put["Records"][0]["s3"]["object"]["eTag"].clone();

    function.deliver(&event).await.expect("good file");

    assert_eq!(state(&function).await["properties"]["Status"], "IN_SERVICE");
}

#[tokio::test]
async fn with_own_training_data_the_label_set_comes_from_the_data_and_grows_with_it() {
    let function = Function::new();
    let parameter = LabelSet::seed(["World", "Sports"], Origin::Parameter, "2026-11-20T10:00:00Z");
    let parameter = String::from_utf8(parameter.to_json()).expect("JSON");
    function.put_quietly(LABEL_SET_KEY, &parameter).await;

    function
        .train("initial/pets.csv", PETS_CSV)
        .await
        .expect("good file");
    let first = function.object(LABEL_SET_KEY).await.expect("a label set");
    function
        .train("initial/weather.csv", WEATHER_CSV)
        .await
        .expect("good file");
    let second = function.object(LABEL_SET_KEY).await.expect("a label set");

    let (first, second) = (LabelSet::parse(&first), LabelSet::parse(&second));
    let (first, second) = (first.expect("a set"), second.expect("a set"));
    assert_eq!(first.origin(), Origin::InitialData);
    assert_eq!(first.active().collect::<Vec<_>>(), ["Cat", "Dog"]);
    assert!(second.version() == 3 && second.active().count() > 2);
    assert!(function.object(&version_key(2)).await.is_some());
}
