//! Texts that stand in several lines of a manifest, in whatever spelling: people are asked once, and each line gets the
//! label.
//!
//! Two lines are one question where a reviewer would see the same, and the same reviewers may be asked: texts of the same
//! normal form, the same label so far where one is shown, and the same workers who are not asked. So no question is left
//! that nobody may answer though somebody may be asked about each of its lines. A function of the job's own may make
//! something else of each line, and a text in an object of its own is not known before it is asked about: these are asked
//! line by line.
//!
//! Nor are people asked where another line of the same question has the job's label already: it is the label of both.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use active_learning_core::labels::label_key::label_key;
use active_learning_core::sampling::duplicates::form_of;
use serde_json::{Map, Value, json};

use super::Jobs;
use super::audits;
use super::drive::DriveError;
use super::manifest::{Line, classes, is_labelled, metadata_of};
use super::record::{Job, LabelledBy, ObjectState, PART_OBJECTS};

/// Member of a label's metadata that names the object whose label it is, by the number that its answers lie under.
const SAME_TEXT_AS: &str = "same-text-as";

/// The questions of a job, as its lines are read in their order.
#[derive(Debug)]
pub(super) struct SameTexts<'a> {
    job: &'a Job,
    first: HashMap<String, usize>,
    /// What lines say that have the job's label, by the first object of their question; none where they contradict each other.
    labels: HashMap<usize, Option<Earlier>>,
}

/// A label that a line has already.
#[derive(Debug)]
struct Earlier {
    object: usize,
    /// Label keys of its classes.
    classes: BTreeSet<String>,
    content: Map<String, Value>,
}

impl<'a> SameTexts<'a> {
    /// Begins to read the lines of a job.
    pub(super) fn of(job: &'a Job) -> Self {
        Self {
            job,
            first: HashMap::new(),
            labels: HashMap::new(),
        }
    }

    /// Takes in an object that is to be asked about; returns the one before it that asks the same, if there is one.
    pub(super) fn add(&mut self, line: &Line, object: usize) -> Option<usize> {
        let question = self.question(line)?;
        let first = *self.first.entry(question).or_insert(object);
        (first != object).then_some(first)
    }

    /// Takes in an object that has the job's label, once all that are to be asked about are taken in.
    pub(super) fn add_labelled(&mut self, line: &Line, object: usize) {
        let asked = self.question(line).and_then(|question| self.first.get(&question));
        let (Some(first), Some(earlier)) = (asked, Earlier::of(line, object, &self.job.settings.attribute))
        else {
            return;
        };
        match self.labels.entry(*first) {
            Entry::Vacant(entry) => {
                entry.insert(Some(earlier));
            }
            Entry::Occupied(mut entry) => {
                entry.get_mut().take_if(|known| known.classes != earlier.classes);
            }
        }
    }

    /// Returns the state of an object that is not asked about, since another one with its text has the label.
    pub(super) fn labelled(&self, object: usize, state: &ObjectState) -> Option<ObjectState> {
        let first = match state {
            ObjectState::Waiting { .. } => object,
            ObjectState::Same { object } => *object,
            _ => return None,
        };
        let earlier = self.labels.get(&first)?.as_ref()?;
        Some(ObjectState::Labelled {
            by: LabelledBy::Earlier,
            content: told(
                earlier.content.clone(),
                earlier.object,
                &self.job.settings.attribute,
            ),
        })
    }

    /// Returns what tells the question of a line from others; none where it is asked by itself.
    fn question(&self, line: &Line) -> Option<String> {
        let settings = &self.job.settings;
        if settings.asks_each || settings.pre_annotation.is_some() {
            return None;
        }
        let text = line.text("source")?;
        let mut shown = json!({});
        audits::show(&mut shown, line, self.job);
        if let Some(attribute) = &settings.parent {
            shown["parents"] = json!(classes(line, attribute));
        }
        // In order, and each once.
        shown["excluded"] = json!(audits::excluded(line, self.job));
        Some(format!("{}{shown}", form_of("", &text)))
    }
}

impl Earlier {
    /// Reads the label that a line has; none where it has failed, or says no class.
    fn of(line: &Line, object: usize, attribute: &str) -> Option<Self> {
        let metadata = line.get(&metadata_of(attribute))?;
        if !is_labelled(line, attribute) || metadata.get("failure-reason").is_some() {
            return None;
        }
        let names = classes(line, attribute);
        Some(Self {
            object,
            classes: names.iter().map(|name| label_key(name)).collect(),
            content: Map::from_iter([
                (attribute.to_owned(), line.get(attribute)?),
                (metadata_of(attribute), metadata),
            ]),
        })
    }
}

