//! Automated data labelling: a model learns from what people answered so far and labels what it is sure of.
//!
//! People answer in rounds. The objects of a round are drawn at random from those without a label, so the newest round
//! shows how good a model is on what is left. The model learns from the rounds before (from half of the first one), and
//! the newest round decides above which confidence it is right in 95 of 100 cases, by the exact test of
//! [`advise`]. What lies above is labelled by the model, and the next round is drawn from the rest. So all that people
//! are asked about counts, and no object is used both to learn and to judge the same model.
//!
//! What is to be done between two rounds may take longer than a run of the job has time: it is done in steps, the model
//! is kept until the job ends, and the job says how far it is.
//!
//! A text in an object of its own is read anew each time. Where it cannot be read, people are asked, who are told why; where
//! it cannot be read at this moment, the run ends, and the next one goes on.

use std::collections::HashMap;
use std::ops::Range;

use active_learning_aws::bucket::BINARY;
use active_learning_core::model::threshold::{Judged, Verdict, advise};
use futures::stream::{self, StreamExt, TryStreamExt};
use lambda_runtime::tracing::info;
use serde::{Deserialize, Serialize};
use text_model::{
    Model,
    training_data::{Collector, LabelSyntax},
};

use super::audits::{Draw, draw};
use super::consolidation::{Consolidated, content};
use super::drive::{Drive, DriveError};
use super::manifest::{Line, added_classes, parse};
use super::record::{Job, LabelledBy, ObjectState, Part, part_folder};

/// Accuracy of what the model labels. Source: Ground Truth, automated data labelling.
pub const TARGET_ACCURACY: f64 = 0.95;
/// Fewest objects of a round.
const MIN_ROUND: usize = 200;
/// A round has this part of all objects.
const PART_OF_JOB: usize = 5;
/// Parts that are read or written at a time; a run that has no more time ends after so many.
const CONCURRENT: usize = 16;
/// Objects with a text that are read at a time.
const TEXTS_AT_A_TIME: usize = 64;
/// Largest model file, in bytes.
const MAX_MODEL_BYTES: u64 = 256 << 20;
/// Trainings do not differ by chance.
const SEED: u64 = 1;

/// How far the rounds are: objects are drawn in the order of a random number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Automation {
    /// Objects below have been asked about, or are.
    pub asked_below: f64,
    /// Those below were asked about in earlier rounds.
    pub earlier_below: f64,
    /// What their number is drawn for: jobs that a version before has begun go on with its draws.
    #[serde(default)]
    pub drawn_for: Draw,
    /// What is being done between two rounds; none while people are asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
}

/// A step between two rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Turn {
    /// The model labels what it is sure of.
    Labelling {
        /// Confidence above which it is sure.
        threshold: f32,
        /// The first part that it has not seen.
        from: usize,
    },
    /// The next round is opened.
    Opening {
        /// Objects below are asked about from now on.
        asked_below: f64,
        /// The first part that is not opened.
        from: usize,
    },
}

/// A part by its number: what became of its objects, the version of that, and the texts of those that count.
type PartAndTexts = (usize, Part, String, Texts);

/// Texts by where their objects stand in a part.
type Texts = HashMap<usize, String>;

/// A labelled text of a round.
struct Known {
    object: usize,
    text: String,
    class: String,
}

impl Automation {
    /// Returns the first round of a job with so many objects to label.
    pub fn first(objects: usize) -> Self {
        let share = round_of(objects) as f64 / objects.max(1) as f64;
        Self {
            asked_below: share,
            // Of the first round one half is learnt from.
            earlier_below: share / 2.0,
            drawn_for: Draw::Round,
            turn: None,
        }
    }

    /// Returns below which number objects are asked about in the next round, with so many objects left of so many.
    fn next(self, left: usize, objects: usize) -> f64 {
        let share = (round_of(objects) as f64 / left.max(1) as f64).min(1.0);
        self.asked_below + (1.0 - self.asked_below) * share
    }

