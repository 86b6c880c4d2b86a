//! The checks that requests and records share.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::{InvalidFeedback, schema::UNKNOWN_CONFIDENCE};
use crate::{MAX_CLASSIFIER_BYTES, MAX_UTTERANCE_BYTES, text::is_blank};

/// Most digits behind a decimal comma.
const MAX_DECIMALS: usize = 20;

/// Longest name of an unknown field that is repeated in an answer, in characters; a longer one may be a text.
const MAX_SHOWN_NAME: usize = 40;

/// Names of fields that people try, with what they are called here.
const OTHER_NAMES: [(&str, &str); 26] = [
    ("category", "label"),
    ("class", "label"),
    ("correction", "label"),
    ("correctlabel", "label"),
    ("dislike", "feedback"),
    ("document", "sentence"),
    ("expected", "label"),
    ("labels", "label"),
    ("like", "feedback"),
    ("message", "sentence"),
    ("model", "classifier"),
    ("opinion", "feedback"),
    ("predicted", "prediction"),
    ("predictedlabel", "prediction"),
    ("rating", "feedback"),
    ("score", "confidence"),
    // Of a record, whose text has another name than that of a request.
    ("sentence", "utterance"),
    ("signal", "feedback"),
    ("rightlabel", "label"),
    ("suggestedlabel", "label"),
    ("text", "sentence"),
    ("truelabel", "label"),
    ("vote", "feedback"),
    // What a user calls wrong is what was predicted.
    ("wrong", "prediction"),
    ("wronglabel", "prediction"),
    ("wrongprediction", "prediction"),
];

/// A field of a request: a name that may be given, and the field that it fills.
pub type Known = (&'static str, &'static str);

/// The fields of a JSON object, by name; those that are `null` are left out.
pub type Fields = BTreeMap<&'static str, Value>;

/// Reads the fields of a JSON object, each of which must be known and may be given once.
///
/// # Errors
///
/// [`InvalidFeedback`] naming the field and what is wrong with it, never its value.
pub fn parse_fields(json: &[u8], known: &[Known]) -> Result<Fields, InvalidFeedback> {
    let json = as_utf8(json)?;
    let found = first_byte(json);
    if found != Some(b'{') && serde_json::from_slice::<serde::de::IgnoredAny>(json).is_ok() {
        return Err(InvalidFeedback::NoObject(found.map_or("nothing", kind_of_byte)));
    }
    let Pairs(pairs) = serde_json::from_slice(json)?;
    let mut fields = Fields::new();
    for (name, raw) in pairs {
        let field = known
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, field)| *field);
        let field = field.ok_or_else(|| unknown_field(&name, known))?;
        let value = read_value(field, raw)?;
        if value.is_null() {
            continue;
        }
        if fields.insert(field, value).is_some() {
            return Err(InvalidFeedback::Twice(field));
        }
    }
    Ok(fields)
}

/// Checks that a record's line holds no field but these.
///
/// A line with a `schemaVersion` may be of a later program of that version, so of it only those are refused that misspell
/// a field, or are called as one of a request is: nobody would see what they say.
///
/// # Errors
///
/// [`InvalidFeedback::UnknownField`] naming the first.
pub(super) fn check_line_fields(line: &[u8], known: &[Known]) -> Result<(), InvalidFeedback> {
    let Names(names) = serde_json::from_slice(line)?;
    let is_versioned = names.iter().any(|name| name == "schemaVersion");
    let is_meant = |name: &str| {
        let folded = folded_name(name);
        let mut fields = known.iter().chain(&super::request::FIELDS);
        fields.any(|(field, _)| folded_name(field) == folded)
            || OTHER_NAMES.iter().any(|(other, _)| *other == folded)
    };
    let is_unknown = |name: &&String| !known.iter().any(|(field, _)| field == name);
    let mut unknown = names.iter().filter(is_unknown);
    match unknown.find(|name| !is_versioned || is_meant(name)) {
        Some(name) => Err(unknown_field(name, known)),
        None => Ok(()),
    }
}

fn first_byte(json: &[u8]) -> Option<u8> {
    json.trim_ascii_start().first().copied()
}

/// Names the kind of a JSON value by its first byte.
fn kind_of_byte(byte: u8) -> &'static str {
    match byte {
        b'{' => "an object",
        b'[' => "an array",
        b'"' => "a text",
        b't' | b'f' => "true or false",
        b'n' => "null",
        _ => "a number",
    }
}

