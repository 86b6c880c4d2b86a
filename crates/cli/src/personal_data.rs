//! Personal data out of what commands put into a stack, as the stack itself does it.

use std::collections::BTreeMap;

use active_learning_aws::{
    bucket::Bucket,
    personal_data::{Kinds, Masking, Settings},
};
use active_learning_core::{
    dataset::label_column, feedback::prediction::LABEL_DELIMITER, text::personal_data::Treatment,
};
use aws_config::SdkConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use local_stack::boot::Running;
use serde_json::Value;

use crate::{outputs::StackOutputs, wording::counted};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Template output that says what becomes of personal data; also the key of a tag of the training bucket.
const PERSONAL_DATA: (&str, &str) = ("PersonalDataInUse", "PersonalData");
/// Template output that names the language of the texts; also the key of a tag of the training bucket.
const LANGUAGE: (&str, &str) = ("LanguageCodeInUse", "LanguageCode");

/// In how many texts personal data was replaced, by its kind.
pub type Counts = BTreeMap<String, usize>;

/// Makes the masking of a stack whose setting is one of `values`, by output or tag. One from before there was such a setting
/// keeps texts as they are.
fn masking(values: impl Fn((&str, &str)) -> Option<String>, sdk: &SdkConfig) -> Result<Masking, Failure> {
    let treatment = values(PERSONAL_DATA).map_or(Ok(Treatment::Keep), |value| value.parse())?;
    let language = values(LANGUAGE).unwrap_or_default();
    Ok(Masking::new(Settings::new(treatment, &language)?, sdk))
}

/// Makes what the stack itself does, where it is being started.
///
/// # Errors
///
/// When the template's outputs are none that this program knows.
pub fn of_starting(stack: &Running) -> Result<Masking, Failure> {
    masking(
        |(output, _)| stack.outputs.get(output).cloned(),
        &stack.aws.sdk_config(),
    )
}

/// Makes what a running local stack itself does.
///
/// # Errors
///
/// As [`of_starting`].
pub fn of_running(stack: &StackOutputs, sdk: &SdkConfig) -> Result<Masking, Failure> {
    masking(|(output, _)| stack.outputs.get(output).cloned(), sdk)
}

/// Makes what a stack on AWS itself does: the tags of its training bucket say it.
///
/// # Errors
///
/// When the tags cannot be read.
pub async fn of_bucket(training: &Bucket, sdk: &SdkConfig) -> Result<Masking, Failure> {
    let call = aws_sdk_s3::Client::new(sdk)
        .get_bucket_tagging()
        .bucket(training.name());
    let tags = match call.send().await {
        Ok(answer) => answer.tag_set,
        Err(SdkError::ServiceError(error)) if error.err().code() == Some("NoSuchTagSet") => Vec::new(),
        Err(_) => {
            return Err(format!(
                "what the stack does with personal data cannot be read from the tags of {}: allow s3:GetBucketTagging",
                training.name()
            )
            .into());
        }
    };
    let tag = |(_, key): (&str, &str)| {
        tags.iter()
            .find(|tag| tag.key == key)
            .map(|tag| tag.value.clone())
    };
    masking(tag, sdk)
}

/// Counts texts by the kinds that were replaced in them.
pub fn count(counts: &mut Counts, kinds: &Kinds) {
    for kind in kinds {
        *counts.entry(kind.clone()).or_default() += 1;
    }
}

/// Says in how many texts what was replaced.
pub fn in_words(counts: &Counts) -> String {
    let words = counts
        .iter()
        .map(|(kind, texts)| format!("[{kind}] in {}", counted(*texts, "text")));
    words.collect::<Vec<_>>().join(", ")
}

/// Takes personal data out of Comprehend CSV: of all columns but that of the labels, which is the first unless a header line
/// says otherwise.
///
/// # Errors
///
/// When Comprehend does not answer, or CSV that cannot be read.
pub async fn mask_csv(masking: &Masking, data: Vec<u8>) -> Result<(Vec<u8>, Counts), Failure> {
    let mut counts = Counts::new();
    if masking.is_off() {
        return Ok((data, counts));
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(&data[..]);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for row in reader.records() {
        rows.push(row?.iter().map(str::to_owned).collect());
    }
    let labels = label_column(&data, Some(LABEL_DELIMITER));
    let columns = rows.iter_mut().flat_map(|row| row.iter_mut().enumerate());
    let texts = columns
        .filter(|(column, _)| *column != labels)
        .map(|(_, text)| text);
    for kinds in masking.apply_to_all(texts).await? {
        count(&mut counts, &kinds);
    }
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    for row in &rows {
        writer.write_record(row)?;
    }
    Ok((writer.into_inner()?, counts))
}

/// Takes personal data out of JSON Lines of `sentence`.
///
/// # Errors
///
/// When Comprehend does not answer, or a line that is no JSON.
pub async fn mask_lines(masking: &Masking, lines: &str) -> Result<(Vec<u8>, Counts), Failure> {
    let mut counts = Counts::new();
    if masking.is_off() {
        return Ok((lines.as_bytes().to_vec(), counts));
    }
    let mut items = Vec::new();
    for item in serde_json::Deserializer::from_str(lines).into_iter::<Value>() {
        items.push(item?);
    }
    let texts = items
        .iter_mut()
        .filter_map(|item| match item.get_mut("sentence") {
            Some(Value::String(text)) => Some(text),
            _ => None,
        });
    for kinds in masking.apply_to_all(texts).await? {
        count(&mut counts, &kinds);
    }
    let lines: String = items.iter().map(|item| format!("{item}\n")).collect();
    Ok((lines.into_bytes(), counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn by_form() -> Masking {
        let sdk = crate::place::sdk_config(Some("http://127.0.0.1:9")).await;
        let settings = Settings::new(Treatment::Mask, "de").expect("any language");
        Masking::new(settings, &sdk)
    }

    #[tokio::test]
    async fn training_data_keeps_its_labels_and_loses_personal_data() {
        let csv = "030/1234567,\"Call 030/1234567, please\"\nSports,\"a \"\"cup\"\" of\ntea\"\n";

        let (masked, counts) = mask_csv(&by_form().await, csv.into()).await.expect("masked");

        let expected = "030/1234567,\"Call [PHONE], please\"\nSports,\"a \"\"cup\"\" of\ntea\"\n";
        assert_eq!(String::from_utf8(masked).expect("UTF-8"), expected);
        assert_eq!(in_words(&counts), "[PHONE] in 1 text");
    }

    #[tokio::test]
    async fn training_data_that_names_the_text_first_loses_personal_data_of_its_texts_too() {
        let csv = "text,label\n\"Call 030 1234567, please\",Billing\n";

        let (masked, _) = mask_csv(&by_form().await, csv.into()).await.expect("masked");

        let expected = "text,label\n\"Call [PHONE], please\",Billing\n";
        assert_eq!(String::from_utf8(masked).expect("UTF-8"), expected);
    }

    #[tokio::test]
    async fn texts_to_label_lose_personal_data_behind_an_escape_too() {
        let lines = "{\"sentence\":\"to\\njane@example.com\"}\n{\"sentence\":\"none\"}\n";

        let (masked, _) = mask_lines(&by_form().await, lines).await.expect("masked");

        let expected = "{\"sentence\":\"to\\n[EMAIL]\"}\n{\"sentence\":\"none\"}\n";
        assert_eq!(String::from_utf8(masked).expect("UTF-8"), expected);
    }
}
