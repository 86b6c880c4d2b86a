//! Champion against challenger on the held-out rows: the decision, and the rows that verify the switch.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_core::{
    dataset::{DatasetManifest, Problem, Row},
    erasure::LearntAndErased,
    keys,
    model::{
        comparison::{Candidate, Decision, Reason},
        evaluation::{LabelNames, TestPrediction, evaluate},
    },
    statistics::binomial_at_most,
    text::counted_as,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ModelBuilding,
    build::{Build, Status},
    decision_record::{DECISION, DecisionRecord},
    deployment::{self, Deployment},
    error::StepError,
    label_set::{leave_out_of_use, required, use_own_names},
    message,
    predictions::Predictions,
};

/// Rows by which a switch is verified.
const KNOWN_ROWS: usize = 10;
/// The clock by which a model was made, and that of its switches, may differ by so much.
const CLOCK_SKEW: TimeDelta = TimeDelta::hours(1);
/// Name of the known rows among the objects of a build.
pub(crate) const KNOWN: &str = "evaluation/known.json";

/// A held-out row with what the models said of it, in their own words: a label may be called otherwise since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KnownRow {
    pub text: String,
    pub champion: Option<String>,
    pub challenger: String,
}

/// What the challenger says of the test rows; and what the champion says, with the classes that it named.
type Evaluations = (Vec<TestPrediction>, Option<(Vec<TestPrediction>, Predictions)>);

impl ModelBuilding {
    /// Decides whether the challenger is deployed.
    pub(crate) async fn select(&self, build: Build) -> Result<Build, StepError> {
        let challenger_arn = build.challenger()?.to_owned();
        let manifest = self.manifest(build.dataset()?).await?;
        let problems = self.problems(&manifest, &build);
        let has_to_go = self.learnt_and_erased(build.champion.as_deref()).await?;
        let turn = build.flywheel.clone().unwrap_or_default();
        if let Some(said) = turn.measured(build.champion.as_deref()) {
            let why = has_to_go.as_deref();
            let decision = self.decide_by_averages(&build, &manifest, said, &challenger_arn, why, &problems);
            return self.decided(build, manifest, problems, decision).await;
        }
        let mut rows = self.test_rows(&manifest).await?;
        let (mut challenger, mut champion) = self.evaluations(&build, &rows).await?;

        let set = self.label_set().await?;
        let mut trained_classes: BTreeSet<String> = manifest.train.summary.classes.keys().cloned().collect();
        let (mut gone, mut left_out) = (None, None);
        if let Some(set) = &set {
            let of_champion = champion.as_mut().map(|(rows, _)| rows);
            left_out = leave_out_of_use(set, &mut rows, &mut challenger, of_champion);
        }
        let said = [Some(&challenger), champion.as_ref().map(|(rows, _)| rows)].map(own_words);
        if let Some(set) = set {
            let of_now = trained_classes.iter().map(|class| set.own_name(class).to_owned());
            trained_classes = of_now.collect();
            use_own_names(&set, &mut challenger);
            if let Some((predictions, read)) = &mut champion {
                use_own_names(&set, predictions);
                (read.classes, gone) = required(&set, &read.classes);
            }
        }
        let champion_candidate = champion.as_ref().zip(build.champion.as_deref());
        let champion_candidate = champion_candidate.map(|((predictions, read), model_arn)| Candidate {
            model_arn,
            // Comprehend does not tell a model's classes; over all rows it names them.
            classes: read.classes.clone(),
            predictions,
            has_to_go,
        });
        let candidate = Candidate {
            model_arn: &challenger_arn,
            classes: trained_classes,
            predictions: &challenger,
            has_to_go: None,
        };
        let has_rows = !rows.is_empty();
        let mut decision = self.decide(
            &build,
            champion_candidate.as_ref(),
            &candidate,
            &problems,
            has_rows,
        );
        decision.reasons.extend(left_out.into_iter().chain(gone));

        let old = champion.as_ref().map(|(rows, _)| &rows[..]);
        let known = known_rows(&rows, old, &challenger, &said);
        self.bucket.put_document(&build.key(KNOWN), &known).await?;
        self.decided(build, manifest, problems, decision).await
    }

    /// Writes a decision down, after what speaks against any deployment.
    async fn decided(
        &self,
        mut build: Build,
        manifest: DatasetManifest,
        problems: Vec<Problem>,
        mut decision: Decision,
    ) -> Result<Build, StepError> {
        self.refuse_rolled_back(&mut decision).await?;
        self.refuse_other_mode(&mut decision).await?;
        let record = DecisionRecord {
            build_id: build.id.clone(),
            decided_at: Utc::now(),
            dataset: manifest,
            problems,
            decision,
        };
        self.bucket.put_document(&build.key(DECISION), &record).await?;
        build.why = record.why();
        build.status = match (record.decision.deploy, self.config.approve_deployments) {
            (false, _) => Status::Refused,
            (true, true) => Status::NeedsApproval,
            (true, false) => Status::Deploy,
        };
        if build.status == Status::NeedsApproval {
            build.notification = Some(message::approval_wanted(&build, &record));
        }
        Ok(build)
    }