    /// Returns the round after this one.
    fn opened(self, asked_below: f64) -> Self {
        Self {
            asked_below,
            earlier_below: self.asked_below,
            turn: None,
            ..self
        }
    }

    /// Returns the random number of an object.
    fn draw(self, job: &Job, object: usize) -> f64 {
        draw(self.drawn_for, job, object)
    }
}

fn round_of(objects: usize) -> usize {
    (objects / PART_OF_JOB).max(MIN_ROUND).min(objects)
}

/// Holds back what is not in the first round.
pub(super) fn hold_back(part: &mut Part, first_object: usize, job: &Job, automation: Automation) {
    for (state, object) in part.objects.iter_mut().zip(first_object..) {
        if matches!(state, ObjectState::Waiting { .. })
            && automation.draw(job, object) >= automation.asked_below
        {
            *state = ObjectState::Withheld;
        }
    }
}

impl Drive<'_> {
    /// Ends a round of which everything is answered, as long as there is time: labels what a model is sure of, and begins
    /// the next one. What is left is done by the run that follows.
    pub(super) async fn automate(&mut self) -> Result<(), DriveError> {
        let Some(automation) = self.job.automation else {
            return Ok(());
        };
        let mut turn = match automation.turn {
            Some(turn) => turn,
            None => self.learn(automation).await?,
        };
        let mut model = None;
        loop {
            self.job.automation = Some(Automation {
                turn: Some(turn),
                ..automation
            });
            if self.is_over() {
                return Ok(());
            }
            turn = match turn {
                Turn::Labelling { threshold, from } if from < self.job.parts.len() => {
                    if model.is_none() {
                        model = self.kept_model().await?;
                    }
                    match &model {
                        Some(model) => {
                            let sure = |it: &Self, number: usize, part: &mut Part, texts: &Texts| {
                                it.label(number, part, texts, model, threshold);
                            };
                            let from = self.change_parts(from, is_withheld, sure).await?;
                            Turn::Labelling { threshold, from }
                        }
                        None => self.next_round(automation),
                    }
                }
                Turn::Labelling { .. } => self.next_round(automation),
                Turn::Opening { asked_below, from } if from < self.job.parts.len() => {
                    let open = |it: &Self, number: usize, part: &mut Part, _: &Texts| {
                        it.begin_round(number, part, automation, asked_below);
                    };
                    let from = self.change_parts(from, |_| false, open).await?;
                    Turn::Opening { asked_below, from }
                }
                Turn::Opening { asked_below, .. } => {
                    self.job.automation = Some(automation.opened(asked_below));
                    return Ok(());
                }
            };
        }
    }

    /// Learns from what people have labelled, and keeps the model where it is sure of something.
    async fn learn(&self, automation: Automation) -> Result<Turn, DriveError> {
        let reads = (0..self.job.parts.len())
            .filter(|number| self.job.parts[*number].counts.human > 0)
            .map(|number| self.part_and_texts(number, is_of_people));
        let reads: Vec<_> = reads.collect();
        let parts: Vec<_> = stream::iter(reads).buffered(CONCURRENT).try_collect().await?;
        let known = parts
            .iter()
            .flat_map(|(number, part, _, texts)| self.known(*number, part, texts));
        let sure = self.sure_model(known.collect(), automation).await;
        info!(
            job = self.job.name,
            is_sure = sure.is_some(),
            "a round of a labelling job has ended"
        );
        let Some((model, threshold)) = sure else {
            return Ok(self.next_round(automation));
        };
        let key = model_key(&self.job.name);
        self.jobs.bucket.put(&key, BINARY, model.to_bytes()).await?;
        Ok(Turn::Labelling { threshold, from: 0 })
    }

    /// Returns the model of the turn; none where it is gone, or cannot be read by this version.
    async fn kept_model(&self) -> Result<Option<Model>, DriveError> {
        let key = model_key(&self.job.name);
        let object = self.jobs.bucket.read(&key, MAX_MODEL_BYTES).await?;
        Ok(object.and_then(|object| Model::from_bytes(&object.bytes).ok()))
    }

    fn next_round(&self, automation: Automation) -> Turn {
        let counts = self.job.counts();
        Turn::Opening {
            asked_below: automation.next(counts.withheld, counts.wanted()),
            from: 0,
        }
    }

    /// Changes some of the parts that hold objects of no round, from this one on, by the texts of the objects that count;
    /// returns the part after them.
    async fn change_parts(
        &mut self,
        from: usize,
        counts: fn(&ObjectState) -> bool,
        change: impl Fn(&Self, usize, &mut Part, &Texts),
    ) -> Result<usize, DriveError> {
        let numbers: Range<usize> = from..(from + CONCURRENT).min(self.job.parts.len());
        let reads = numbers
            .clone()
            .filter(|number| self.job.parts[*number].counts.withheld > 0)
            .map(|number| self.part_and_texts(number, counts));
        let reads: Vec<_> = reads.collect();
        let mut parts: Vec<_> = stream::iter(reads).buffered(CONCURRENT).try_collect().await?;
        for (number, part, _, texts) in &mut parts {
            change(self, *number, part, texts);
        }

        let writes = parts
            .iter()
            .map(|(number, part, etag, _)| self.replace_part(*number, etag, part));
        let writes: Vec<_> = writes.collect();
        let written: Vec<_> = stream::iter(writes).buffered(CONCURRENT).try_collect().await?;
        for ((number, ..), summary) in parts.iter().zip(written) {
            self.job.parts[*number] = summary;
        }
        Ok(numbers.end)
    }

    async fn part_and_texts(
        &self,
        number: usize,
        counts: fn(&ObjectState) -> bool,
    ) -> Result<PartAndTexts, DriveError> {
        let (part, etag) = self.part(number).await?;
        let lines = self.lines(number).await?;
        let wanted = part.objects.iter().zip(&lines).enumerate();
        let reads = wanted
            .filter(|(_, (state, _))| counts(state))
            .filter_map(|(at, (_, line))| Some((at, parse(line).ok()?)))
            .map(|(at, line)| async move { Ok::<_, DriveError>((at, self.text(&line).await?)) });
        let reads: Vec<_> = reads.collect();
        let texts = stream::iter(reads).buffered(TEXTS_AT_A_TIME / CONCURRENT);
        let texts: Vec<(usize, Option<String>)> = texts.try_collect().await?;
        let texts = texts.into_iter().filter_map(|(at, text)| Some((at, text?)));
        Ok((number, part, etag, texts.collect()))
    }

    /// Returns the text of a line, or of the object that it names; none where that cannot be read or was erased. What cannot
    /// be read at this moment ends the run: a model would learn from a part, and people would be asked for the rest.
    async fn text(&self, line: &Line) -> Result<Option<String>, DriveError> {
        match line.text("source") {
            Some(text) => Ok(Some(text)),
            None => self.text_by_reference(line).await,
        }
    }

    /// Returns the texts of a part that people labelled in this job.
    fn known(&self, number: usize, part: &Part, texts: &Texts) -> Vec<Known> {
        let labelled = part.objects.iter().enumerate();
        labelled
            .filter_map(|(at, state)| match state {
                ObjectState::Labelled {
                    by: LabelledBy::People,
                    content,
                } => {
                    let object = self.first_object(number) + at;
                    let text = texts.get(&at)?.clone();
                    let class = added_classes(content, &self.job.settings.attribute).pop()?;
                    Some(Known { object, text, class })
                }
                _ => None,
            })
            .collect()
    }

    /// Returns a model and the confidence above which it is as accurate as was promised; none where it is nowhere.
    async fn sure_model(&self, known: Vec<Known>, automation: Automation) -> Option<(Model, f32)> {
        let is_earlier = |known: &Known| automation.draw(&self.job, known.object) < automation.earlier_below;
        let (earlier, newest): (Vec<Known>, Vec<Known>) = known.into_iter().partition(is_earlier);
        let learnt = tokio::task::spawn_blocking(move || learn(&earlier, &newest)).await;
        learnt.ok().flatten()
    }

    fn label(&self, number: usize, part: &mut Part, texts: &Texts, model: &Model, threshold: f32) {
        for (at, state) in part.objects.iter_mut().enumerate() {
            let Some(text) = texts.get(&at).filter(|_| is_withheld(state)) else {
                continue;
            };
            let predictions = model.predict(text);
            let Some(best) = predictions.first().filter(|best| best.score > threshold) else {
                continue;
            };
            let labels = &self.job.categories.labels;
            let Some(label) = labels.iter().position(|label| label == best.label) else {
                let object = self.first_object(number) + at;
                info!(job = self.job.name, object, "a prediction is no label of the job");
                continue;
            };
            let found = Consolidated {
                labels: vec![(label, best.score.into())],
            };
            let content = content(&self.job, &found, false, self.now);
            *state = ObjectState::Labelled {
                by: LabelledBy::Machine,
                content,
            };
        }
    }

    fn begin_round(&self, number: usize, part: &mut Part, automation: Automation, asked_below: f64) {
        for (state, object) in part.objects.iter_mut().zip(self.first_object(number)..) {
            if matches!(state, ObjectState::Withheld) && automation.draw(&self.job, object) < asked_below {
                *state = ObjectState::WAITING;
            }
        }
    }
}

