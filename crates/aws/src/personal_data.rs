//! Personal data out of a text before it is stored: by its form, or by what Amazon Comprehend finds.

use std::{collections::BTreeSet, ops::Range};

use active_learning_core::text::personal_data::{self, Treatment};
use aws_config::SdkConfig;
use aws_sdk_comprehend::types::{LanguageCode, PiiEntity};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use crate::{
    clients,
    env::{ConfigError, Env},
    failure::Refusal,
};

/// Longest text that is given to Comprehend in one call, in bytes: below its limit of 100 KB.
const MAX_TEXT_BYTES: usize = 100_000;

/// Texts that Comprehend looks through at a time: it takes few calls a second.
const IN_FLIGHT: usize = 8;

/// Kinds of personal data, by the names of Comprehend.
pub type Kinds = BTreeSet<String>;

/// A text that could not be looked through; it must not be stored.
#[derive(Debug, thiserror::Error)]
pub enum NotMasked {
    /// Comprehend did not answer.
    #[error("personal data could not be looked for; try again in a moment")]
    Comprehend(#[source] Refusal),
    /// Comprehend named a place that is not in the text.
    #[error("what was found of personal data does not fit the text; try again in a moment")]
    OutOfPlace,
}

impl NotMasked {
    /// Returns whether Comprehend takes no such text: it will not later either. Source: API reference, `DetectPiiEntities`.
    pub fn is_of_text(&self) -> bool {
        let code = match self {
            Self::Comprehend(refusal) => refusal.code.as_deref(),
            Self::OutOfPlace => None,
        };
        matches!(
            code,
            Some("InvalidRequestException" | "TextSizeLimitExceededException" | "ValidationException")
        )
    }
}

/// What an operator decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    treatment: Treatment,
    /// Language of the texts, for Comprehend.
    language: String,
}

impl Settings {
    /// Reads the settings from a function's environment: `PERSONAL_DATA` and `LANGUAGE_CODE`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable that is missing or wrong, such as a language that Comprehend finds no personal data
    /// in.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let language: String = env.required("LANGUAGE_CODE")?;
        Self::new(env.required("PERSONAL_DATA")?, &language).map_err(|reason| ConfigError::Invalid {
            name: "LANGUAGE_CODE".to_owned(),
            reason,
        })
    }

    /// Returns whether texts are stored as they come.
    pub fn is_off(&self) -> bool {
        self.treatment == Treatment::Keep
    }

    /// Makes settings.
    ///
    /// # Errors
    ///
    /// In words, where Comprehend finds no personal data in the language: it does in English and Spanish (API reference,
    /// `DetectPiiEntities`).
    pub fn new(treatment: Treatment, language: &str) -> Result<Self, String> {
        if treatment == Treatment::Comprehend && !matches!(language, "en" | "es") {
            return Err(format!(
                "Comprehend finds personal data in en and es only, not in `{language}`"
            ));
        }
        Ok(Self {
            treatment,
            language: language.to_owned(),
        })
    }
}

/// Takes personal data out of texts.
#[derive(Clone, Debug)]
pub struct Masking {
    settings: Settings,
    comprehend: aws_sdk_comprehend::Client,
}

impl Masking {
    /// Makes it with a client of its own: of Comprehend itself, also where another service classifies. In a local stack that is
    /// the built-in service.
    pub fn new(settings: Settings, sdk: &SdkConfig) -> Self {
        Self {
            settings,
            comprehend: clients::comprehend(sdk, None),
        }
    }

    /// Does something else with personal data.
    ///
    /// # Errors
    ///
    /// As [`Settings::new`].
    pub fn with(mut self, treatment: Treatment) -> Result<Self, String> {
        self.settings = Settings::new(treatment, &self.settings.language)?;
        Ok(self)
    }

    /// Returns whether texts are stored as they come.
    pub fn is_off(&self) -> bool {
        self.settings.is_off()
    }

    /// Returns whether Comprehend is asked about each text, which takes its time.
    pub fn asks(&self) -> bool {
        self.settings.treatment == Treatment::Comprehend
    }

    /// Replaces personal data in a text by its kind in square brackets, such as `[EMAIL]`. Returns the kinds that were
    /// found.
    ///
    /// # Errors
    ///
    /// [`NotMasked`], when Comprehend does not answer: the text is as it was.
    pub async fn apply(&self, text: &mut String) -> Result<Kinds, NotMasked> {
        match self.settings.treatment {
            Treatment::Keep => Ok(Kinds::new()),
            Treatment::Mask => {
                let masked = personal_data::mask(text);
                let kinds = masked.kinds.iter().map(|kind| kind.as_str().to_owned());
                let (kinds, masked) = (kinds.collect(), masked.text.into_owned());
                *text = masked;
                Ok(kinds)
            }
            // A call of an SDK takes some kilobytes of a future.
            Treatment::Comprehend => Box::pin(self.ask_comprehend(text)).await,
        }
    }

