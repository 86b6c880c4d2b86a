//! What an audit of the stack has adjusted becomes a label of the stack, beside the old one.

use std::collections::BTreeMap;

use active_learning_aws::{
    adjudication::{AdjudicationError, Finding, adopt},
    bucket::{BucketError, Created},
};
use active_learning_core::{
    keys,
    labels::{label_set::LabelSet, labelled::LabelledRecord},
};
use chrono::NaiveDateTime;
use futures::{StreamExt, TryStreamExt, stream};
use human_review::labelling_jobs::audits::worker_id;
use serde_json::{Map, Value, json};

use human_review::stack_audit::{Labelled, SEPARATOR};

use super::{AFTER, BEFORE, Failure, labels::Labels, rows};
use crate::{place::Place, wording::counted_as};

/// Looks for labels that are made at a time.
const LOOKS_IN_FLIGHT: usize = 16;

/// A label that an audit holds wrong; where texts may have several, all labels of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Adjusted {
    pub record: String,
    pub before: Labels,
    pub after: Labels,
    /// Ids of the workers who looked at it; none in the output of a version before.
    workers: Vec<String>,
    /// When, RFC 3339 in UTC.
    at: String,
}

impl Adjusted {
    /// Reads a line of the output; none where its label is right, or nobody looked at it.
    fn of(line: &Value) -> Option<Self> {
        let metadata = |attribute: &str| &line[format!("{attribute}-metadata")];
        let (before, after) = (metadata(BEFORE), metadata(AFTER));
        let (was, is) = (Labels::of(before)?, Labels::of(after)?);
        let workers = after["worker-ids"].as_array().into_iter().flatten();
        (was != is).then_some(Self {
            record: line["record"].as_str()?.to_owned(),
            before: was,
            after: is,
            workers: workers.filter_map(worker_id).collect(),
            at: time_of(after["creation-date"].as_str()?)?,
        })
    }

    /// Returns the names of who looked at it; else the audit answers for it.
    fn by(&self, audit: &str, names: &BTreeMap<String, String>) -> String {
        let name = |id: &String| names.get(id).unwrap_or(id).clone();
        match self.workers.is_empty() {
            true => format!("audit {audit}"),
            false => self.workers.iter().map(name).collect::<Vec<_>>().join(SEPARATOR),
        }
    }
}

/// Returns a time of a manifest, which has no zone, as records have it.
fn time_of(time: &str) -> Option<String> {
    let time: NaiveDateTime = time.parse().ok()?;
    Some(active_learning_aws::rfc3339(time.and_utc()))
}

/// Returns the labels that the lines of an output hold wrong.
pub(super) fn adjusted(lines: &[Value]) -> Vec<Adjusted> {
    lines.iter().filter_map(Adjusted::of).collect()
}

/// Gives the labels in the lines of an output the names that they have now.
pub(super) fn name_as_now(lines: &mut [Value], set: &LabelSet) {
    for line in lines {
        for attribute in [BEFORE, AFTER] {
            let Some(metadata) = line.get_mut(format!("{attribute}-metadata")) else {
                continue;
            };
            let names: Vec<&mut Value> = match metadata["class-map"].is_object() {
                true => {
                    let map = metadata["class-map"].as_object_mut();
                    map.into_iter().flat_map(Map::values_mut).collect()
                }
                false => metadata.get_mut("class-name").into_iter().collect(),
            };
            for name in names {
                if let Some(class) = name.as_str() {
                    *name = json!(set.own_name(class));
                }
            }
        }
    }
}

/// What became of adjusted labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Appended {
    appended: usize,
    /// By a report before.
    before: usize,
    /// The text was answered again since, or is gone.
    outdated: usize,
    /// The label is not in use any more.
    not_in_use: usize,
    /// Nobody asked to append it.
    left: usize,
    /// Lines of labels that could not be read while newer answers were looked for.
    unreadable: usize,
}

/// Looks which adjusted labels an earlier report appended, and appends none.
pub(super) async fn appended_before(
    place: &Place,
    audit: &str,
    adjusted: &[Adjusted],
) -> Result<Appended, Failure> {
    let keys = adjusted
        .iter()
        .map(|adjusted| keys::labelled(&name_of(audit, &adjusted.record)));
    let keys: Vec<String> = keys.collect();
    let looks: Vec<_> = keys.iter().map(|key| place.training.exists(key)).collect();
    let looks: Vec<bool> = stream::iter(looks)
        .buffered(LOOKS_IN_FLIGHT)
        .try_collect()
        .await?;
    let before = looks.into_iter().filter(|is_there| *is_there).count();
    Ok(Appended {
        before,
        left: adjusted.len() - before,
        ..Appended::default()
    })
}