fn is_withheld(state: &ObjectState) -> bool {
    matches!(state, ObjectState::Withheld)
}

fn is_of_people(state: &ObjectState) -> bool {
    matches!(
        state,
        ObjectState::Labelled {
            by: LabelledBy::People,
            ..
        }
    )
}

/// Returns the key of the model that labels what it is sure of between two rounds of a job.
fn model_key(job: &str) -> String {
    format!("{}model", part_folder(job))
}

/// Learns from some texts, and judges the model by others.
fn learn(earlier: &[Known], newest: &[Known]) -> Option<(Model, f32)> {
    let mut collector = Collector::new(LabelSyntax::One);
    for (known, line) in earlier.iter().zip(1..) {
        // A text that cannot be learnt from is left out.
        let _ = collector.push([known.class.as_str()], &known.text, line);
    }
    let model = text_model::train(&collector.training_set().ok()?, SEED).model;
    let judged: Vec<Judged> = newest
        .iter()
        .filter_map(|known| {
            let predictions = model.predict(&known.text);
            let best = predictions.first()?;
            Some(Judged {
                id: known.object.to_string(),
                class: best.label.to_owned(),
                several: false,
                confidence: best.score,
                right: best.label == known.class,
                selection_probability: 1.0,
            })
        })
        .collect();
    match advise(&judged, TARGET_ACCURACY, 1.0)?.verdict {
        Verdict::Met(point) => Some((model, point.threshold)),
        Verdict::TooLittleData { .. } | Verdict::NotGoodEnough { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_of_the_version_before_goes_on_with_its_draws() {
        let stored = r#"{"asked_below":0.2,"earlier_below":0.1}"#;
        let before: Automation = serde_json::from_str(stored).expect("as it was stored");

        assert_eq!(before.opened(0.4).drawn_for, Draw::Share);
        assert_eq!(Automation::first(1_000).opened(0.4).drawn_for, Draw::Round);
    }

    #[test]
    fn rounds_go_on_until_everything_is_asked() {
        let mut round = Automation::first(1_000);
        assert_eq!((round.asked_below, round.earlier_below), (0.2, 0.1));

        round = round.opened(round.next(800, 1_000));
        assert!((round.asked_below - 0.4).abs() < 1e-9, "{round:?}");
        assert_eq!(round.earlier_below, 0.2);
        round = round.opened(round.next(150, 1_000));
        assert!((round.asked_below - 1.0).abs() < 1e-9, "{round:?}");
        assert_eq!(Automation::first(50).asked_below, 1.0, "a small job is one round");
    }
}