    /// Does so with several texts; returns the kinds of each.
    ///
    /// # Errors
    ///
    /// [`NotMasked`], as soon as Comprehend fails to answer for one of them.
    pub async fn apply_to_all(
        &self,
        texts: impl IntoIterator<Item = &mut String>,
    ) -> Result<Vec<Kinds>, NotMasked> {
        stream::iter(texts)
            .map(|text| self.apply(text))
            .buffered(IN_FLIGHT)
            .try_collect()
            .await
    }

    /// Takes personal data out of what may be no text at all; what cannot be looked through is left out. Returns whether it
    /// was.
    ///
    /// Where a JSON document escapes letters, its texts are looked through as they read, and it is written anew.
    ///
    /// # Errors
    ///
    /// [`NotMasked`], when Comprehend does not answer.
    pub async fn apply_to_raw(&self, raw: &mut Vec<u8>) -> Result<bool, NotMasked> {
        if self.is_off() {
            return Ok(false);
        }
        let is_too_long = self.settings.treatment == Treatment::Comprehend && raw.len() > MAX_TEXT_BYTES;
        match String::from_utf8(std::mem::take(raw)) {
            Ok(mut text) if !is_too_long => {
                // An escape hides what follows it: the n of a line feed is no letter of the number after it.
                if text.contains('\\') {
                    let Ok(mut document) = serde_json::from_str::<Value>(&text) else {
                        return Ok(true);
                    };
                    self.apply_to_all(texts_of(&mut document)).await?;
                    text = document.to_string();
                }
                self.apply(&mut text).await?;
                *raw = text.into_bytes();
                Ok(false)
            }
            Ok(_) | Err(_) => Ok(true),
        }
    }

    /// Asks about a text, piece by piece where it is longer than one call takes.
    async fn ask_comprehend(&self, text: &mut String) -> Result<Kinds, NotMasked> {
        let (mut kinds, mut masked) = (Kinds::new(), String::with_capacity(text.len()));
        for piece in pieces(text) {
            let mut piece = piece.to_owned();
            kinds.append(&mut self.ask_about(&mut piece).await?);
            masked.push_str(&piece);
        }
        *text = masked;
        Ok(kinds)
    }

    async fn ask_about(&self, text: &mut String) -> Result<Kinds, NotMasked> {
        if text.trim().is_empty() {
            return Ok(Kinds::new());
        }
        let call = self.comprehend.detect_pii_entities();
        let language = LanguageCode::from(self.settings.language.as_str());
        let answer = call.text(text.as_str()).language_code(language).send().await;
        let answer = answer.map_err(|error| NotMasked::Comprehend(error.into()))?;

        let starts: Vec<usize> = text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .collect();
        let found = answer.entities().iter().map(|entity| piece(entity, &starts));
        let mut found: Vec<_> = found.collect::<Option<_>>().ok_or(NotMasked::OutOfPlace)?;
        found.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        *text = personal_data::replace(text, &found).into_owned();
        Ok(found.iter().map(|(_, kind)| (*kind).to_owned()).collect())
    }
}

/// Cuts a text into pieces that one call takes, behind white space where there is any.
fn pieces(text: &str) -> Vec<&str> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while rest.len() > MAX_TEXT_BYTES {
        let most = rest.floor_char_boundary(MAX_TEXT_BYTES);
        let behind_space = rest[..most].rfind(char::is_whitespace).map(|at| {
            let space = rest[at..].chars().next().map_or(0, char::len_utf8);
            at + space
        });
        let (piece, left) = rest.split_at(behind_space.unwrap_or(most));
        pieces.push(piece);
        rest = left;
    }
    pieces.push(rest);
    pieces
}

