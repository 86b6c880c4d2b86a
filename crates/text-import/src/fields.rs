//! Objects whose fields are called otherwise in some rows than in others.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    collected::Collected,
    draft::Fields,
    names::{folded, is_weak_text_name, label_place, text_place},
};

use active_learning_core::text::counted_as;

/// Gives fields that mean the same the same name: another spelling (`Text`, `text`) that no row has beside it, and in rows
/// without the field of texts another one for them, with its label. Says so.
pub(crate) fn alike(mut objects: Vec<(u64, Fields)>, collected: &mut Collected<'_>) -> Vec<(u64, Fields)> {
    for (spelling, others) in spellings(&objects) {
        for (_, fields) in &mut objects {
            for other in &others {
                rename(fields, other, &spelling);
            }
        }
        let others: Vec<String> = others.iter().map(|other| format!("`{other}`")).collect();
        collected
            .notes
            .push(format!("field {} was read as `{spelling}`", others.join(", ")));
    }
    if collected.options.text_column.is_none() {
        other_shapes(&mut objects, collected);
    }
    objects
}

/// Returns the most frequent spelling of each name that has several, with the others.
fn spellings(objects: &[(u64, Fields)]) -> Vec<(String, Vec<String>)> {
    let mut times: BTreeMap<String, BTreeMap<&String, usize>> = BTreeMap::new();
    let mut beside: BTreeSet<String> = BTreeSet::new();
    for (_, fields) in objects {
        let mut seen = BTreeSet::new();
        for name in fields.keys() {
            let folded = folded(name);
            *times.entry(folded.clone()).or_default().entry(name).or_default() += 1;
            if !seen.insert(folded.clone()) {
                beside.insert(folded);
            }
        }
    }
    let several = times
        .into_iter()
        .filter(|(folded, names)| names.len() > 1 && !beside.contains(folded));
    let ordered = several.filter_map(|(_, names)| {
        let (most, _) = names.iter().max_by_key(|(_, times)| **times)?;
        let others = names.keys().filter(|name| *name != most);
        Some(((*most).clone(), others.map(|name| (*name).clone()).collect()))
    });
    ordered.collect()
}

/// Reads rows without the field of texts by another one that is called like texts, and by its label.
fn other_shapes(objects: &mut [(u64, Fields)], collected: &mut Collected<'_>) {
    let names: BTreeSet<String> = objects
        .iter()
        .flat_map(|(_, fields)| fields.keys().cloned())
        .collect();
    let surest = |place: fn(&str) -> Option<usize>| {
        let known = names.iter().filter_map(|name| Some((place(name)?, name.clone())));
        known.min().map(|(_, name)| name)
    };
    let Some(text) = surest(text_place) else { return };
    let label = surest(label_place).filter(|_| collected.options.label_column.is_none());
    let mut read: BTreeMap<String, usize> = BTreeMap::new();
    for (_, fields) in objects
        .iter_mut()
        .filter(|(_, fields)| !fields.contains_key(&text))
    {
        let Some(other) = first(fields, plain_text_place) else {
            continue;
        };
        rename(fields, &other, &text);
        *read.entry(other).or_default() += 1;
        if let Some(label) = label.as_ref().filter(|label| !fields.contains_key(*label))
            && let Some(other) = first(fields, label_place)
        {
            rename(fields, &other, label);
        }
    }
    for (other, count) in read {
        let note = format!(
            "{} read from `{other}`, with the labels",
            counted_as(
                count,
                &format!("text without a field `{text}` was"),
                &format!("texts without a field `{text}` were")
            )
        );
        collected.notes.push(note);
    }
}

fn plain_text_place(name: &str) -> Option<usize> {
    text_place(name).filter(|_| !is_weak_text_name(name))
}

fn first(fields: &Fields, place: fn(&str) -> Option<usize>) -> Option<String> {
    let known = fields.keys().filter_map(|name| Some((place(name)?, name)));
    known.min().map(|(_, name)| name.clone())
}

fn rename(fields: &mut Fields, from: &str, to: &str) {
    if let Some(value) = fields.remove(from) {
        fields.insert(to.to_owned(), value);
    }
}
