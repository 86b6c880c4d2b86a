//! Labels that reviewers propose: made a label, merged into one that there is, or refused.

use std::collections::BTreeMap;

use active_learning_aws::label_set::{ChangeError, time_of_change};
use active_learning_aws::overview::Tally;
use active_learning_aws::relabelling::{ANSWERS_PER_SWEEP, Doubt, Relabelling};
use active_learning_aws::rfc3339;
use active_learning_core::labels::label_key::label_key;
use active_learning_core::labels::label_set::{ChangeCounted, LabelChange, LabelSet, can_be_label};
use active_learning_core::text::{counted, counted_as};
use serde::Serialize;
use serde_json::{Value, json};

use super::form::{Field, Form};
use super::page::Block;
use super::table::{Cell, Table};
use super::{Console, ConsoleError};

/// Proposals that are shown.
const SHOWN: usize = 50;

/// Says that no exact number is known.
const NOT_COUNTED: &str = "How many rows this changes, and how many texts are asked again, was not counted in time: go back and try \
    again, or use `active-learning labels`, which counts before.";

/// What it does to take another name of a label away.
const WITHOUT_SYNONYM: &str = "What is proposed by that name is a proposal again, and its rows are left out. What reviewers chose while \
    it was the label's own name, and rows of training files that are called so, are of a class of that name, until it is a label \
    or another name of one. A name that only writes the label's own in other digits means it all the same.";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Proposal {
    name: String,
    votes: u64,
    /// Whether it was refused before, and somebody has proposed it again since.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    refused_before: bool,
}

/// Returns what is proposed and neither a label nor was refused since; of several names of one text each.
fn open_proposals(tally: &Tally, set: &LabelSet) -> Vec<Proposal> {
    let mut by_key: BTreeMap<String, Proposal> = BTreeMap::new();
    for (proposed, votes) in &tally.proposed {
        let newest = tally.proposed_at.get(proposed).map_or("", String::as_str);
        if set.was_refused_since(proposed, newest) {
            continue;
        }
        let names = set.proposed_names(proposed).into_iter();
        for name in names.filter(|name| can_be_label(name) && !set.was_refused_since(name, newest)) {
            let new = || Proposal {
                refused_before: set.is_refused(&name),
                name: name.clone(),
                votes: 0,
            };
            by_key.entry(label_key(&name)).or_insert_with(new).votes += votes;
        }
    }
    by_key.into_values().collect()
}