    /// Holds the challenger against the champion; where there is none, or it cannot be used, against a guess.
    fn decide(
        &self,
        build: &Build,
        champion: Option<&Candidate<'_>>,
        challenger: &Candidate<'_>,
        problems: &[Problem],
        has_rows: bool,
    ) -> Decision {
        let policy = self.config.selection;
        let unusable = unusable_champion(build);
        let mut decision = match &unusable {
            Some(why) => Decision::without_champion(policy, why, challenger, problems),
            None => Decision::make(policy, champion, challenger, problems),
        };
        let on = match (has_rows, &unusable) {
            (false, _) => "nothing is held out yet: in cross-validation",
            (true, Some(_)) => "on the held-out rows",
            (true, None) => return decision,
        };
        decision.add(better_than_a_guess(challenger.predictions, on));
        decision
    }

    /// Returns what the challenger says of the test rows, and the champion where it was asked; without test rows what
    /// cross-validation says.
    async fn evaluations(&self, build: &Build, rows: &[Row]) -> Result<Evaluations, StepError> {
        match &build.jobs[..] {
            [challenger, champion @ ..] => {
                let (challenger, _) = self.job_predictions(challenger, rows).await?;
                let champion = match champion.first().filter(|job| job.unusable.is_none()) {
                    Some(job) => Some(self.job_predictions(job, rows).await?),
                    None => None,
                };
                Ok((challenger, champion))
            }
            [] if rows.is_empty() => Ok((self.cross_validation(build.challenger()?).await?, None)),
            [] => {
                let message = "the step select needs evaluations, which no step started";
                Err(StepError::Failed(message.to_owned()))
            }
        }
    }

    /// Says that a model has learnt from rows that were erased since, if it has.
    pub(crate) async fn learnt_and_erased(
        &self,
        model_arn: Option<&str>,
    ) -> Result<Option<String>, StepError> {
        let learnt: Option<LearntAndErased> = self.bucket.read_document(keys::LEARNT_AND_ERASED).await?;
        Ok(learnt
            .zip(model_arn)
            .and_then(|(learnt, arn)| learnt.describe(arn)))
    }

    /// A model that was rolled back does not come back by itself.
    async fn refuse_rolled_back(&self, decision: &mut Decision) -> Result<(), StepError> {
        let challenger = &decision.challenger.model_arn;
        let made = self.model(challenger).await?.and_then(|model| model.submit_time);
        let made = made.and_then(|at| DateTime::from_timestamp(at.secs(), 0));
        // No switch was to a model that was not made yet; clocks may differ.
        let is_before = |switch: &Deployment| made.is_some_and(|made| switch.at < made - CLOCK_SKEW);
        let reach_back = |newest: &[Deployment]| newest.first().is_some_and(is_before);
        let deployments = deployment::read_until(&self.bucket, Utc::now(), reach_back).await?;
        if deployment::was_rolled_back(&deployments, challenger) {
            decision.deploy = false;
            decision.reasons.push(Reason {
                in_favour: false,
                text: "the challenger served before and was rolled back".to_owned(),
            });
        }
        Ok(())
    }

    /// An endpoint of Comprehend keeps the mode of its first model; somebody must make another, at their cost.
    async fn refuse_other_mode(&self, decision: &mut Decision) -> Result<(), StepError> {
        let (champion, challenger) = (&decision.champion, &decision.challenger.model_arn);
        let champion = champion.as_ref().map(|champion| champion.model_arn.as_str());
        if self.is_built_in() || !decision.deploy || !self.have_other_modes(champion, challenger).await? {
            return Ok(());
        }
        let Ok(arn) = self.config.endpoint.of_built_models() else {
            return Ok(());
        };
        let name = arn.name();
        let text = format!(
            "one of the models gives each text one label and the other may give several, and an endpoint never changes \
             that. To put the new model in service, make the endpoint anew; until it is there nothing is classified: aws \
             comprehend delete-endpoint --endpoint-arn {arn}, and once it is gone aws comprehend create-endpoint \
             --endpoint-name {name} --model-arn {challenger} --desired-inference-units 1"
        );
        decision.add(Reason {
            in_favour: false,
            text,
        });
        Ok(())
    }
}

/// Chance at most with which labels at random do as well as a first model that is taken.
const MAX_CHANCE: f64 = 0.1;

/// Says why the champion could not be measured, where it cannot be used as it is.
fn unusable_champion(build: &Build) -> Option<String> {
    build.jobs.iter().find_map(|job| {
        let reason = job.unusable.as_deref()?;
        Some(format!(
            "the champion {} could not be compared: {reason}; so the challenger need only be better than a guess",
            job.model_arn
        ))
    })
}

