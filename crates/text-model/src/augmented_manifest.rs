//! Training data in SageMaker's augmented manifests: one JSON object a line, `{"source": "text", "<attribute>":
//! 0, "<attribute>-metadata": {"class-name": "label", …}}`; with several labels the metadata has a `class-map`.
//!
//! Differs from Comprehend: the text must be in the line, `source-ref` is refused.

use std::io::BufRead;

use active_learning_core::labels::manifest_classes::classes_of_label;
use serde_json::Value;

use crate::training_data::{Collector, TrainingDataError};

/// Begins files that some editors write.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Collector {
    /// Adds the lines of a manifest; of several attributes the first that a line has counts. A byte order mark before the first
    /// line is no part of it.
    ///
    /// # Errors
    ///
    /// [`TrainingDataError`] with line and reason.
    pub fn read_manifest(
        &mut self,
        file: impl BufRead,
        attributes: &[String],
    ) -> Result<(), TrainingDataError> {
        for (line, bytes) in (1..).zip(file.split(b'\n')) {
            let bytes = bytes.map_err(TrainingDataError::Read)?;
            let bytes = match bytes.strip_prefix(BYTE_ORDER_MARK) {
                Some(rest) if line == 1 => rest,
                _ => &bytes,
            };
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            let bad = |reason| TrainingDataError::Manifest { line, reason };
            if is_gzip(bytes) {
                return Err(bad("the file is compressed (gzip); unpack it"));
            }
            if is_utf_16(bytes) {
                return Err(bad("the file is UTF-16; save it as UTF-8"));
            }
            let text = std::str::from_utf8(bytes).map_err(|_| TrainingDataError::NotUtf8 { line })?;
            let entry: Value = serde_json::from_str(text).map_err(|error| bad(no_json(&error)))?;
            let source = entry["source"]
                .as_str()
                .ok_or(bad("no text in `source` (`source-ref` is not supported)"))?;
            let labels = attributes
                .iter()
                .find_map(|attribute| labels(&entry[format!("{attribute}-metadata")], entry.get(attribute)))
                .ok_or(bad("no attribute of the request labels it"))?;
            self.push(labels.iter().map(String::as_str), source, line)?;
        }
        Ok(())
    }
}

/// Returns whether a line is of a file in UTF-16: by its mark, or by a zero byte, which no JSON text holds.
fn is_utf_16(line: &[u8]) -> bool {
    line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff") || line.contains(&0)
}

/// Returns whether a file is compressed, by its first line.
fn is_gzip(line: &[u8]) -> bool {
    line.starts_with(b"\x1f\x8b")
}

/// Says why a line is no JSON: the reader tells half of a surrogate pair by its escape only.
fn no_json(error: &serde_json::Error) -> &'static str {
    match error.is_syntax() && error.to_string().contains("hex escape") {
        true => "it holds half of a surrogate pair (`\\ud800` to `\\udfff` alone), which is no character",
        false => "not JSON",
    }
}

fn labels(metadata: &Value, value: Option<&Value>) -> Option<Vec<String>> {
    classes_of_label(metadata, value).filter(|labels| !labels.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training_data::LabelSyntax;

    fn read(syntax: LabelSyntax, manifest: &str) -> Result<Collector, TrainingDataError> {
        let mut collector = Collector::new(syntax);
        collector.read_manifest(manifest.as_bytes(), &["topic".to_owned(), "other".to_owned()])?;
        Ok(collector)
    }

    #[test]
    fn labels_come_from_the_metadata_of_the_first_attribute_that_a_line_has() {
        let manifest = "{\"source\":\"one\",\"topic\":1,\"topic-metadata\":{\"class-name\":\"b\"}}\r\n\n\
                        {\"source\":\"two\",\"other\":0,\"other-metadata\":{\"class-name\":\"a\"}}\n";

        let set = read(LabelSyntax::One, manifest)
            .and_then(Collector::training_set)
            .expect("a good manifest");

        assert_eq!(set.labels, ["a", "b"]);
        assert_eq!(set.examples[0].labels[..], [1]);
    }

    #[test]
    fn a_manifest_with_a_byte_order_mark_is_read_and_one_in_utf_16_refused_by_name() {
        let line = |label: &str| {
            format!("{{\"source\":\"{label} x\",\"topic-metadata\":{{\"class-name\":\"{label}\"}}}}\n")
        };
        let manifest = line("a") + &line("b");
        let marked = format!("\u{feff}{manifest}");
        let utf_16: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();

        let set = read(LabelSyntax::One, &marked)
            .and_then(Collector::training_set)
            .expect("a good manifest");
        let mut collector = Collector::new(LabelSyntax::One);
        let refused = collector.read_manifest(&utf_16[..], &["topic".to_owned()]);

        assert_eq!(set.labels, ["a", "b"]);
        assert_eq!(
            refused.expect_err("not UTF-8").to_string(),
            "line 1: the file is UTF-16; save it as UTF-8"
        );
        let mut collector = Collector::new(LabelSyntax::One);
        let packed = collector.read_manifest(&b"\x1f\x8b\x08\0\0"[..], &["topic".to_owned()]);
        assert_eq!(
            packed.expect_err("packed").to_string(),
            "line 1: the file is compressed (gzip); unpack it"
        );
    }

    #[test]
    fn a_class_map_gives_several_labels() {
        let manifest = r#"{"source":"one","topic":[0,2],"topic-metadata":{"class-map":{"0":"a","2":"c"}}}"#;

        let set = read(LabelSyntax::Several('|'), manifest)
            .and_then(Collector::training_set)
            .expect("a good manifest");

        assert_eq!(set.examples[0].labels[..], [0, 1]);
    }

    #[test]
    fn each_bad_line_is_refused_with_its_number_and_reason() {
        for (manifest, message) in [
            ("\nnot JSON", "line 2: not JSON"),
            ("\n\u{feff}{}", "line 2: not JSON"),
            (
                r#"{"source":"one \ud800","topic-metadata":{"class-name":"a"}}"#,
                "line 1: it holds half of a surrogate pair (`\\ud800` to `\\udfff` alone), which is no character",
            ),
            ("{\0\"\0s\0o\0u\0", "line 1: the file is UTF-16; save it as UTF-8"),
            (
                r#"{"source-ref":"s3://b/k"}"#,
                "line 1: no text in `source` (`source-ref` is not supported)",
            ),
            (
                r#"{"source":"one","else-metadata":{"class-name":"a"}}"#,
                "line 1: no attribute of the request labels it",
            ),
            (
                r#"{"source":" ","topic-metadata":{"class-name":"a"}}"#,
                "line 1: the text is empty",
            ),
            (
                r#"{"source":"\u200b\ufeff","topic-metadata":{"class-name":"a"}}"#,
                "line 1: the text is empty",
            ),
            (
                r#"{"source":"one","topic-metadata":{"class-name":"\u200b"}}"#,
                "line 1: the label holds nothing that can be seen",
            ),
            (
                r#"{"source":"one","topic-metadata":{"class-name":"__None__"}}"#,
                "line 1: the label is a word of the review page, which says that no label was chosen",
            ),
            (
                r#"{"source":"one","topic-metadata":{"class-map":{"0":"a","1":"a\nb"}}}"#,
                "line 1: the label holds a line break or another control character",
            ),
        ] {
            let error = read(LabelSyntax::One, manifest).expect_err("a bad manifest");

            assert_eq!(error.to_string(), message);
        }
    }
}
