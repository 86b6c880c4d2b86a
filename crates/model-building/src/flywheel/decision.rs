//! The decision by what a flywheel's iteration says.

use active_learning_core::{
    dataset::{DatasetManifest, Problem},
    model::comparison::{Decision, Measured, Reason},
};

use crate::{
    ModelBuilding,
    build::Build,
    flywheel::{Averages, IterationResult},
};

impl ModelBuilding {
    /// Decides by the averages of an iteration; where no model serves, or the one that serves has to go, the new one must
    /// do better than a guess.
    pub(crate) fn decide_by_averages(
        &self,
        build: &Build,
        manifest: &DatasetManifest,
        (result, trained): (&IterationResult, Averages),
        challenger: &str,
        has_to_go: Option<&str>,
        problems: &[Problem],
    ) -> Decision {
        let rows = manifest.test.summary.rows;
        let measured = |model_arn: &str, averages: Averages| Measured {
            model_arn: model_arn.to_owned(),
            evaluation: averages.evaluation(rows),
        };
        let champion = build.champion.as_deref().zip(result.evaluated);
        let champion = champion.map(|(model, averages)| measured(model, averages));
        let is_compared = champion.is_some() && has_to_go.is_none();
        let challenger = measured(challenger, trained);
        let policy = self.config.selection;
        let mut decision = Decision::of_averages(policy, champion, has_to_go, challenger, problems);
        if !is_compared {
            let guess = guess(manifest);
            decision.add(Reason {
                in_favour: trained.f1 > guess,
                text: format!(
                    "the flywheel measured an average F1 of {:.4}, and the commonest label for each text has {guess:.4}",
                    trained.f1
                ),
            });
        }
        decision
    }
}

/// Returns the macro F1 of giving each held-out text the commonest label; without held-out texts, each text.
fn guess(manifest: &DatasetManifest) -> f64 {
    let summary = match manifest.test.summary.rows {
        0 => &manifest.train.summary,
        _ => &manifest.test.summary,
    };
    let commonest = summary.classes.values().max().copied().unwrap_or_default() as f64;
    let precision = commonest / summary.rows.max(1) as f64;
    2.0 * precision / (1.0 + precision) / summary.classes.len().max(1) as f64
}