/// Appends adjusted labels to those of the stack, which has this label set, each once. `names` are the reviewers' by their ids.
pub(super) async fn append(
    (place, set): (&Place, Option<&LabelSet>),
    audit: &str,
    adjusted: &[Adjusted],
    names: &BTreeMap<String, String>,
) -> Result<Appended, Failure> {
    let mut appended = Appended::default();
    if adjusted.is_empty() {
        return Ok(appended);
    }
    let (newest, unreadable) = newest(place).await?;
    appended.unreadable = unreadable;
    for adjusted in adjusted {
        let Some(newest) = newest.get(&adjusted.record) else {
            appended.outdated += 1;
            continue;
        };
        let is_own = is_of(audit, &adjusted.record, &newest.human_loop);
        if newest.labelled_at > adjusted.at && !is_own {
            appended.outdated += 1;
            continue;
        }
        let finding = Finding {
            audit,
            newest,
            labels: &adjusted.after.names(),
            by: &adjusted.by(audit, names),
            at: &adjusted.at,
        };
        let buckets = (&place.training, &place.feedback);
        match adopt("audit", buckets, set, finding).await {
            Ok(Created::Created) => appended.appended += 1,
            Ok(Created::Exists) => appended.before += 1,
            Err(
                AdjudicationError::Retired(_)
                | AdjudicationError::Unknown(_)
                | AdjudicationError::Several { .. },
            ) => appended.not_in_use += 1,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(appended)
}

/// Returns whether a labelled object is the one by which an audit adjusts the label of a record.
fn is_of(audit: &str, record: &str, name: &str) -> bool {
    name == name_of(audit, record)
}

fn name_of(audit: &str, record: &str) -> String {
    format!("adjudication-{record}-audit-{audit}")
}

/// Returns the newest word on each text of the stack, by record id, and how many lines could not be read.
async fn newest(place: &Place) -> Result<(BTreeMap<String, LabelledRecord>, usize), BucketError> {
    let mut newest: BTreeMap<String, LabelledRecord> = BTreeMap::new();
    let Labelled { records, unreadable } = rows::read(&place.training).await?;
    for labelled in records {
        match newest.get(&labelled.record.id) {
            Some(known) if !labelled.supersedes(known) => {}
            _ => {
                newest.insert(labelled.record.id.clone(), labelled);
            }
        }
    }
    Ok((newest, unreadable))
}

impl Appended {
    pub(super) fn to_json(self) -> Value {
        json!({
            "appended": self.appended, "appendedBefore": self.before,
            "answeredSince": self.outdated, "notInUse": self.not_in_use, "notAppended": self.left,
            "unreadableLines": self.unreadable,
        })
    }

    /// Says what became of the labels, a line for each kind.
    pub(super) fn in_words(self) -> String {
        let kinds = [
            (self.appended, ["appended to those of the stack"; 2]),
            (self.before, ["appended by an earlier report"; 2]),
            (
                self.outdated,
                [
                    "left out, for its text has a newer answer, or is gone",
                    "left out, for their texts have newer answers, or are gone",
                ],
            ),
            (
                self.not_in_use,
                [
                    "left out, for it is not in use any more",
                    "left out, for they are not in use any more",
                ],
            ),
        ];
        let told = kinds.into_iter().filter(|(count, _)| *count > 0);
        let told = told.map(|(count, [of_one, of_several])| {
            let (one, several) = (format!("label was {of_one}"), format!("labels were {of_several}"));
            format!("  {}\n", counted_as(count, &one, &several))
        });
        let left = (self.left > 0).then(|| {
            format!(
                "  {} adjusted; --append adds {} to those of the stack\n",
                counted_as(self.left, "label is", "labels are"),
                if self.left == 1 { "it" } else { "them" }
            )
        });
        let unreadable = (self.unreadable > 0).then(|| {
            let lines = counted_as(self.unreadable, "line of labels", "lines of labels");
            format!("  {lines} of the stack could not be read: a newer answer there would not count\n")
        });
        told.chain(left).chain(unreadable).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(before: &str, after: Option<&str>, workers: Value) -> Value {
        json!({
            "record": "r-1", "label-metadata": { "class-name": before },
            "audited-metadata": {
                "class-name": after, "creation-date": "2026-11-20T09:59:00.123000", "worker-ids": workers,
            },
        })
    }

    #[test]
    fn what_is_wrong_is_read_with_who_looked_at_it_and_when() {
        let lines = [
            line("World", Some("Sports"), json!(["private.eu-west-1.w-1", "w-2"])),
            line("World", Some("World"), json!(["w-1"])),
            line("World", None, Value::Null),
        ];

        let found = adjusted(&lines);

        assert_eq!(found.len(), 1);
        assert_eq!(found[0].at, "2026-11-20T09:59:00.123Z");
        let names = BTreeMap::from([("w-1".to_owned(), "bob".to_owned())]);
        assert_eq!(found[0].by("spring", &names), "bob, w-2");
    }

    #[test]
    fn an_audit_of_a_version_before_answers_for_its_labels_itself() {
        let found = adjusted(&[line("World", Some("Sports"), Value::Null)]);

        assert_eq!(found[0].by("spring", &BTreeMap::new()), "audit spring");
    }

    #[test]
    fn a_label_of_an_audit_whose_name_ends_alike_is_of_another() {
        let own = "adjudication-r-1-audit-spring";
        let others = [
            "adjudication-r-1-audit-x-audit-spring",
            "adjudication-r-2-audit-spring",
        ];

        assert!(is_of("spring", "r-1", own));
        for name in others {
            assert!(!is_of("spring", "r-1", name), "{name}");
        }
    }

    #[test]
    fn what_waits_to_be_appended_is_told_beside_what_an_earlier_report_appended() {
        let appended = Appended {
            before: 1,
            left: 2,
            ..Appended::default()
        };

        assert_eq!(
            appended.in_words(),
            "  1 label was appended by an earlier report\n  2 labels are adjusted; --append adds them to those of the \
             stack\n"
        );
        assert_eq!(appended.to_json()["notAppended"], 2);
        let one = Appended {
            left: 1,
            ..Appended::default()
        };
        assert_eq!(
            one.in_words(),
            "  1 label is adjusted; --append adds it to those of the stack\n"
        );
        assert_eq!(Appended::default().in_words(), "");
    }

    #[test]
    fn labels_are_named_as_they_are_called_now_and_those_that_became_one_are_not_wrong() {
        let mut set = LabelSet::none();
        let names = ["World", "Sports", "Football"];
        names.iter().for_each(|name| set.add(name, "").expect("free"));
        set.rename("World", "Welt").expect("renamed");
        set.merge("Football", "Sports").expect("merged");
        let mut lines = [
            line("World", Some("Sports"), json!(["w-1"])),
            line("Football", Some("Sports"), json!(["w-1"])),
            line("World", None, Value::Null),
        ];

        name_as_now(&mut lines, &set);

        let found = adjusted(&lines);
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.before.to_string(), it.after.to_string()))
            .collect();
        assert_eq!(found, [("Welt".to_owned(), "Sports".to_owned())]);
        assert_eq!(lines[2]["audited-metadata"]["class-name"], Value::Null);
    }

    #[test]
    fn several_labels_are_wrong_where_they_are_not_the_same_ones_by_the_names_of_now() {
        let line = |before: Value, after: Value| {
            json!({
                "record": "r-1", "label-metadata": { "class-map": before },
                "audited-metadata": { "class-map": after, "creation-date": "2026-11-20T09:59:00.123000" },
            })
        };
        let mut set = LabelSet::none();
        let names = ["World", "Sports", "Tech"];
        names.iter().for_each(|name| set.add(name, "").expect("free"));
        set.rename("World", "Welt").expect("renamed");
        let both = json!({ "0": "World", "1": "Sports" });
        let mut lines = [
            line(both.clone(), json!({ "0": "Sports", "1": "World" })),
            line(both.clone(), json!({ "0": "World", "2": "Tech" })),
            line(both, json!({})),
        ];

        name_as_now(&mut lines, &set);

        let found = adjusted(&lines);
        let told: Vec<String> = (found.iter())
            .map(|it| format!("{} -> {}", it.before, it.after))
            .collect();
        assert_eq!(told, ["Sports, Welt -> Tech, Welt", "Sports, Welt -> (no label)"]);
        assert_eq!(found[0].after.to_json(), json!(["Tech", "Welt"]));
        assert!(found[1].after.names().is_empty());
    }

    #[test]
    fn what_became_of_the_labels_is_said_by_kinds() {
        let appended = Appended {
            appended: 2,
            outdated: 1,
            not_in_use: 2,
            unreadable: 1,
            ..Appended::default()
        };

        let words = appended.in_words();

        assert!(
            words.contains("2 labels were appended to those of the stack"),
            "{words}"
        );
        assert!(
            words.contains("1 label was left out, for its text has a newer answer, or is gone"),
            "{words}"
        );
        assert!(
            words.contains("2 labels were left out, for they are not in use any more"),
            "{words}"
        );
        assert!(
            words.contains("1 line of labels of the stack could not be read"),
            "{words}"
        );
        assert_eq!(appended.to_json()["unreadableLines"], 1);
        assert_eq!(words.lines().count(), 4, "{words}");
    }
}