/// Reads one value; of a whole body that can be read only half a surrogate pair or a huge number is wrong
/// with it.
fn read_value(field: &'static str, raw: &RawValue) -> Result<Value, InvalidFeedback> {
    serde_json::from_str(raw.get()).map_err(|_| {
        let text = raw.get().starts_with('"');
        if text {
            InvalidFeedback::HalfSurrogate(field)
        } else {
            InvalidFeedback::WrongType {
                field,
                expected: "a value that can be read",
                found: kind_of_byte(first_byte(raw.get().as_bytes()).unwrap_or_default()),
            }
        }
    })
}

/// The members of an object as they were found; the same name may come more than once.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor).map(Pairs)
    }
}

/// The names of an object's members.
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = deserializer.deserialize_map(PairsVisitor)?;
        Ok(Self(pairs.into_iter().map(|(name, _)| name).collect()))
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

/// Says that a field is unknown, and what is probably meant. A name that looks like a text is not repeated.
pub fn unknown_field(name: &str, known: &[Known]) -> InvalidFeedback {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let shown = if !name.is_empty() && name.chars().count() <= MAX_SHOWN_NAME && name.chars().all(is_name) {
        format!("`{name}`")
    } else {
        format!(
            "({} {}, not shown: it may be a text)",
            name.len(),
            if name.len() == 1 { "byte" } else { "bytes" }
        )
    };
    let advice = match meant(name, known) {
        Some(field) => format!("did you mean `{field}`?"),
        None => format!("the fields are {}", list(known)),
    };
    InvalidFeedback::UnknownField { shown, advice }
}

/// Returns the field that a name stands for but for its case, or that people often call so.
fn meant(name: &str, known: &[Known]) -> Option<&'static str> {
    let folded = folded_name(name);
    let same = known.iter().find(|(other, _)| folded_name(other) == folded);
    let other = |folded: &str| {
        let pair = OTHER_NAMES.iter().find(|(other, _)| *other == folded);
        pair.map(|(_, field)| *field)
    };
    let is_known = |meant: &&str| known.iter().any(|(name, _)| name == meant);
    same.map(|(name, _)| *name).or_else(|| {
        let field = other(&folded)?;
        Some(field)
            .filter(is_known)
            .or_else(|| other(field).filter(is_known))
    })
}

/// Folds a name's case and drops what separates its words.
pub fn folded_name(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace(['_', ' ', '-'], "")
}

fn list(known: &[Known]) -> String {
    let mut names: Vec<String> = known.iter().map(|(_, field)| format!("`{field}`")).collect();
    names.dedup();
    names.join(", ")
}

/// Takes a text out of the fields.
///
/// # Errors
///
/// [`InvalidFeedback::WrongType`] where it is something else.
pub fn take_text(fields: &mut Fields, field: &'static str) -> Result<Option<String>, InvalidFeedback> {
    match fields.remove(field) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(value) => Err(InvalidFeedback::WrongType {
            field,
            expected: "a text",
            found: kind(&value),
        }),
    }
}

/// Takes a label out of the fields, or several of one text with a bar between them.
///
/// # Errors
///
/// [`InvalidFeedback::WrongType`] where it is something else; that of a list says how several labels are written.
pub(super) fn take_label(
    fields: &mut Fields,
    field: &'static str,
) -> Result<Option<String>, InvalidFeedback> {
    take_text(fields, field).map_err(|error| match error {
        InvalidFeedback::WrongType {
            field,
            found: found @ "an array",
            ..
        } => InvalidFeedback::WrongType {
            field,
            expected: "a text, in which a bar (|) stands between several labels",
            found,
        },
        other => other,
    })
}

/// Takes a name out of the fields, without white space around it.
///
/// # Errors
///
/// [`InvalidFeedback::WrongType`].
pub fn take_name(fields: &mut Fields, field: &'static str) -> Result<Option<String>, InvalidFeedback> {
    let name = take_text(fields, field)?;
    Ok(name.map(|name| name.trim().to_owned()))
}