impl Console<'_> {
    /// Shows what is proposed and neither a label nor was refused since, the most frequent first.
    pub(super) async fn proposals(
        &self,
        blocks: &mut Vec<Block>,
        document: &mut Value,
    ) -> Result<(), ConsoleError> {
        let tally = Tally::read(self.training).await?;
        let set = self.label_set().await?;
        let mut proposals = open_proposals(&tally, &set);
        proposals.sort_by(|a, b| b.votes.cmp(&a.votes).then_with(|| a.name.cmp(&b.name)));
        let has_more = proposals.len() > SHOWN;
        proposals.truncate(SHOWN);

        blocks.push(Block::heading("Proposed labels"));
        blocks.push(Block::text(
            "What reviewers proposed, as of the last look of the function that builds models. To accept makes the proposal a \
             label of its own; a merge makes it another name of one. Votes that proposed it count for that then, and what \
             contradicts itself by it is asked. Whatever a file proposed, the answers of reviewers stay. What a change does is \
             counted before it is confirmed, as `labels accept` and `labels merge` do at the command line; `labels proposed` counts \
             what users suggested as well. To refuse has texts asked again that were answered by what is refused.",
        ));
        if proposals.is_empty() {
            blocks.push(Block::text("Nothing is proposed."));
        } else {
            let labels: Vec<String> = set.active().map(str::to_owned).collect();
            blocks.push(Block::Table(table(&proposals, &labels)));
        }
        if has_more {
            blocks.push(Block::text(format!(
                "There are more: these are the first {SHOWN}."
            )));
        }
        document["proposed"] = json!({ "labels": proposals, "hasMore": has_more });
        Ok(())
    }

    /// Says what a change of the label set will do before it is made, and of which version; nothing of other actions. It is counted
    /// as by the command; where no count comes, it is said what is known without one.
    pub(super) async fn known_of_proposal(
        &self,
        address: &str,
        name: &str,
        value: &str,
    ) -> Result<Option<ChangeCounted>, ConsoleError> {
        let Some(change) = change_of(address, name, value) else {
            return Ok(None);
        };
        let counted = match &self.counter {
            Some(counter) => counter.count(&change).await,
            None => None,
        };
        Ok(Some(match counted {
            Some(ChangeCounted { text, version }) => ChangeCounted {
                text: format!("{text} {}", asked_when()),
                version,
            },
            None => ChangeCounted {
                version: self.newest_label_set().await?.version(),
                text: format!("{NOT_COUNTED} {}", self.known_uncounted(address, name).await?),
            },
        }))
    }

    /// Says what is known of a change of which no count came.
    async fn known_uncounted(&self, address: &str, name: &str) -> Result<String, ConsoleError> {
        let then = match address {
            "merge-label" => "They count for the label that is chosen.",
            "accept-label" => "They count for it.",
            "refuse-label" => "It is proposed no more.",
            _ => return Ok(WITHOUT_SYNONYM.to_owned()),
        };
        let tally = Tally::read(self.training).await?;
        let set = self.label_sets.current().await?;
        let names_of = |proposed: &str| match &set {
            Some(set) => set.proposed_names(proposed),
            None => vec![proposed.to_owned()],
        };
        let is_it = |other: &String| label_key(other) == label_key(name);
        let same = tally.proposed.iter();
        let same = same.filter(|(proposed, _)| names_of(proposed).iter().any(is_it));
        let votes: u64 = same.map(|(_, votes)| votes).sum();
        let asked = match address {
            "merge-label" => asked(votes, None),
            "accept-label" => asked(votes, Some(tally.none_fits)),
            _ => asked_by_refusal(votes),
        };
        let votes = counted_as(votes, "vote proposes it", "votes propose it");
        Ok(format!(
            "{votes}, as of the last look of the function that builds models. {then}{asked}"
        ))
    }

    /// Makes a proposal a label of its own, if somebody proposes it. As with the others, `said_of` is the version of the set of
    /// which it was said what the change does.
    pub(super) async fn accept_label(&self, name: &str, said_of: Option<u64>) -> Result<(), ConsoleError> {
        let tally = Tally::read(self.training).await?;
        let set = self.newest_label_set().await?;
        let open = open_proposals(&tally, &set);
        if !open
            .iter()
            .any(|proposal| label_key(&proposal.name) == label_key(name))
        {
            return Err(ConsoleError::Invalid(format!("nobody proposes `{name}`")));
        }
        self.change_and_ask((&set, said_of), Some(Doubt::NoneFits), &accepted(name))
            .await
    }

    /// Makes a proposal another name of the label `into`.
    pub(super) async fn merge_label(
        &self,
        name: &str,
        into: &str,
        said_of: Option<u64>,
    ) -> Result<(), ConsoleError> {
        let set = self.newest_label_set().await?;
        self.change_and_ask((&set, said_of), None, &merged(name, into))
            .await
    }

    /// Takes another name of a label away.
    pub(super) async fn remove_synonym(
        &self,
        label: &str,
        synonym: &str,
        said_of: Option<u64>,
    ) -> Result<(), ConsoleError> {
        let set = self.newest_label_set().await?;
        self.change_and_ask((&set, said_of), None, &without_synonym(label, synonym))
            .await
    }

    /// Shows a label one place earlier where all are listed.
    pub(super) async fn move_label_up(&self, name: &str) -> Result<(), ConsoleError> {
        let at = rfc3339(self.now);
        let edit = self.label_sets.edit(&at, |set| set.move_up(name));
        changed(edit.await)
    }

    async fn label_set(&self) -> Result<LabelSet, ConsoleError> {
        let set = self.label_sets.current().await?;
        Ok(set.map_or_else(LabelSet::none, |set| set.as_ref().clone()))
    }

    /// Returns the label set as it is now.
    async fn newest_label_set(&self) -> Result<LabelSet, ConsoleError> {
        self.label_sets.forget().await;
        self.label_set().await
    }

    /// Changes the label set, and has label-collection ask what that puts in doubt: it is written down before the change, so
    /// that it is asked whatever happens then. Not where somebody else has changed the set since it was said what this does.
    async fn change_and_ask(
        &self,
        (set, said_of): (&LabelSet, Option<u64>),
        doubt: Option<Doubt>,
        change: &LabelChange,
    ) -> Result<(), ConsoleError> {
        let now = set.version();
        if let Some(counted) = said_of.filter(|counted| *counted != now) {
            return changed(Err(ChangeError::ChangedSince { counted, now }));
        }
        let checked = set.clone().apply(change);
        checked.map_err(|refused| ConsoleError::Invalid(refused.to_string()))?;
        let at = time_of_change(set, &rfc3339(self.now));
        let relabelling = Relabelling::new(self.feedback.clone(), self.training.clone());
        let planned = relabelling.plan_uncounted(set, &at, doubt).await?;
        let edit = self.label_sets.edit_counted(set, &at, |set| set.apply(change));
        let changed = changed(edit.await);
        if let Err(ConsoleError::Invalid(_)) = &changed {
            relabelling.drop_plan(&planned).await?;
        }
        changed
    }

    /// Refuses a proposal: it is proposed no more, and texts that were answered by it are asked again.
    pub(super) async fn refuse_label(&self, name: &str, said_of: Option<u64>) -> Result<(), ConsoleError> {
        let set = self.newest_label_set().await?;
        self.change_and_ask((&set, said_of), Some(Doubt::RefusedProposal), &refused(name))
            .await
    }
}

