//! One JSON document: an object with `classifier` and `sentences`, or an array of objects.

use std::{
    cell::Cell,
    io::{BufRead, BufReader, Read},
};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{BatchFile, ReadError, Sink, Unlimited, content, io_or_damaged};
use crate::feedback::{
    FeedbackRequest, InvalidFeedback,
    fields::{Known, unknown_field},
};

/// The fields of a document.
const FIELDS: [Known; 2] = [("classifier", "classifier"), ("sentences", "sentences")];

/// Returns the classifier that a JSON document names at its top level, wherever it stands.
///
/// The inner error says why nothing of the document can be used: a field that is unknown, given twice or of
/// another kind, which might have changed what all its texts mean.
///
/// # Errors
///
/// [`ReadError::Io`] when the file cannot be fetched; a damaged document has the classifier that was found
/// before.
pub fn json_classifier(
    file: BatchFile,
    input: impl Read,
) -> Result<Result<Option<String>, String>, ReadError> {
    let budget = Cell::new(0);
    let input = match content(file, input, &budget) {
        Ok(input) => input,
        Err(error) => return io_or_damaged(error).map(|_| Ok(None)),
    };
    let unlimited = Unlimited {
        inner: input,
        budget: &budget,
    };
    let mut head = Head::default();
    let read = serde_json::Deserializer::from_reader(BufReader::new(unlimited)).deserialize_any(&mut head);
    match read {
        Err(error) if error.is_io() => {
            io_or_damaged(error.into())?;
        }
        // Damage is told by who reads the texts.
        Ok(()) | Err(_) => {}
    }
    Ok(match head.refusal {
        Some(reason) => Err(format!("{reason}; nothing of the file was read")),
        None => Ok(head.classifier),
    })
}

/// What a document says beside its texts.
#[derive(Default)]
struct Head {
    classifier: Option<String>,
    seen: Vec<String>,
    refusal: Option<String>,
}

impl<'de> Visitor<'de> for &mut Head {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a document")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<String>()? {
            let refusal = if !FIELDS.iter().any(|(known, _)| *known == name) {
                Some(unknown_field(&name, &FIELDS).to_string())
            } else if self.seen.contains(&name) {
                Some(format!("field `{name}` is given more than once"))
            } else if name == "classifier" {
                let value = fields.next_value::<Box<RawValue>>()?;
                match serde_json::from_str::<Option<String>>(value.get()) {
                    Ok(named) => self.classifier = named,
                    Err(_) => self.refusal = Some("field `classifier` must be a text".to_owned()),
                }
                self.seen.push(name);
                continue;
            } else {
                None
            };
            self.refusal = self.refusal.take().or(refusal);
            self.seen.push(name);
            fields.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Reads the elements of a document.
pub(super) fn read(input: Box<dyn BufRead + '_>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut deserializer = serde_json::Deserializer::from_reader(input);
    let end = deserializer
        .deserialize_any(Document(&mut *sink))
        .and_then(|()| deserializer.end());
    match end {
        Ok(()) => Ok(()),
        Err(_) if sink.stopped => Ok(()),
        Err(error) if error.is_io() => {
            let reason = io_or_damaged(error.into())?;
            sink.bad(sink.number + 1, reason, b"");
            Ok(())
        }
        Err(error) => {
            let reason = match error.classify() {
                // Our own words: the visitor below never quotes the input.
                serde_json::error::Category::Data => error.to_string(),
                _ => InvalidFeedback::from(error).to_string(),
            };
            sink.bad(sink.number + 1, reason, b"");
            Ok(())
        }
    }
}

/// Streams the elements of a document to the sink.
struct Document<'a, 'b>(&'a mut Sink<'b>);

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object with `classifier` and `sentences`, or an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        stream(&mut elements, self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut sentences = false;
        while let Some(field) = fields.next_key::<String>()? {
            if field == "sentences" {
                sentences = true;
                fields.next_value_seed(Sentences(&mut *self.0))?;
            } else {
                // Looked at before: see `json_classifier`.
                fields.next_value::<IgnoredAny>()?;
            }
        }
        if sentences {
            Ok(())
        } else {
            Err(A::Error::custom("field `sentences` is missing"))
        }
    }
}

struct Sentences<'a, 'b>(&'a mut Sink<'b>);

impl<'de> DeserializeSeed<'de> for Sentences<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Sentences<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("`sentences` to be an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        stream(&mut elements, self.0)
    }
}

fn stream<'de, A: SeqAccess<'de>>(elements: &mut A, sink: &mut Sink<'_>) -> Result<(), A::Error> {
    let mut number = 0;
    while let Some(element) = elements.next_element::<Box<RawValue>>()? {
        number += 1;
        let raw = element.get();
        if !sink.put(number, request(raw), raw.as_bytes()) {
            return Err(A::Error::custom("no more is wanted"));
        }
    }
    Ok(())
}

/// Reads an element: a text, or an object with the fields of a request.
fn request(element: &str) -> Result<FeedbackRequest, String> {
    let request = match element.as_bytes().first() {
        Some(b'"') => match serde_json::from_str(element) {
            Ok(sentence) => Ok(FeedbackRequest {
                sentence,
                ..FeedbackRequest::default()
            }),
            Err(_) => Err(InvalidFeedback::HalfSurrogate("sentence")),
        },
        Some(b'{') => FeedbackRequest::parse(element.as_bytes()),
        _ => return Err("neither a text nor an object".to_owned()),
    };
    request.map_err(|error| error.to_string())
}
