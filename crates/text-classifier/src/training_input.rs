//! Comprehend's `DocumentClassifierInputDataConfig`: where training data lies and how it is written.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use text_model::{
    Mode,
    training_data::{LABEL_DELIMITER, LabelSyntax},
};

use crate::{
    api_error::ApiError,
    s3_uri::S3Uri,
    validation::{self, invalid, required},
};

const MAX_MANIFESTS: usize = 5;
const MAX_ATTRIBUTES: usize = 5;
const LABEL_DELIMITERS: &str = " ~!@#$%^*-_+=|\\:;\t>?/";
const NATIVE_DOCUMENTS: &str = "only documents of plain text are supported";

/// As a request sends it, and as describing the classifier shows it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InputDataConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_s3_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_delimiter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augmented_manifests: Option<Vec<AugmentedManifest>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_type: Option<String>,
    /// Of native documents: refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents: Option<Value>,
    /// Of native documents: refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_reader_config: Option<Value>,
}

/// Comprehend's `AugmentedManifestsListItem`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AugmentedManifest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute_names: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotation_data_s3_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_documents_s3_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_type: Option<String>,
}

/// Training data that can be read.
#[derive(Debug, PartialEq)]
pub(crate) struct Input {
    pub syntax: LabelSyntax,
    pub sources: Vec<Source>,
}

/// Objects of one format.
#[derive(Debug, PartialEq)]
pub(crate) struct Source {
    pub uri: S3Uri,
    pub use_for: Use,
    /// Of an augmented manifest.
    pub attributes: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Use {
    Train,
    Test,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum DataFormat {
    ComprehendCsv,
    AugmentedManifest,
}

#[derive(PartialEq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum DocumentType {
    PlainTextDocument,
    SemiStructuredDocument,
}

impl InputDataConfig {
    /// Checks the members and their combination.
    pub(crate) fn input(&self, mode: Mode) -> Result<Input, ApiError> {
        plain_text_only(self.document_type.as_deref())?;
        validation::unsupported(self.documents.as_ref(), NATIVE_DOCUMENTS)?;
        validation::unsupported(self.document_reader_config.as_ref(), NATIVE_DOCUMENTS)?;
        let delimiter = delimiter(self.label_delimiter.as_deref())?;
        let format = self.data_format.as_deref().unwrap_or("COMPREHEND_CSV");
        let sources = match validation::enumeration("inputDataConfig.dataFormat", format)? {
            DataFormat::ComprehendCsv => self.csv()?,
            DataFormat::AugmentedManifest => self.manifests()?,
        };
        let syntax = match mode {
            Mode::MultiClass => LabelSyntax::One,
            Mode::MultiLabel => LabelSyntax::Several(delimiter),
        };
        Ok(Input { syntax, sources })
    }

    fn csv(&self) -> Result<Vec<Source>, ApiError> {
        if self.augmented_manifests.is_some() {
            return Err(ApiError::InvalidRequest(
                "AugmentedManifests belong to the data format AUGMENTED_MANIFEST",
            ));
        }
        let train = self.s3_uri.as_deref();
        let train = train.ok_or(ApiError::InvalidRequest("COMPREHEND_CSV needs an S3Uri"))?;
        let csv = |use_for, uri| Source {
            uri,
            use_for,
            attributes: None,
        };
        let mut sources = vec![csv(
            Use::Train,
            validation::s3_uri("inputDataConfig.s3Uri", train)?,
        )];
        if let Some(test) = &self.test_s3_uri {
            let test = validation::s3_uri("inputDataConfig.testS3Uri", test)?;
            sources.push(csv(Use::Test, test));
        }
        Ok(sources)
    }

