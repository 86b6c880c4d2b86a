//! Predictions that were accepted as labels, while what was promised of their model holds.
//!
//! They become a training file of their own. Nothing of them is ever held out, and they never decide what the
//! classes are: people do. Of each class there are at most as many as rows of people, chosen by the hash of
//! their content, so that the model does not become its own echo.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    io::{self, BufWriter, Write},
    num::NonZeroU32,
};

use active_learning_aws::{
    bucket::{Bucket, CSV, JSON_LINES},
    erased::ErasedList,
};
use active_learning_core::{
    dataset::{self, ContentId, DatasetFile, MachineLabelledFile, Mode, NearCopies, TextId, one_line},
    feedback::{FeedbackRecord, Signal, prediction::join_labels},
    keys::Packs,
    labels::label_set::LabelSet,
    model::accuracy_guarantee::{PROMISES_KEY, Promises},
    text::is_blank,
};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tracing::warn;

use super::{AssembleError, fates::Fate, files, rows::Rows, split::Split};
use crate::{
    labels::{self, Packing, TIME_BYTES, time_of, unusable},
    spool::{Piece, Spool, Texts},
};

/// Texts that are chosen from at most, in memory about 170 bytes each; of more a part is, by the hash of their content.
const MAX_TEXTS: usize = 1_000_000;

/// Object, by its key, and line.
type Place = (u32, u32);

/// An accepted prediction.
struct MachineLabel {
    /// Id of the record.
    id: u128,
    /// Decides on which side of the split it is.
    content: ContentId,
    /// As it is spelt where it stands first.
    text: Piece,
    text_place: Place,
    /// Where the prediction stands.
    place: Place,
    /// Number of the predicted label.
    label: u32,
    /// Number of the model.
    model: u32,
    confidence: f32,
    predicted_at: [u8; TIME_BYTES],
}

/// Different texts, numbered.
#[derive(Default)]
struct Numbers {
    by_text: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Numbers {
    fn number(&mut self, text: String) -> u32 {
        if let Some(number) = self.by_text.get(&text) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).expect("fewer different ones than rows");
        self.texts.push(text.clone());
        self.by_text.insert(text, number);
        number
    }

    fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }
}

/// The machine labels that may be trained on: of each text the newest.
pub(super) struct MachineLabels {
    by_text: HashMap<TextId, MachineLabel>,
    labels: Numbers,
    models: Numbers,
    texts: Texts,
    left_out: LeftOut,
}

/// Machine labels that were left out, by why.
#[derive(Default)]
pub(super) struct LeftOut(pub BTreeMap<String, u64>);

impl LeftOut {
    fn add(&mut self, reason: &str) {
        *self.0.entry(format!("machine-label-{reason}")).or_default() += 1;
    }
}

/// The training file of machine labels, in the temporary folder.
pub(super) struct MachineFile {
    pub rows: (NamedTempFile, dataset::FileSummary),
    /// A JSON line for every row: which model, how sure.
    pub provenance: NamedTempFile,
    /// Rows by the ARN of the model.
    pub models: BTreeMap<String, u64>,
}

impl MachineLabels {
    /// Reads what was accepted by models whose promise of this accuracy, or a greater one, is kept.
    pub(super) async fn read(bucket: &Bucket, target: f64) -> Result<Self, AssembleError> {
        let promises: Promises = bucket.read_document(PROMISES_KEY).await?.unwrap_or_default();
        let mut reader = Reader {
            promises,
            target,
            parts: NonZeroU32::MIN,
            by_text: HashMap::new(),
            labels: Numbers::default(),
            models: Numbers::default(),
            texts: Spool::new().map_err(AssembleError::Disk)?,
            left_out: LeftOut::default(),
        };
        let take = |place, key: &str, content: &[u8]| reader.take(place, key, content);
        let read = labels::read_packed(bucket, Packs::MACHINE_LABELLED, Packing::Renewed, take);
        read.await?;
        let erased = ErasedList::new(bucket.clone()).current().await?;
        for _ in reader.by_text.extract_if(|id, _| erased.contains_id(*id)) {
            reader.left_out.add("erased");
        }
        Ok(Self {
            by_text: reader.by_text,
            labels: reader.labels,
            models: reader.models,
            texts: reader.texts.finish().map_err(AssembleError::Disk)?,
            left_out: reader.left_out,
        })
    }

