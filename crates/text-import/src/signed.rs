//! A list of annotations, each of which says who gave it: the votes of several people on one text.

use serde_json::Value;

use crate::{
    draft::{DraftVote, Fields, person_of},
    labels::Written,
    names::is_annotator_name,
};

/// Returns the votes of a list, one of each person; none where no element says who gave it.
///
/// # Errors
///
/// Why one of the labels is not read.
pub(crate) fn votes(label: &Value) -> Result<Option<Vec<DraftVote>>, &'static str> {
    let objects: Option<Vec<&Fields>> = label
        .as_array()
        .and_then(|elements| elements.iter().map(Value::as_object).collect());
    let Some(objects) = objects.filter(|objects| objects.iter().any(|fields| !people(fields).is_empty()))
    else {
        return Ok(None);
    };
    let mut votes: Vec<DraftVote> = Vec::new();
    for fields in objects {
        let element = Value::Object(fields.clone());
        let Some(written) = Written::of_value(&Value::Array(vec![element]))? else {
            continue;
        };
        let people = people(fields);
        let by = people.into_iter().map(Some);
        let by: Vec<Option<String>> = by.collect();
        for by in if by.is_empty() { vec![None] } else { by } {
            match votes.iter_mut().find(|vote| vote.by == by) {
                Some(vote) => vote.written.extend(written.clone()),
                None => votes.push(DraftVote {
                    written: written.clone(),
                    by,
                    at: None,
                }),
            }
        }
    }
    Ok(Some(votes))
}

/// Returns who gave an annotation: one person, or a list of such.
fn people(annotation: &Fields) -> Vec<String> {
    let names = annotation.iter();
    let mut fields = names.filter(|(name, _)| is_annotator_name(&format!("label.{name}")));
    let people = fields.find_map(|(_, value)| {
        let people: Vec<String> = match value {
            Value::Array(people) => people
                .iter()
                .filter_map(|person| person_of(Some(person)))
                .collect(),
            person => person_of(Some(person)).into_iter().collect(),
        };
        Some(people).filter(|people| !people.is_empty())
    });
    people.unwrap_or_default()
}
