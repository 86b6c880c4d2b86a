//! Automated data labelling: a model learns from what people answered so far and labels what it is sure of.
//!
//! People answer in rounds. The objects of a round are drawn at random from those without a label, so the newest round
//! shows how good a model is on what is left. The model learns from the rounds before (from half of the first one), and
//! the newest round decides above which confidence it is right in 95 of 100 cases, by the exact test of
//! [`advise`]. What lies above is labelled by the model, and the next round is drawn from the rest. So all that people
//! are asked about counts, and no object is used both to learn and to judge the same model.

use active_learning_core::model::threshold::{Judged, Verdict, advise};
use futures::stream::{self, StreamExt, TryStreamExt};
use lambda_runtime::tracing::info;
use serde::{Deserialize, Serialize};
use text_model::{
    Model,
    training_data::{Collector, LabelSyntax},
};

use super::audits::draw;
use super::consolidation::{Consolidated, content};
use super::drive::{Drive, DriveError};
use super::manifest::{classes, parse};
use super::record::{Job, LabelledBy, ObjectState, Part};

/// Accuracy of what the model labels. Source: Ground Truth, automated data labelling.
pub const TARGET_ACCURACY: f64 = 0.95;
/// Fewest objects of a round.
const MIN_ROUND: usize = 200;
/// A round has this part of all objects.
const PART_OF_JOB: usize = 5;
/// Parts that are read or written at a time.
const CONCURRENT: usize = 16;
/// Trainings do not differ by chance.
const SEED: u64 = 1;

/// How far the rounds are: objects are drawn in the order of a random number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Automation {
    /// Objects below have been asked about, or are.
    pub asked_below: f64,
    /// Those below were asked about in earlier rounds.
    pub earlier_below: f64,
}

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
        }
    }

    /// Returns the round after this one, with so many objects left of so many.
    fn next(self, left: usize, objects: usize) -> Self {
        let share = (round_of(objects) as f64 / left.max(1) as f64).min(1.0);
        Self {
            asked_below: self.asked_below + (1.0 - self.asked_below) * share,
            earlier_below: self.asked_below,
        }
    }
}

fn round_of(objects: usize) -> usize {
    (objects / PART_OF_JOB).max(MIN_ROUND).min(objects)
}

/// Holds back what is not in the first round.
pub(super) fn hold_back(part: &mut Part, first_object: usize, job: &Job, automation: Automation) {
    for (state, object) in part.objects.iter_mut().zip(first_object..) {
        if matches!(state, ObjectState::Waiting { .. }) && draw(job, object) >= automation.asked_below {
            *state = ObjectState::Withheld;
        }
    }
}

impl Drive<'_> {
    /// Ends a round of which everything is answered: labels what a model is sure of, and begins the next one.
    pub(super) async fn automate(&mut self) -> Result<(), DriveError> {
        let Some(automation) = self.job.automation else {
            return Ok(());
        };
        let reads: Vec<_> = (0..self.job.parts.len())
            .map(|number| self.part_and_lines(number))
            .collect();
        let mut parts: Vec<_> = stream::iter(reads).buffered(CONCURRENT).try_collect().await?;
        let known: Vec<Known> = parts
            .iter()
            .enumerate()
            .flat_map(|(number, (part, _, lines))| self.known(number, part, lines))
            .collect();
        let sure = self.sure_model(known, automation).await;

        let held = |part: &Part| {
            part.objects
                .iter()
                .filter(|it| matches!(it, ObjectState::Withheld))
                .count()
        };
        for (number, (part, _, lines)) in parts.iter_mut().enumerate() {
            if let Some((model, threshold)) = &sure {
                self.label(number, part, lines, model, *threshold);
            }
        }
        let left = parts.iter().map(|(part, _, _)| held(part)).sum();
        let next = automation.next(left, self.job.counts().total());
        for (number, (part, _, _)) in parts.iter_mut().enumerate() {
            self.begin_round(number, part, next);
        }
        let writes: Vec<_> = (parts.iter().enumerate())
            .map(|(number, (part, etag, _))| self.replace_part(number, etag, part))
            .collect();
        let writes = stream::iter(writes).buffered(CONCURRENT);
        self.job.parts = writes.try_collect().await?;
        self.job.automation = Some(next);
        let machine = self.job.counts().machine;
        info!(
            job = self.job.name,
            machine, left, "a round of a labelling job has ended"
        );
        Ok(())
    }

    async fn part_and_lines(&self, number: usize) -> Result<(Part, String, Vec<Vec<u8>>), DriveError> {
        let (part, etag) = self.part(number).await?;
        Ok((part, etag, self.lines(number).await?))
    }

    /// Returns the texts of a part that people labelled in this job.
    fn known(&self, number: usize, part: &Part, lines: &[Vec<u8>]) -> Vec<Known> {
        let labelled = part.objects.iter().zip(lines).zip(self.first_object(number)..);
        labelled
            .filter_map(|((state, line), object)| match state {
                ObjectState::Labelled {
                    by: LabelledBy::People,
                    content,
                } => {
                    let line = parse(line).ok()?;
                    let text = line.get("source")?.as_str()?.to_owned();
                    let class = classes(content, &self.job.settings.attribute).pop()?;
                    Some(Known { object, text, class })
                }
                _ => None,
            })
            .collect()
    }

    /// Returns a model and the confidence above which it is as accurate as was promised; none where it is nowhere.
    async fn sure_model(&self, known: Vec<Known>, automation: Automation) -> Option<(Model, f32)> {
        let is_earlier = |known: &Known| draw(&self.job, known.object) < automation.earlier_below;
        let (earlier, newest): (Vec<Known>, Vec<Known>) = known.into_iter().partition(is_earlier);
        let learnt = tokio::task::spawn_blocking(move || learn(&earlier, &newest)).await;
        learnt.ok().flatten()
    }

    fn label(&self, number: usize, part: &mut Part, lines: &[Vec<u8>], model: &Model, threshold: f32) {
        for (at, (state, line)) in part.objects.iter_mut().zip(lines).enumerate() {
            if !matches!(state, ObjectState::Withheld) {
                continue;
            }
            let line = parse(line).unwrap_or_default();
            let Some(text) = line.get("source").and_then(|text| text.as_str()) else {
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

    fn begin_round(&self, number: usize, part: &mut Part, round: Automation) {
        for (state, object) in part.objects.iter_mut().zip(self.first_object(number)..) {
            if matches!(state, ObjectState::Withheld) && draw(&self.job, object) < round.asked_below {
                *state = ObjectState::WAITING;
            }
        }
    }
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
    fn rounds_go_on_until_everything_is_asked() {
        let mut round = Automation::first(1_000);
        assert_eq!((round.asked_below, round.earlier_below), (0.2, 0.1));

        round = round.next(800, 1_000);
        assert!((round.asked_below - 0.4).abs() < 1e-9, "{round:?}");
        round = round.next(150, 1_000);
        assert!((round.asked_below - 1.0).abs() < 1e-9, "{round:?}");
        assert_eq!(Automation::first(50).asked_below, 1.0, "a small job is one round");
    }
}