    fn manifests(&self) -> Result<Vec<Source>, ApiError> {
        if self.s3_uri.is_some() || self.test_s3_uri.is_some() {
            return Err(ApiError::InvalidRequest(
                "AUGMENTED_MANIFEST takes its URIs in AugmentedManifests",
            ));
        }
        let manifests = self.augmented_manifests.as_deref().unwrap_or_default();
        let sources: Vec<Source> = manifests
            .iter()
            .map(AugmentedManifest::source)
            .collect::<Result<_, _>>()?;
        if !sources.iter().any(|source| source.use_for == Use::Train) {
            return Err(ApiError::InvalidRequest(
                "AUGMENTED_MANIFEST needs a manifest to train on",
            ));
        }
        if sources.len() > MAX_MANIFESTS {
            return Err(ApiError::InvalidRequest(
                "there may be at most 5 AugmentedManifests",
            ));
        }
        Ok(sources)
    }
}

impl AugmentedManifest {
    fn source(&self) -> Result<Source, ApiError> {
        plain_text_only(self.document_type.as_deref())?;
        let uri = required("augmentedManifests.s3Uri", self.s3_uri.as_deref())?;
        let attributes = required("augmentedManifests.attributeNames", self.attribute_names.clone())?;
        for attribute in &attributes {
            validation::name(
                "augmentedManifests.attributeNames",
                attribute,
                validation::MAX_NAME,
            )?;
        }
        if attributes.is_empty() || attributes.len() > MAX_ATTRIBUTES {
            return Err(ApiError::InvalidRequest("a manifest has 1 to 5 AttributeNames"));
        }
        let split = self.split.as_deref().unwrap_or("TRAIN");
        Ok(Source {
            uri: validation::s3_uri("augmentedManifests.s3Uri", uri)?,
            use_for: validation::enumeration("augmentedManifests.split", split)?,
            attributes: Some(attributes),
        })
    }
}

fn plain_text_only(document_type: Option<&str>) -> Result<(), ApiError> {
    let document_type = document_type.unwrap_or("PLAIN_TEXT_DOCUMENT");
    match validation::enumeration("inputDataConfig.documentType", document_type)? {
        DocumentType::PlainTextDocument => Ok(()),
        DocumentType::SemiStructuredDocument => Err(ApiError::InvalidRequest(NATIVE_DOCUMENTS)),
    }
}

pub(crate) fn delimiter(value: Option<&str>) -> Result<char, ApiError> {
    let Some(value) = value else {
        return Ok(LABEL_DELIMITER);
    };
    let mut characters = value.chars();
    match (characters.next(), characters.next()) {
        (Some(delimiter), None) if LABEL_DELIMITERS.contains(delimiter) => Ok(delimiter),
        _ => Err(invalid(
            "inputDataConfig.labelDelimiter",
            r"Member must satisfy regular expression pattern: ^[ ~!@#$%^*\-_+=|\\:;\t>?/]$",
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn input(config: Value) -> Result<Input, ApiError> {
        let config: InputDataConfig = serde_json::from_value(config).expect("a config");
        config.input(Mode::MultiLabel)
    }

    #[test]
    fn csv_is_the_default_format_and_a_bar_the_default_delimiter() {
        let input =
            input(json!({"S3Uri": "s3://bucket/train", "TestS3Uri": "s3://bucket/test.csv"})).expect("good");

        assert_eq!(input.syntax, LabelSyntax::Several('|'));
        let uses: Vec<_> = input
            .sources
            .iter()
            .map(|source| (source.use_for, source.uri.key.as_str()))
            .collect();
        assert_eq!(uses, [(Use::Train, "train"), (Use::Test, "test.csv")]);
    }

    #[test]
    fn manifests_are_for_training_unless_they_say_test() {
        let manifests = json!([
            {"S3Uri": "s3://bucket/a", "AttributeNames": ["topic"]},
            {"S3Uri": "s3://bucket/b", "AttributeNames": ["topic"], "Split": "TEST"},
        ]);

        let input = input(json!({"DataFormat": "AUGMENTED_MANIFEST", "AugmentedManifests": manifests}))
            .expect("good");

        let uses: Vec<_> = input.sources.iter().map(|source| source.use_for).collect();
        assert_eq!(uses, [Use::Train, Use::Test]);
    }

    #[test]
    fn each_bad_config_has_its_code() {
        let manifest = |attributes: Value| {
            json!({"DataFormat": "AUGMENTED_MANIFEST",
                   "AugmentedManifests": [{"S3Uri": "s3://bucket/a", "AttributeNames": attributes}]})
        };
        let many = vec![json!({"S3Uri": "s3://bucket/a", "AttributeNames": ["a"]}); 6];
        for (config, code) in [
            (json!({}), "InvalidRequestException"),
            (json!({"S3Uri": "bucket/a"}), "ValidationException"),
            (
                json!({"S3Uri": "s3://bucket/a", "TestS3Uri": "s3://B"}),
                "ValidationException",
            ),
            (
                json!({"S3Uri": "s3://bucket/a", "DataFormat": "CSV"}),
                "ValidationException",
            ),
            (
                json!({"S3Uri": "s3://bucket/a", "LabelDelimiter": ","}),
                "ValidationException",
            ),
            (
                json!({"S3Uri": "s3://bucket/a", "LabelDelimiter": "||"}),
                "ValidationException",
            ),
            (
                json!({"S3Uri": "s3://bucket/a", "DocumentType": "SEMI_STRUCTURED_DOCUMENT"}),
                "InvalidRequestException",
            ),
            (
                json!({"S3Uri": "s3://bucket/a", "Documents": {"S3Uri": "s3://bucket/d"}}),
                "InvalidRequestException",
            ),
            (
                json!({"S3Uri": "s3://bucket/a", "AugmentedManifests": []}),
                "InvalidRequestException",
            ),
            (
                json!({"DataFormat": "AUGMENTED_MANIFEST"}),
                "InvalidRequestException",
            ),
            (
                json!({"DataFormat": "AUGMENTED_MANIFEST", "S3Uri": "s3://bucket/a"}),
                "InvalidRequestException",
            ),
            (
                json!({"DataFormat": "AUGMENTED_MANIFEST", "AugmentedManifests": many}),
                "InvalidRequestException",
            ),
            (manifest(json!(["with_underscore"])), "ValidationException"),
            (manifest(json!([])), "InvalidRequestException"),
            (
                manifest(json!(["a", "b", "c", "d", "e", "f"])),
                "InvalidRequestException",
            ),
        ] {
            let refusal = input(config.clone()).expect_err("a bad config");

            assert_eq!(refusal.code(), code, "{config}");
        }
    }
}