/// Returns what came of a change, for who asked for it.
fn changed(edited: Result<LabelSet, ChangeError>) -> Result<(), ConsoleError> {
    match edited {
        Ok(_) => Ok(()),
        Err(refused @ (ChangeError::Refused(_) | ChangeError::ChangedSince { .. })) => {
            Err(ConsoleError::Invalid(refused.to_string()))
        }
        Err(ChangeError::Bucket(error)) => Err(error.into()),
    }
}

/// Returns the change of the label set that an action makes of which it is said before what it does.
fn change_of(address: &str, name: &str, value: &str) -> Option<LabelChange> {
    match address {
        "accept-label" => Some(accepted(name)),
        "merge-label" => Some(merged(name, value)),
        "refuse-label" => Some(refused(name)),
        "remove-synonym" => Some(without_synonym(name, value)),
        _ => None,
    }
}

fn accepted(name: &str) -> LabelChange {
    LabelChange::Add {
        name: name.to_owned(),
        description: String::new(),
    }
}

fn merged(name: &str, into: &str) -> LabelChange {
    LabelChange::Synonym {
        name: into.to_owned(),
        synonym: name.to_owned(),
    }
}

fn refused(name: &str) -> LabelChange {
    LabelChange::Refuse {
        name: name.to_owned(),
    }
}

fn without_synonym(name: &str, synonym: &str) -> LabelChange {
    LabelChange::RemoveSynonym {
        name: name.to_owned(),
        synonym: synonym.to_owned(),
    }
}

/// Says of how many texts at most people are asked by a change, and when: `none_fits` of those that no label fitted.
fn asked(votes: u64, none_fits: Option<u64>) -> String {
    let again = none_fits.map(|texts| {
        let texts = counted(texts, "text");
        format!(" Texts that no label fitted are asked again: at most {texts}, as far as they were counted.")
    });
    let again = again.unwrap_or_default();
    let texts = counted(votes, "text");
    format!(
        " Where votes contradict one another then, one more reviewer is asked: about at most {texts}.{again} {} A text whose \
         question is kept no longer is not found where votes contradict one another: `active-learning labels` counts exactly \
         before, and asks about these too.",
        asked_when()
    )
}

/// Says of how many texts at most people are asked by a refusal, and when.
fn asked_by_refusal(votes: u64) -> String {
    let texts = counted(votes, "text");
    format!(
        " Texts that were answered by it are asked again: at most {texts}. {} `active-learning labels refuse` says exactly before \
         how many these are.",
        asked_when()
    )
}

fn asked_when() -> String {
    format!(
        "This is asked from within some hour on, by the hourly sweep of label-collection, which looks at some \
         {ANSWERS_PER_SWEEP} answers each time."
    )
}

/// Says how many votes a proposal has, also those that were refused with it before.
fn votes(proposal: &Proposal) -> String {
    match proposal.refused_before {
        true => format!("{}, proposed again since it was refused", proposal.votes),
        false => proposal.votes.to_string(),
    }
}

fn table(proposals: &[Proposal], labels: &[String]) -> Table {
    let form = |proposal: &Proposal, action, button: &str| Form {
        action,
        hidden: vec![("subject", proposal.name.clone())],
        button: button.to_owned(),
        about: proposal.name.clone(),
        ..Form::default()
    };
    let row = |proposal: &Proposal| {
        let merge = Form {
            fields: vec![Field {
                name: "value",
                label: "Label that it means",
                options: labels
                    .iter()
                    .map(|label| (label.clone(), label.clone()))
                    .collect(),
            }],
            ..form(proposal, "merge-label", "Merge")
        };
        vec![
            Cell::written(&proposal.name),
            Cell::text(votes(proposal)),
            Cell::Forms(vec![
                form(proposal, "accept-label", "Accept"),
                merge,
                form(proposal, "refuse-label", "Refuse"),
            ]),
        ]
    };
    Table {
        caption: "Proposed labels".to_owned(),
        head: vec!["Name", "Votes", "Actions"],
        rows: proposals.iter().map(row).collect(),
    }
}