/// Takes a probability out of the fields: a number, a text that is one, or the word for "unknown".
pub(super) fn take_confidence(fields: &mut Fields) -> Result<Option<f32>, InvalidFeedback> {
    let number = match fields.remove("confidence") {
        None => return Ok(None),
        Some(Value::String(word)) if word.is_empty() || word == UNKNOWN_CONFIDENCE => return Ok(None),
        Some(Value::String(word)) => match with_decimal_point(&word) {
            Some(point) => {
                let comma = word.trim().to_owned();
                return Err(InvalidFeedback::DecimalComma { comma, point });
            }
            None => word.trim().parse().ok(),
        },
        Some(Value::Number(number)) => number.as_f64().map(|number| number as f32),
        Some(_) => None,
    };
    probability(Some(number.ok_or(InvalidFeedback::Confidence)?))
}

/// Returns a probability that is written with a decimal comma, such as `0,83`, with a point; none where it is something else.
pub fn with_decimal_point(number: &str) -> Option<String> {
    let (whole, decimals) = number.trim().split_once(',')?;
    let are_digits =
        (1..=MAX_DECIMALS).contains(&decimals.len()) && decimals.bytes().all(|c| c.is_ascii_digit());
    (are_digits && matches!(whole, "0" | "1")).then(|| format!("{whole}.{decimals}"))
}

/// Names the kind of a JSON value.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Reads a JSON object; an array, which would pass for an object's fields in order, is none.
///
/// # Errors
///
/// [`InvalidFeedback::Json`], which does not quote the input.
pub(super) fn parse_object<T: DeserializeOwned>(json: &[u8]) -> Result<T, InvalidFeedback> {
    if first_byte(json) == Some(b'[') {
        return Err(InvalidFeedback::NoObject("an array"));
    }
    Ok(serde_json::from_slice(json)?)
}

/// Returns JSON without a byte order mark.
///
/// # Errors
///
/// [`InvalidFeedback::Encoding`] where it is no UTF-8.
fn as_utf8(json: &[u8]) -> Result<&[u8], InvalidFeedback> {
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    match json {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Err(InvalidFeedback::Encoding("UTF-16")),
        [0x1f, 0x8b, ..] => return Err(InvalidFeedback::Encoding("compressed with gzip")),
        _ => {}
    }
    match std::str::from_utf8(json) {
        Ok(_) => Ok(json),
        Err(_) => Err(InvalidFeedback::Encoding("in another encoding")),
    }
}

/// Checks the two texts that every request must have: a text of which nothing can be seen is blank.
///
/// # Errors
///
/// [`InvalidFeedback::Missing`], [`InvalidFeedback::Blank`] or a length error.
pub fn check_texts(classifier: &str, sentence: &str) -> Result<(), InvalidFeedback> {
    check_lengths(classifier, sentence)?;
    if is_blank(sentence) {
        return Err(InvalidFeedback::Blank("sentence"));
    }
    Ok(())
}

/// Checks that two texts are there and not too long.
pub(super) fn check_lengths(classifier: &str, sentence: &str) -> Result<(), InvalidFeedback> {
    if classifier.trim().is_empty() {
        return Err(InvalidFeedback::Missing("classifier"));
    }
    if classifier.len() > MAX_CLASSIFIER_BYTES {
        return Err(InvalidFeedback::FieldTooLong {
            field: "classifier",
            limit: MAX_CLASSIFIER_BYTES,
        });
    }
    if sentence.trim().is_empty() {
        return Err(InvalidFeedback::Missing("sentence"));
    }
    if sentence.len() > MAX_UTTERANCE_BYTES {
        return Err(InvalidFeedback::TooLong(sentence.len()));
    }
    Ok(())
}

pub(super) fn probability(confidence: Option<f32>) -> Result<Option<f32>, InvalidFeedback> {
    match confidence {
        Some(number) if !(0.0..=1.0).contains(&number) => Err(InvalidFeedback::Confidence),
        other => Ok(other),
    }
}

/// Reads a number, the word for "unknown", or nothing.
pub(super) fn confidence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Confidence {
        Number(f32),
        Word(String),
    }
    match Option::<Confidence>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Confidence::Number(number)) => Ok(Some(number)),
        Some(Confidence::Word(word)) if word.is_empty() || word == UNKNOWN_CONFIDENCE => Ok(None),
        Some(Confidence::Word(word)) => word.trim().parse().map(Some).map_err(serde::de::Error::custom),
    }
}
