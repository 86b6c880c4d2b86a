//! Why tasks were skipped.

use active_learning_aws::rfc3339;
use serde::Serialize;
use serde_json::{Value, json};

use super::page::Block;
use super::table::{Cell, Table};
use super::{Console, ConsoleError};
use crate::human_loop::HumanLoop;
use crate::loops::LoopError;
use crate::remarks::{KEPT, Skip};

/// Who skipped a task, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SkippedBy {
    /// Name of the reviewer, or their id where it is not known.
    pub name: String,
    /// What they wrote; none where they gave no reason.
    pub reason: Option<String>,
}

impl Console<'_> {
    /// Returns who skipped a task, and why.
    pub(super) async fn skips_of(&self, human_loop: &HumanLoop) -> Result<Vec<SkippedBy>, ConsoleError> {
        let mut skips = Vec::new();
        for worker in &human_loop.skipped_by {
            skips.push(SkippedBy {
                name: self.name_of(worker).await?,
                reason: human_loop.skip_reasons.get(worker).cloned(),
            });
        }
        Ok(skips)
    }

    /// Shows who skipped the task that a text was asked in last.
    pub(super) async fn skips_of_text(
        &self,
        human_loop: &str,
        blocks: &mut Vec<Block>,
        document: &mut Value,
    ) -> Result<(), ConsoleError> {
        let skips = match self.loops.find(human_loop, self.now).await {
            Ok(human_loop) => self.skips_of(&human_loop).await?,
            // Its state is kept no longer, or was that of a file or of a user.
            Err(LoopError::NotFound) => Vec::new(),
            Err(LoopError::Storage(reason)) if reason.is_damaged() => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        document["skippedBy"] = json!(skips);
        if !skips.is_empty() {
            let row = |skip: &SkippedBy| {
                let reason = skip.reason.as_deref().unwrap_or("no reason given");
                vec![Cell::written(&skip.name), Cell::written(reason)]
            };
            blocks.push(Block::Table(Table {
                caption: "Who skipped its latest task".to_owned(),
                head: vec!["Who", "Why"],
                rows: skips.iter().map(row).collect(),
            }));
        }
        Ok(())
    }

    /// Shows the newest reasons for which tasks were skipped.
    pub(super) async fn newest_skips(
        &self,
        skips: &[Skip],
        blocks: &mut Vec<Block>,
    ) -> Result<(), ConsoleError> {
        blocks.push(Block::heading("Skipped with a reason"));
        if skips.is_empty() {
            blocks.push(Block::text("Nobody has skipped a task and said why."));
            return Ok(());
        }
        let mut rows = Vec::new();
        for skip in skips {
            rows.push(vec![
                Cell::text(rfc3339(skip.at)),
                Cell::written(self.name_of(&skip.worker).await?),
                Cell::Name(skip.human_loop.clone()),
                Cell::written(&skip.text),
                Cell::written(&skip.reason),
            ]);
        }
        blocks.push(Block::Table(Table {
            caption: format!("Why reviewers skipped tasks, the newest {KEPT}"),
            head: vec!["When", "Who", "Task", "Begins with", "Why"],
            rows,
        }));
        Ok(())
    }
}

/// Says in one line who skipped a task: how many, and the reasons that were given.
pub(super) fn in_one_line(skips: &[SkippedBy]) -> String {
    let given = skips.iter().filter_map(|skip| {
        let reason = skip.reason.as_deref()?;
        Some(format!("{}: {reason}", skip.name))
    });
    let given: Vec<String> = given.collect();
    match given.is_empty() {
        true => skips.len().to_string(),
        false => format!("{}; {}", skips.len(), given.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_number_of_skips_and_the_reasons_that_were_given() {
        let skip = |name: &str, reason: Option<&str>| SkippedBy {
            name: name.to_owned(),
            reason: reason.map(str::to_owned),
        };

        assert_eq!(in_one_line(&[]), "0");
        assert_eq!(in_one_line(&[skip("ann", None)]), "1");
        assert_eq!(
            in_one_line(&[skip("ann", None), skip("bea", Some("too long"))]),
            "2; bea: too long"
        );
    }
}