impl Jobs<'_> {
    /// Gives each object that has the text of another one what became of that, as far as it is known. Again it changes nothing.
    ///
    /// # Errors
    ///
    /// [`DriveError`]; a part that is gone is none.
    pub(super) async fn label_same(&self, job: &mut Job) -> Result<(), DriveError> {
        let wanted = self.objects_with_copies(job).await?;
        let mut known: HashMap<usize, ObjectState> = HashMap::new();
        for number in 0..job.parts.len() {
            let first = number * PART_OBJECTS;
            let mut wanted = wanted.range(first..first + PART_OBJECTS).peekable();
            if job.parts[number].counts.same == 0 && wanted.peek().is_none() {
                continue;
            }
            let Some((mut part, etag)) = self.find_part(&job.name, number).await? else {
                continue;
            };
            let before = part.clone();
            let states =
                wanted.filter_map(|object| Some((*object, part.objects.get(object - first)?.clone())));
            known.extend(states);

            let attribute = &job.settings.attribute;
            for state in &mut part.objects {
                if let ObjectState::Same { object } = &*state
                    && let Some(same) = known.get(object).and_then(|of| same_as(*object, of, attribute))
                {
                    *state = same;
                }
            }
            // They count by themselves from here on.
            part.copies.clear();
            job.parts[number] = match part == before {
                true => part.summary(),
                false => self.write_part(&job.name, number, &etag, &part).await?,
            };
        }
        Ok(())
    }

    /// Returns the numbers of the objects whose text others have, which are not labelled yet.
    async fn objects_with_copies(&self, job: &mut Job) -> Result<BTreeSet<usize>, DriveError> {
        let mut objects = BTreeSet::new();
        for number in 0..job.parts.len() {
            if job.parts[number].counts.same == 0 {
                continue;
            }
            let Some((part, _)) = self.find_part(&job.name, number).await? else {
                continue;
            };
            objects.extend(part.objects.iter().filter_map(|state| match state {
                ObjectState::Same { object } => Some(*object),
                _ => None,
            }));
            // A run before this one may have been cut off after it wrote the part.
            job.parts[number] = part.summary();
        }
        Ok(objects)
    }
}

/// Returns what an object comes to that has the text of another one; none as long as nothing has become of that.
fn same_as(object: usize, other: &ObjectState, attribute: &str) -> Option<ObjectState> {
    match other {
        ObjectState::Labelled { by, content } => Some(ObjectState::Labelled {
            by: *by,
            content: told(content.clone(), object, attribute),
        }),
        ObjectState::Passed | ObjectState::Erased | ObjectState::Failed { .. } => Some(other.clone()),
        ObjectState::Waiting { .. }
        | ObjectState::Withheld
        | ObjectState::Asked { .. }
        | ObjectState::Same { .. } => None,
    }
}

fn told(mut content: Map<String, Value>, object: usize, attribute: &str) -> Map<String, Value> {
    if let Some(Value::Object(metadata)) = content.get_mut(&metadata_of(attribute)) {
        metadata.insert(SAME_TEXT_AS.to_owned(), json!(object));
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_a_text_becomes_of_its_other_lines_and_a_label_says_whose_it_is() {
        let metadata = json!({ "class-name": "Sports" });
        let content = Map::from_iter([
            ("topic".to_owned(), json!(1)),
            ("topic-metadata".to_owned(), metadata),
        ]);
        let labelled = ObjectState::Labelled {
            by: LabelledBy::Machine,
            content,
        };
        let failed = ObjectState::Failed {
            reason: "ClientError: x.".to_owned(),
            tries: 2,
        };

        let same = same_as(7, &labelled, "topic");

        let Some(ObjectState::Labelled { by, content }) = same else {
            panic!("a label: {same:?}");
        };
        assert_eq!(by, LabelledBy::Machine);
        assert_eq!(
            Value::Object(content),
            json!({ "topic": 1, "topic-metadata": { "class-name": "Sports", "same-text-as": 7 } })
        );
        for ended in [ObjectState::Passed, ObjectState::Erased, failed] {
            assert_eq!(same_as(7, &ended, "topic"), Some(ended));
        }
        for open in [ObjectState::WAITING, ObjectState::Withheld] {
            assert_eq!(same_as(7, &open, "topic"), None);
        }
    }
}