/// Returns the texts in a document.
fn texts_of(document: &mut Value) -> Vec<&mut String> {
    match document {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter_mut().flat_map(texts_of).collect(),
        Value::Object(members) => members.values_mut().flat_map(texts_of).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// Returns which bytes an entity is, and its kind; Comprehend counts characters.
fn piece<'a>(entity: &'a PiiEntity, starts: &[usize]) -> Option<(Range<usize>, &'a str)> {
    let at = |offset: Option<i32>| starts.get(usize::try_from(offset?).ok()?).copied();
    let range = at(entity.begin_offset)?..at(entity.end_offset)?;
    Some((range, entity.r#type.as_ref()?.as_str()))
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use axum::{Router, http::StatusCode};

    use super::*;

    fn masking(treatment: Treatment, status: StatusCode, body: &'static str) -> Masking {
        let router = Router::new().fallback(move || async move { (status, body) });
        let sdk = local_aws::transport::sdk_config(router, Credentials::from_keys("test", "test", None));
        Masking::new(Settings::new(treatment, "en").expect("a language of both"), &sdk)
    }

    #[tokio::test]
    async fn what_comprehend_finds_is_masked_by_characters_and_overlaps_once() {
        let body = r#"{"Entities":[
            {"Type":"NAME","BeginOffset":6,"EndOffset":11,"Score":0.9},
            {"Type":"NAME","BeginOffset":0,"EndOffset":5,"Score":0.4},
            {"Type":"ADDRESS","BeginOffset":3,"EndOffset":5,"Score":0.4}]}"#;
        let masking = masking(Treatment::Comprehend, StatusCode::OK, body);
        let mut text = "Zoë\u{1F600}\u{1F600} Smith".to_owned();

        let kinds = masking.apply(&mut text).await.expect("Comprehend answers");

        assert_eq!(text, "[NAME] [NAME]");
        assert_eq!(kinds, Kinds::from(["ADDRESS".to_owned(), "NAME".to_owned()]));
    }

    #[test]
    fn a_text_that_is_longer_than_a_call_takes_is_cut_behind_white_space_and_loses_nothing() {
        let words = "Zoë ".repeat(50_000);
        let solid = "é".repeat(60_000);

        for text in [words.as_str(), &solid, "short", ""] {
            let pieces = pieces(text);
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().all(|piece| piece.len() <= MAX_TEXT_BYTES));
        }
        assert!(
            pieces(&words)
                .iter()
                .all(|piece| piece.ends_with(' ') || piece.is_empty())
        );
        assert_eq!(pieces(&solid).len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_answer_of_comprehend_nothing_is_masked_and_it_is_an_error_without_the_text() {
        let masking = masking(Treatment::Comprehend, StatusCode::INTERNAL_SERVER_ERROR, "{}");
        let mut text = "Jane".to_owned();

        let error = masking.apply(&mut text).await.expect_err("no answer");

        assert!(!crate::failure::chain(&error).contains("Jane"));
        assert!(masking.apply_to_raw(&mut b"Jane".to_vec()).await.is_err());
    }

    #[tokio::test]
    async fn an_answer_that_does_not_fit_the_text_is_an_error() {
        let body = r#"{"Entities":[{"Type":"NAME","BeginOffset":2,"EndOffset":11,"Score":0.9}]}"#;
        let masking = masking(Treatment::Comprehend, StatusCode::OK, body);

        let error = masking.apply(&mut "Jane".to_owned()).await;

        assert!(matches!(error, Err(NotMasked::OutOfPlace)));
    }

    #[tokio::test]
    async fn by_form_no_service_is_asked_and_what_is_no_text_is_left_out() {
        let masking = masking(Treatment::Mask, StatusCode::INTERNAL_SERVER_ERROR, "");
        let mut texts = ["a@b.de".to_owned(), "none".to_owned()];
        let (mut raw, mut bytes) = (b"\"a@b.de\",1".to_vec(), b"a@b.de \xff".to_vec());

        let kinds = masking.apply_to_all(&mut texts).await.expect("by form");
        let left_out = [
            masking.apply_to_raw(&mut raw).await.expect("by form"),
            masking.apply_to_raw(&mut bytes).await.expect("by form"),
        ];

        assert_eq!(texts, ["[EMAIL]", "none"]);
        assert_eq!(kinds, [Kinds::from(["EMAIL".to_owned()]), Kinds::new()]);
        assert_eq!(
            (raw.as_slice(), bytes.as_slice()),
            (&b"\"[EMAIL]\",1"[..], &b""[..])
        );
        assert_eq!(left_out, [false, true]);
    }

    #[tokio::test]
    async fn a_document_with_escapes_is_looked_through_as_it_reads() {
        let masking = masking(Treatment::Mask, StatusCode::INTERNAL_SERVER_ERROR, "");
        let mut document =
            br#"{"a":["Card\n4111 1111 1111 1111","+49\u0020171\u00205556677"],"b":"IP\t192.168.55.67","c":"zz\u0040b.de"}"#.to_vec();
        let mut broken = br#"{"a":"IP\n192.168.55.67""#.to_vec();

        let left_out = [
            masking.apply_to_raw(&mut document).await.expect("by form"),
            masking.apply_to_raw(&mut broken).await.expect("by form"),
        ];

        assert_eq!(left_out, [false, true]);
        assert_eq!(
            String::from_utf8_lossy(&document),
            r#"{"a":["Card\n[CREDIT_DEBIT_NUMBER]","[PHONE]"],"b":"IP\t[IP_ADDRESS]","c":"[EMAIL]"}"#
        );
    }

    #[tokio::test]
    async fn with_keep_a_text_stays_as_it_came() {
        let masking = masking(Treatment::Keep, StatusCode::OK, "");
        let mut text = "a@b.de".to_owned();

        let kinds = masking.apply(&mut text).await.expect("nothing is asked");

        assert!(masking.is_off() && kinds.is_empty());
        assert_eq!(text, "a@b.de");
    }

    #[test]
    fn a_language_without_personal_data_is_refused_by_name_with_comprehend_only() {
        let env = |treatment| Env::from([("PERSONAL_DATA", treatment), ("LANGUAGE_CODE", "de")]);

        let refused = Settings::from_env(&env("comprehend")).expect_err("no German");

        assert!(refused.to_string().contains("LANGUAGE_CODE"), "{refused}");
        assert!(Settings::from_env(&env("mask")).is_ok());
    }
}