/// Says whether a model that is compared with no other does better, on rows that it had not seen, than the commonest label
/// for each of them, and than labels at random, as often as it gives each of them. `on` says on which rows.
fn better_than_a_guess(predictions: &[TestPrediction], on: &str) -> Reason {
    let mut counts: BTreeMap<&LabelNames, usize> = BTreeMap::new();
    for row in predictions {
        *counts.entry(&row.actual).or_default() += 1;
    }
    let commonest = counts.into_iter().max_by_key(|(_, count)| *count);
    let commonest = commonest.map(|(labels, _)| labels.clone()).unwrap_or_default();
    let guesses: Vec<TestPrediction> = predictions
        .iter()
        .map(|row| TestPrediction {
            predicted: commonest.clone(),
            ..row.clone()
        })
        .collect();
    let (model, guess) = (evaluate(predictions).macro_f1, evaluate(&guesses).macro_f1);
    let (right, probability) = by_chance(predictions);
    let chance = match probability {
        probability if probability < 0.001 => "less than 0.001".to_owned(),
        probability => format!("{probability:.3}"),
    };
    Reason {
        in_favour: model > guess && probability <= MAX_CHANCE,
        text: format!(
            "{on} {right} of {} right (by chance alone with a \
             probability of {chance}, at most {MAX_CHANCE} is allowed), and macro F1 is {model:.4}, with the commonest \
             label for each of them {guess:.4}",
            counted_as(predictions.len(), "row is", "rows are")
        ),
    }
}

/// Returns how many rows are right, and with what probability labels at random would have at least as many right. They
/// are drawn as often as the model gives them: the expected agreement is that of Cohen's kappa.
fn by_chance(predictions: &[TestPrediction]) -> (u64, f64) {
    let rows = predictions.len() as f64;
    let mut counts: BTreeMap<&LabelNames, (f64, f64)> = BTreeMap::new();
    for row in predictions {
        counts.entry(&row.actual).or_default().0 += 1.0;
        counts.entry(&row.predicted).or_default().1 += 1.0;
    }
    let agreement = |(actual, predicted): &(f64, f64)| actual * predicted / (rows * rows);
    let expected: f64 = counts.values().map(agreement).sum();
    let wrong = predictions
        .iter()
        .filter(|row| row.actual != row.predicted)
        .count() as u64;
    let n = predictions.len() as u64;
    (
        n - wrong,
        binomial_at_most(wrong, n, (1.0 - expected).clamp(1e-9, 1.0 - 1e-9)),
    )
}

/// Returns what a model said of each row, by the names that it knows itself.
fn own_words(predictions: Option<&Vec<TestPrediction>>) -> Vec<String> {
    let predictions = predictions.into_iter().flatten();
    predictions.map(|row| row.predicted.to_string()).collect()
}

/// Chooses rows by which a switch shows: first those on which the models differ, the surest ones first.
fn known_rows(
    rows: &[Row],
    champion: Option<&[TestPrediction]>,
    challenger: &[TestPrediction],
    [new, before]: &[Vec<String>; 2],
) -> Vec<KnownRow> {
    let old = |row: usize| champion.map(|champion| &champion[row]);
    let mut order: Vec<usize> = (0..rows.len())
        .filter(|&row| challenger[row].confidence > 0.0)
        .collect();
    let agree = |row: usize| old(row).is_some_and(|old| old.predicted == challenger[row].predicted);
    let confidence = |row: usize| {
        let new = challenger[row].confidence;
        old(row).map_or(new, |old| old.confidence.min(new))
    };
    order.sort_by(|&a, &b| {
        let by_confidence = confidence(b).total_cmp(&confidence(a));
        agree(a).cmp(&agree(b)).then(by_confidence).then(a.cmp(&b))
    });
    let known = |row: usize| KnownRow {
        text: rows[row].text.clone(),
        champion: old(row)
            .filter(|old| old.confidence > 0.0)
            .and_then(|_| before.get(row).cloned()),
        challenger: new[row].clone(),
    };
    order.into_iter().take(KNOWN_ROWS).map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Predictions of so many rows of three classes in turn, of which so many are right.
    fn predictions(rows: usize, right: usize) -> Vec<TestPrediction> {
        let classes = ["billing", "delivery", "login"];
        let row = |number: usize| TestPrediction {
            actual: classes[number % 3].into(),
            predicted: classes[(number + usize::from(number >= right)) % 3].into(),
            confidence: 0.5,
        };
        (0..rows).map(row).collect()
    }

    #[test]
    fn a_first_model_no_better_than_chance_is_not_taken() {
        let worse = better_than_a_guess(&predictions(17, 4), "here");
        let lucky = better_than_a_guess(&predictions(18, 8), "here");
        let good = better_than_a_guess(&predictions(15, 9), "here");

        assert!(
            !worse.in_favour && !lucky.in_favour,
            "{} {}",
            worse.text,
            lucky.text
        );
        assert!(good.in_favour, "{}", good.text);
        assert!(good.text.contains("here 9 of 15 rows are right"), "{}", good.text);
    }

    #[test]
    fn a_model_that_gives_every_text_the_commonest_label_is_not_taken() {
        let mut all_billing = predictions(15, 15);
        all_billing
            .iter_mut()
            .for_each(|row| row.predicted = "billing".into());

        let (right, chance) = by_chance(&all_billing);

        assert_eq!(right, 5);
        assert!(chance > 0.5, "{chance}");
        assert!(!better_than_a_guess(&all_billing, "here").in_favour);
    }
}
