//! `DetectPiiEntities` and `ContainsPiiEntities`.
//!
//! Differs from Comprehend: found is what has a form of its own (see [`personal_data`]): e-mail addresses, numbers of phones,
//! payment cards and bank accounts (IBAN), and IP addresses. Its score is 1.

use active_learning_core::text::personal_data::{self, PersonalData};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    validation::{invalid, length, required},
};

/// Comprehend's limit for the text of one request: 100 KB of UTF-8.
const MAX_TEXT_BYTES: usize = 102_400;

/// Languages that the API knows.
const KNOWN_LANGUAGES: [&str; 12] = [
    "en", "es", "fr", "de", "it", "pt", "ar", "hi", "ja", "ko", "zh", "zh-TW",
];

/// Languages in which Comprehend finds personal data.
const LANGUAGES: [&str; 2] = ["en", "es"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PiiRequest {
    text: Option<String>,
    language_code: Option<String>,
}

impl PiiRequest {
    fn checked(self) -> Result<String, ApiError> {
        let text = required("text", self.text)?;
        length("text", &text, 1..=usize::MAX)?;
        let language = required("languageCode", self.language_code)?;
        if !KNOWN_LANGUAGES.contains(&language.as_str()) {
            let constraint = format!(
                "Member must satisfy enum value set: [{}]",
                KNOWN_LANGUAGES.join(", ")
            );
            return Err(invalid("languageCode", constraint));
        }
        if text.len() > MAX_TEXT_BYTES {
            return Err(ApiError::TextSizeLimitExceeded {
                size: text.len(),
                limit: MAX_TEXT_BYTES,
            });
        }
        match LANGUAGES.contains(&language.as_str()) {
            true => Ok(text),
            false => Err(ApiError::NoPersonalDataInLanguage),
        }
    }
}

/// Says where personal data is, in characters of the text.
pub(crate) fn detect(request: PiiRequest) -> Result<Value, ApiError> {
    let text = request.checked()?;
    let (mut at, mut characters) = (0, 0);
    let mut offset = |byte: usize| {
        characters += text[at..byte].chars().count();
        at = byte;
        characters
    };
    let found = personal_data::find(&text);
    let entities = found.iter().map(|found| {
        let (begin, end) = (offset(found.begin), offset(found.end));
        json!({"Score": 1.0, "Type": found.kind.as_str(), "BeginOffset": begin, "EndOffset": end})
    });
    Ok(json!({"Entities": entities.collect::<Vec<_>>()}))
}

/// Says which kinds of personal data a text holds.
pub(crate) fn contains(request: PiiRequest) -> Result<Value, ApiError> {
    let found = personal_data::find(&request.checked()?);
    let is_in = |kind: &PersonalData| found.iter().any(|found| found.kind == *kind);
    let labels = PersonalData::ALL.into_iter().filter(is_in);
    let labels: Vec<_> = labels
        .map(|kind| json!({"Name": kind.as_str(), "Score": 1.0}))
        .collect();
    Ok(json!({"Labels": labels}))
}