    /// Writes the rows to train on, in the order of their content, and adds those that are new to `new_trained`.
    ///
    /// What may come to be held out, were it audited, is left for that. `None` without rows.
    pub(super) fn write(
        mut self,
        rows: &Rows,
        fates: &[Fate],
        split: &Split,
        near_copies: &NearCopies,
        test_share: f64,
        new_trained: &mut files::ListFile,
    ) -> io::Result<(Option<MachineFile>, LeftOut)> {
        let mut places = places(rows, fates);
        let taken = Taken::of(rows, split, test_share);
        let mut by_text: Vec<(TextId, MachineLabel)> = self.by_text.drain().collect();
        by_text.sort_unstable_by_key(|(id, machine)| (machine.content, *id));
        let mut file = files::CsvFile::new(rows.delimiter()?)?;
        let mut provenance = BufWriter::new(NamedTempFile::new()?);
        let mut models: BTreeMap<String, u64> = BTreeMap::new();
        for (id, machine) in by_text {
            if let Some(reason) = taken.by(id, &machine) {
                self.left_out.add(reason);
                continue;
            }
            let labels = match classes_of(&rows.set, self.labels.text(machine.label), rows.mode) {
                Ok(labels) => labels,
                Err(reason) => {
                    self.left_out.add(reason);
                    continue;
                }
            };
            if !labels.iter().all(|label| places.contains_key(label)) {
                self.left_out.add("of-no-class");
                continue;
            }
            if labels.iter().any(|label| places[label] == 0) {
                self.left_out.add("beyond-rows-of-people");
                continue;
            }
            let text = self.texts.read(machine.text)?;
            let is_new = !split.trained.contains(&machine.content);
            if is_new && near_copies.contains(&text) {
                self.left_out.add("near-copy");
                continue;
            }
            for label in &labels {
                *places.get_mut(label).expect("it was looked for") -= 1;
            }
            let model = self.models.text(machine.model);
            writeln!(provenance, "{}", line_of(&machine, &labels, model))?;
            *models.entry(model.to_owned()).or_default() += 1;
            if is_new {
                new_trained.write(&text)?;
            }

            file.write(&dataset::Row { labels, text })?;
        }
        let provenance = provenance.into_inner().map_err(io::IntoInnerError::into_error)?;
        let rows = file.finish()?;
        let file = (rows.1.rows > 0).then_some(MachineFile {
            rows,
            provenance,
            models,
        });
        Ok((file, self.left_out))
    }
}

/// Texts whose machine labels are not trained on, since people or tests have them.
struct Taken<'a> {
    rows: &'a Rows,
    known: HashSet<TextId>,
    held_out: HashSet<ContentId>,
    test_share: f64,
}

impl<'a> Taken<'a> {
    fn of(rows: &'a Rows, split: &Split, test_share: f64) -> Self {
        Self {
            rows,
            known: rows.rows.iter().map(|row| row.id).collect(),
            held_out: split.held_out.iter().map(ContentId::of_normalised).collect(),
            test_share,
        }
    }

    /// Returns by what a text is taken, if it is.
    fn by(&self, id: TextId, machine: &MachineLabel) -> Option<&'static str> {
        if self.known.contains(&id) || self.rows.asked.contains(&id) {
            return Some("known-from-people");
        }
        if self.rows.served.contains(&machine.id) {
            return Some("copy-of-a-question");
        }
        let content = &machine.content;
        (self.held_out.contains(content) || content.is_test(self.test_share)).then_some("kept-for-tests")
    }
}

/// Returns the line of `machine-labelled.jsonl` that says where a row comes from.
fn line_of(machine: &MachineLabel, labels: &[String], model: &str) -> Value {
    json!({
        "id": format!("{:032x}", machine.id),
        "labels": labels,
        "modelArn": model,
        "confidence": machine.confidence,
        "predictedAt": String::from_utf8_lossy(&machine.predicted_at).trim_end_matches('\0'),
    })
}

/// Returns how many rows of each class people have labelled to train on.
fn places(rows: &Rows, fates: &[Fate]) -> HashMap<String, u64> {
    let mut places: HashMap<String, u64> = HashMap::new();
    let trained = rows
        .rows
        .iter()
        .zip(fates)
        .filter(|(_, fate)| **fate == Fate::Train);
    for (row, _) in trained {
        for label in rows.labels(row) {
            *places.entry(label.clone()).or_default() += 1;
        }
    }
    places
}

