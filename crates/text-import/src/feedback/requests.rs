//! Objects of JSON, and rows of tools, as requests.

use active_learning_core::feedback::{
    Fields, InvalidFeedback, Known, parse_fields,
    prediction::{join_labels, split_labels},
    unknown_field,
};
use active_learning_core::labels::missing::is_missing;
use active_learning_core::repeated_field::read_once;
use serde_json::Value;

use crate::{
    Options,
    collect::twice,
    draft::{self, Draft},
    elements::Head,
    finish::aside_note,
    labels::{Written, name},
    tools::{Tool, fast_text, questions},
};

/// The fields of an item, and what they may be called.
pub(super) const FIELDS: [Known; 11] = [
    ("classifier", "classifier"),
    ("sentence", "sentence"),
    ("utterance", "sentence"),
    ("text", "sentence"),
    ("feedback", "feedback"),
    ("prediction", "prediction"),
    ("confidence", "confidence"),
    ("label", "label"),
    ("labels", "label"),
    ("predictionId", "predictionId"),
    ("user", "user"),
];

/// The fields of a document beside its texts.
const WHOLE_FIELDS: [Known; 8] = [
    ("classifier", "classifier"),
    ("sentences", "sentences"),
    ("feedback", "feedback"),
    ("prediction", "prediction"),
    ("confidence", "confidence"),
    ("label", "label"),
    ("labels", "label"),
    ("user", "user"),
];

/// Said of an object with a list of texts that is not the whole file.
const OF_A_FILE: &str = "field `sentences` is one of a whole file, and this is one item of several: put the object into a \
                         file of its own, or each text into an item with a field `sentence`";

/// Said of one text where a list of them is wanted.
const ONE_TEXT: &str = "field `sentences` must be a list of texts; one text is a field `sentence`";

/// Told of cells that are none, behind the number of items.
const NOTHING: &str = "items with a field such as `NULL`, `NaN` or `n/a`, which was read as none";

/// The requests of one item.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Requests {
    pub fields: Vec<Fields>,
    /// What of the item was read otherwise than it is written, or not at all.
    pub notes: Vec<&'static str>,
}

impl Requests {
    /// The requests of an item, without fields that say that there is nothing.
    pub(super) fn of(mut fields: Vec<Fields>) -> Self {
        let mut left_out = false;
        for fields in &mut fields {
            left_out |= leave_out_nothing(fields);
        }
        Self {
            fields,
            notes: left_out.then_some(NOTHING).into_iter().collect(),
        }
    }
}

/// Leaves out fields in which a program wrote that there is nothing; the text stays whatever it is. Returns whether there were
/// any.
fn leave_out_nothing(fields: &mut Fields) -> bool {
    let mut left_out = false;
    for (field, value) in fields.iter_mut().filter(|(field, _)| **field != "sentence") {
        let Value::String(text) = value else { continue };
        let parts = match *field {
            "label" | "prediction" => split_labels(text),
            _ => vec![text.clone()],
        };
        let kept: Vec<String> = parts.iter().filter(|part| !is_missing(part)).cloned().collect();
        if kept.len() < parts.len() {
            left_out = true;
            *value = match kept.is_empty() {
                true => Value::Null,
                false => Value::from(join_labels(kept)),
            };
        }
    }
    fields.retain(|_, value| !value.is_null());
    left_out
}

/// What a document says of all its texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Whole {
    /// The classifier that it names.
    pub classifier: Option<String>,
    /// Fields of texts that have none of their own.
    pub(super) fields: Fields,
    /// What is said of that.
    pub(super) repairs: Vec<String>,
    /// Whether the document is one item itself, not a list of texts.
    pub(super) is_item: bool,
}

impl Whole {
    /// Reads the fields of a document; the error says why nothing of it can be used.
    pub(super) fn of(head: &Head) -> Result<Self, String> {
        let refused = |reason: String| Err(format!("{reason}; nothing of the file was read"));
        let is_text = |(name, _): &(String, Value)| FIELDS.contains(&(name.as_str(), "sentence"));
        let has_texts = head.arrays.iter().any(|name| name == "sentences");
        if !has_texts && head.fields.iter().any(is_text) {
            return Ok(Self {
                is_item: true,
                ..Self::default()
            });
        }
        let mut whole = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        let arrays = head.arrays.iter().map(|name| (name, None));
        let fields = head.fields.iter().map(|(name, value)| (name, Some(value)));
        for (name, value) in fields.chain(arrays) {
            let Some((_, field)) = WHOLE_FIELDS.iter().find(|(known, _)| known == name) else {
                return refused(unknown_field(name, &WHOLE_FIELDS).to_string());
            };
            if seen.contains(field) {
                return refused(InvalidFeedback::Twice(field).to_string());
            }
            seen.push(field);
            match (*field, value) {
                ("sentences", _) | (_, Some(Value::Null)) => {}
                ("classifier", Some(Value::String(classifier))) => {
                    whole.classifier = Some(classifier.trim().to_owned()).filter(|name| !name.is_empty());
                }
                ("classifier", _) => return refused("field `classifier` must be a text".to_owned()),
                (field, Some(value)) => {
                    whole.fields.insert(field, value.clone());
                }
                (_, None) => return refused(format!("field `{name}` of a document must be no array")),
            }
        }
        if !whole.fields.is_empty() {
            let names: Vec<String> = whole.fields.keys().map(|name| format!("`{name}`")).collect();
            let names = names.join(", ");
            whole.repairs.push(format!(
                "{names} of the document counts for each text without one of its own"
            ));
        }
        Ok(whole)
    }
}

