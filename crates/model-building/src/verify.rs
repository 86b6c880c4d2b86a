//! Verifying a switch: known rows are classified at the endpoint, and must be answered as its model answered.

use std::time::Duration;

use active_learning_aws::{failure::Refusal, predictions};
use active_learning_core::{
    feedback::prediction::split_labels, labels::label_set::LabelSet, model::evaluation::LabelNames,
    text::counted,
};
use tokio::time::sleep;

use crate::{
    ModelBuilding,
    build::{Action, Build, Status, key},
    deployment::{self, SwitchedBy},
    error::StepError,
    select::{KNOWN, KnownRow},
};

/// Classified where no known rows are at hand: any answer shows that the endpoint serves.
const ANY_TEXT: &str = "Is this model in service?";
/// Pauses of a second in all, while an endpoint of one unit takes two documents a second.
const MAX_PAUSES: u32 = 120;

/// A text with the label that the model gave it; without one, any answer will do.
struct Expected {
    text: String,
    label: Option<String>,
}

impl ModelBuilding {
    /// Classifies known rows at the endpoint. One in ten may differ: scores of near-ties do.
    pub(crate) async fn verify(&self, mut build: Build) -> Result<Build, StepError> {
        let expected = self.expected(&build).await?;
        let set = self.label_set().await?;
        let endpoint = self.config.endpoint.of_built_models()?.to_string();
        let mut pauses = 0;
        let mut different = 0;
        for row in &expected {
            let labels = match self.classify(&endpoint, &row.text, &mut pauses).await {
                Ok(labels) => labels,
                Err(refusal) if refusal.is_transient() => {
                    let message = format!("the endpoint did not answer while it was verified: {refusal}");
                    return Err(StepError::NotNow(message));
                }
                Err(refusal) => {
                    build.status = Status::NotVerified;
                    build.why = format!("the endpoint could not classify a known row: {refusal}");
                    return Ok(build);
                }
            };
            let same = match (&row.label, &labels[..]) {
                (_, []) => false,
                (None, _) => true,
                (Some(expected), labels) => is_same(set.as_deref(), expected, labels),
            };
            different += usize::from(!same);
        }
        if different * 10 > expected.len() {
            build.status = Status::NotVerified;
            build.why = format!(
                "the endpoint answered {different} of {} otherwise than its model did",
                counted(expected.len(), "known row")
            );
        } else {
            build.status = Status::Verified;
        }
        Ok(build)
    }

    /// Returns what the wanted model said of held-out rows, in this build or in the one that measured it last.
    async fn expected(&self, build: &Build) -> Result<Vec<Expected>, StepError> {
        let mut sources = Vec::new();
        match build.request()?.action {
            Action::Build => sources.push((build.id.clone(), true)),
            Action::RollBack => {
                let wanted = build.challenger()?;
                let deployments = deployment::read_all(&self.bucket).await?;
                let builds = deployments.iter().rev();
                for switch in builds.filter(|switch| switch.by == SwitchedBy::Build) {
                    if switch.model_arn == wanted {
                        sources.push((switch.build_id.clone(), true));
                    } else if switch.previous_model_arn.as_deref() == Some(wanted) {
                        sources.push((switch.build_id.clone(), false));
                    }
                }
            }
        }
        for (id, as_challenger) in sources {
            let known: Option<Vec<KnownRow>> = self.bucket.read_document(&key(&id, KNOWN)).await?;
            let known = known.unwrap_or_default().into_iter().filter_map(|row| {
                let label = if as_challenger {
                    Some(row.challenger)
                } else {
                    row.champion
                };
                Some(Expected {
                    text: row.text,
                    label: Some(label?),
                })
            });
            let known: Vec<Expected> = known.collect();
            if !known.is_empty() {
                return Ok(known);
            }
        }
        Ok(vec![Expected {
            text: ANY_TEXT.to_owned(),
            label: None,
        }])
    }

    /// Returns the labels of a text; none if the answer holds none. Waits while the endpoint is busy.
    async fn classify(&self, endpoint: &str, text: &str, pauses: &mut u32) -> Result<Vec<String>, Refusal> {
        loop {
            let classify = self.comprehend.classify_document();
            let classify = classify.endpoint_arn(endpoint);
            let answer = match classify.text(text).send().await {
                Ok(answer) => answer,
                Err(error) => {
                    let refusal = Refusal::from(error);
                    if refusal.is_throttling() && *pauses < MAX_PAUSES {
                        *pauses += 1;
                        sleep(Duration::from_secs(1)).await;
                        continue;
                    }
                    return Err(refusal);
                }
            };
            let prediction = predictions::read(&answer).prediction();
            return Ok(prediction.map(|prediction| prediction.labels).unwrap_or_default());
        }
    }
}

/// Returns whether a model answered what it is known to answer, be it by other names: releases before this one wrote the
/// names down that the label set had at that time.
fn is_same(set: Option<&LabelSet>, expected: &str, answered: &[String]) -> bool {
    let own_name = |name: &str| set.map_or(name, |set| set.own_name(name)).to_owned();
    let expected = match answered.len() {
        1 => vec![expected.to_owned()],
        _ => split_labels(expected),
    };
    let own_names = |names: &[String]| LabelNames::of(names.iter().map(|name| own_name(name)));
    own_names(&expected) == own_names(answered)
}

#[cfg(test)]
mod tests {
    use active_learning_core::labels::label_set::Origin;

    use super::*;

    #[test]
    fn several_labels_are_the_same_in_any_order_and_by_the_names_of_now() {
        let mut set = LabelSet::seed(["Cat", "Dog"].map(str::to_owned), Origin::Parameter, "");
        set.rename("Cat", "Feline").expect("a free name");
        let answer = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();

        assert!(is_same(None, "Cat|Dog", &answer(&["Dog", "Cat"])));
        assert!(!is_same(None, "Cat|Dog", &answer(&["Dog"])));
        assert!(!is_same(None, "Feline", &answer(&["Cat"])));
        assert!(is_same(Some(&set), "Feline", &answer(&["Cat"])));
        assert!(is_same(Some(&set), "Dog|Feline", &answer(&["Cat", "Dog"])));
        assert!(!is_same(Some(&set), "Dog", &answer(&["Cat"])));
    }
}