/// Returns the classes that a prediction names by now, sorted, as the rows of people are named; the reason why its row is
/// left out where there are none.
fn classes_of(set: &LabelSet, predicted: &str, mode: Mode) -> Result<Vec<String>, &'static str> {
    let classes = set.classes_of_row(predicted, mode)?;
    if mode == Mode::MultiClass && classes.len() > 1 {
        return Err("of-no-class");
    }
    match classes.iter().any(|class| unusable(class)) {
        true => Err("unusable-label"),
        false => Ok(classes),
    }
}

struct Reader {
    promises: Promises,
    target: f64,
    /// One of so many parts of all texts is taken.
    parts: NonZeroU32,
    by_text: HashMap<TextId, MachineLabel>,
    labels: Numbers,
    models: Numbers,
    texts: Spool,
    left_out: LeftOut,
}

impl Reader {
    /// Takes the lines of an object, whose place among all is `place`; objects come in any order.
    fn take(&mut self, place: u32, key: &str, content: &[u8]) -> io::Result<()> {
        for (line, number) in content.split(|byte| *byte == b'\n').zip(1..) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match FeedbackRecord::parse(line) {
                Ok(record) => self.push((place, number), record)?,
                Err(reason) => {
                    warn!(key, line = number, %reason, "the machine label cannot be used");
                    self.left_out.add("unreadable");
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, place: Place, record: FeedbackRecord) -> io::Result<()> {
        let text = one_line(&record.utterance);
        let (Signal::Accepted, false, Some(_), Some(model), Some(confidence)) = (
            record.signal,
            is_blank(&text),
            record.prediction.as_ref(),
            record.model_arn.clone(),
            record.confidence,
        ) else {
            self.left_out.add("unreadable");
            return Ok(());
        };
        let threshold = self.promises.threshold(&model, self.target);
        if !threshold.is_some_and(|threshold| confidence > threshold) {
            self.left_out.add("without-promise");
            return Ok(());
        }
        let labels = join_labels(record.predicted_labels());
        let (text_id, content) = (TextId::of(&text), ContentId::of(&text));
        if content.part(self.parts) != 0 {
            self.left_out.add("too-many");
            return Ok(());
        }
        let predicted_at = time_of(&record.received_at);
        let (text, text_place) = match self.by_text.get_mut(&text_id) {
            None => (self.texts.push(&text)?, place),
            // A text that comes again and again must not fill the disk.
            Some(other) => {
                self.left_out.add("older");
                if place < other.text_place {
                    (other.text, other.text_place) = (self.texts.push(&text)?, place);
                }
                // Of two at the same instant the one that stands first counts.
                if (other.predicted_at, Reverse(other.place)) >= (predicted_at, Reverse(place)) {
                    return Ok(());
                }
                (other.text, other.text_place)
            }
        };
        let machine = MachineLabel {
            id: u128::from_str_radix(&record.id, 16).expect("an id is 32 hex digits"),
            content,
            text,
            text_place,
            place,
            label: self.labels.number(labels),
            model: self.models.number(model),
            confidence,
            predicted_at,
        };
        self.by_text.insert(text_id, machine);
        if self.by_text.len() > MAX_TEXTS {
            self.parts = self.parts.saturating_add(self.parts.get());
            let (parts, left_out) = (self.parts, &mut self.left_out);
            self.by_text.retain(|_, machine| {
                let stays = machine.content.part(parts) == 0;
                if !stays {
                    left_out.add("too-many");
                }
                stays
            });
        }
        Ok(())
    }
}

impl MachineFile {
    /// Sends the files; returns what the manifest says of them.
    pub(super) async fn upload(
        &self,
        bucket: &Bucket,
        key: impl Fn(&str) -> String,
    ) -> Result<MachineLabelledFile, AssembleError> {
        let (rows, provenance) = (key("train-machine-labelled.csv"), key("machine-labelled.jsonl"));
        let _ = bucket.put_file(&rows, CSV, self.rows.0.path()).await?;
        let _ = bucket
            .put_file(&provenance, JSON_LINES, self.provenance.path())
            .await?;
        Ok(MachineLabelledFile {
            file: DatasetFile {
                key: rows,
                summary: self.rows.1.clone(),
            },
            provenance,
            models: self.models.clone(),
        })
    }
}