/// Reads an element: a text, an object with the fields of a request, or one of a tool, which may be several
/// requests.
pub(super) fn of_element(json: &str) -> Result<Requests, String> {
    match json.as_bytes().first() {
        Some(b'"') => match serde_json::from_str::<String>(json) {
            Ok(sentence) => Ok(Requests::of(vec![Fields::from([(
                "sentence",
                Value::from(sentence),
            )])])),
            Err(_) => Err(InvalidFeedback::HalfSurrogate("sentence").to_string()),
        },
        Some(b'{') => of_object(json),
        _ if serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok() => {
            Err("neither a text nor an object".to_owned())
        }
        _ => of_object(json),
    }
}

fn of_object(json: &str) -> Result<Requests, String> {
    let (object, repeated) = match read_once(json.as_bytes()) {
        Ok(Value::Object(object)) => (Some(object), None),
        Ok(_) | Err(None) => (None, None),
        // Whose export it is tells the object with the last of the two.
        Err(repeated) => (serde_json::from_str::<draft::Fields>(json).ok(), repeated),
    };
    if let Some(object) = object
        && let Some(tool) = Tool::of(&object)
    {
        if let Some(field) = repeated {
            return Err(twice(&field));
        }
        let draft = tool.draft(&object, &Options::default())?;
        return questions::only(draft).map(of_draft);
    }
    let reason = |error: InvalidFeedback| match &error {
        InvalidFeedback::UnknownField { shown, .. } if shown == "`sentences`" => match is_one_text(json) {
            true => ONE_TEXT.to_owned(),
            false => OF_A_FILE.to_owned(),
        },
        // The line of the file is told beside it.
        _ => error.to_string().replace("(line 1, column ", "(column "),
    };
    let mut fields = parse_fields(json.as_bytes(), &FIELDS).map_err(reason)?;
    let mut notes = Vec::new();
    if let Some(label) = fields.remove("label")
        && let Some(label) = label_text(label, &mut notes)?
    {
        fields.insert("label", label);
    }
    let mut requests = Requests::of(vec![fields]);
    requests.notes.append(&mut notes);
    Ok(requests)
}

/// Returns whether the field `sentences` of an object holds a text.
fn is_one_text(json: &str) -> bool {
    let object = serde_json::from_str::<draft::Fields>(json);
    object.is_ok_and(|object| object.get("sentences").is_some_and(Value::is_string))
}

/// Told of labels of a tree, behind the number of items.
const WITH_PATHS: &str =
    "items with labels of a tree, which were named with those above them, such as `Goods / Other`";

/// Writes a list of labels as one text, as feedback has them; other values stay what they are.
fn label_text(label: Value, notes: &mut Vec<&'static str>) -> Result<Option<Value>, String> {
    if !label.is_array() && !label.is_string() {
        return Ok(Some(label));
    }
    let written = Written::of_value(&label)?;
    match (label, written) {
        (label, Some(Written::Cell(_))) => Ok(Some(label)),
        (label @ Value::String(_), None) => Ok(Some(label)),
        (Value::Array(labels), Some(Written::List(_) | Written::Paths(_)) | None)
            if labels.iter().any(|label| name(label).is_none()) =>
        {
            Err("field `label` must be a text or a list of texts".to_owned())
        }
        (_, None) => Ok(None),
        (label, Some(written)) => {
            notes.extend(note(&written));
            notes.extend(label.is_string().then_some(fast_text::MARKED));
            Ok(Some(Value::from(join_labels(written.names()))))
        }
    }
}

/// Says how labels were named, where they are of a tree: what else is in the file is not known.
pub(super) fn note(written: &Written) -> Option<&'static str> {
    let is_deep = |path: &Vec<String>| path.len() > 1;
    matches!(written, Written::Paths(paths) if paths.iter().any(is_deep)).then_some(WITH_PATHS)
}

/// Makes a request of each vote on a text, the oldest first, or one without a label.
pub(super) fn of_draft(mut draft: Draft) -> Requests {
    let mut told: Vec<&'static str> = draft.aside.map(aside_note).into_iter().collect();
    told.extend(draft.repair);
    told.extend(draft.votes.iter().find_map(|vote| note(&vote.written)));
    let sentence = Value::from(draft.text);
    if draft.votes.is_empty() {
        return Requests {
            fields: vec![Fields::from([("sentence", sentence)])],
            notes: told,
        };
    }
    draft.votes.sort_by(|one, other| one.at.cmp(&other.at));
    let request = |vote: draft::DraftVote| {
        let label = match vote.written {
            Written::Cell(cell) => cell,
            several => join_labels(several.names()),
        };
        let mut fields = Fields::from([("sentence", sentence.clone()), ("label", Value::from(label))]);
        fields.extend(vote.by.map(|by| ("user", Value::from(by))));
        fields
    };
    let mut requests = Requests::of(draft.votes.into_iter().map(request).collect());
    requests.notes.extend(told);
    requests
}
