//! What a hosted model is sent: a template with a place for the text.

use serde_json::{Value, json};

/// Stands for the text in a template.
pub const PLACEHOLDER: &str = "{{text}}";

/// A request with a place for the text, which is written as the content type wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestTemplate {
    /// What stands between the places of the text.
    parts: Vec<String>,
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    Plain,
}

/// A template that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequestTemplate {
    /// It has no place for the text.
    #[error("expected {PLACEHOLDER} where the text belongs")]
    NoText,
    /// It makes no JSON, as the content type says.
    #[error("it is no JSON with a text in place of {PLACEHOLDER}, which brings its own quotation marks")]
    NoJson,
}

impl RequestTemplate {
    /// Reads a template for a content type: JSON and CSV get the text quoted, any other as it is.
    ///
    /// # Errors
    ///
    /// [`InvalidRequestTemplate`].
    pub fn new(template: &str, content_type: &str) -> Result<Self, InvalidRequestTemplate> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let format = match media_type.to_ascii_lowercase().as_str() {
            "text/csv" => Format::Csv,
            json if json == "application/json" || json.ends_with("+json") => Format::Json,
            _ => Format::Plain,
        };
        let parts: Vec<String> = template.split(PLACEHOLDER).map(str::to_owned).collect();
        let template = Self { parts, format };
        if template.parts.len() < 2 {
            return Err(InvalidRequestTemplate::NoText);
        }
        if format == Format::Json && serde_json::from_str::<Value>(&template.fill("a")).is_err() {
            return Err(InvalidRequestTemplate::NoJson);
        }
        Ok(template)
    }

    /// Returns the request for a text.
    pub fn fill(&self, text: &str) -> String {
        let text = match self.format {
            Format::Json => json!(text).to_string(),
            Format::Csv => format!("\"{}\"", text.replace('"', "\"\"")),
            Format::Plain => text.to_owned(),
        };
        self.parts.join(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str, content_type: &str) -> Result<String, InvalidRequestTemplate> {
        let template = RequestTemplate::new(template, content_type)?;
        Ok(template.fill("Say \"{{text}}\",\nplease"))
    }

    #[test]
    fn the_text_is_written_as_the_content_type_wants_it_and_never_filled_in_again() {
        assert_eq!(
            fill(r#"{"inputs": {{text}}}"#, "application/json; charset=utf-8").as_deref(),
            Ok(r#"{"inputs": "Say \"{{text}}\",\nplease"}"#)
        );
        assert_eq!(
            fill("{{text}}", "text/csv").as_deref(),
            Ok("\"Say \"\"{{text}}\"\",\nplease\"")
        );
        assert_eq!(
            fill("{{text}}", "text/plain").as_deref(),
            Ok("Say \"{{text}}\",\nplease")
        );
    }

    #[test]
    fn a_template_without_a_place_for_the_text_or_of_broken_json_is_refused() {
        assert_eq!(
            fill("{}", "application/json"),
            Err(InvalidRequestTemplate::NoText)
        );
        assert_eq!(
            fill(r#"{"inputs": "{{text}}"}"#, "application/json"),
            Err(InvalidRequestTemplate::NoJson)
        );
    }
}
