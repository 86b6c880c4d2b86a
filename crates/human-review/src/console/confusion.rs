//! People against the serving model: what it takes for what, each pair with a way to its texts.

use active_learning_aws::overview::{Tally, serving};
use active_learning_core::model::confusion::{ConfusedPair, ModelConfusion};
use active_learning_core::text::counted;
use serde_json::{Value, json};

use super::chart::percent;
use super::data_search::{NONE, Place, Search};
use super::page::Block;
use super::table::{Cell, Table};
use super::{Console, ConsoleError};

/// Pairs that are shown.
const SHOWN: usize = 25;
/// Labels up to which the whole matrix is shown.
const MATRIX: usize = 20;
/// How a label is called that is none.
const NO_LABEL: &str = "no label fits";
/// What is said above the pairs.
const ABOUT: &str = "What people said of what the serving model predicted, each text as its human loop left it. People are asked \
    about what a model doubts: these are no shares of all texts. Labels that were renamed or merged are called as they are now. As \
    of the last look of the function that builds models.";

impl Console<'_> {
    /// Shows what people said of what the serving model predicted.
    pub(super) async fn confusion(
        &self,
        blocks: &mut Vec<Block>,
        document: &mut Value,
    ) -> Result<(), ConsoleError> {
        blocks.push(Block::heading("People against the model"));
        let tally = Tally::read(self.training).await?;
        let serving = serving(self.training, self.now).await?;
        let set = self.label_sets.current().await?;
        let named = |confusion: &ModelConfusion| match &set {
            Some(set) => confusion.by_names_of(set),
            None => confusion.clone(),
        };
        let confusion = serving
            .as_ref()
            .and_then(|serving| tally.confusion(&serving.model_arn).map(named));
        let confusion = confusion.as_ref();
        let pairs = confusion.map(ModelConfusion::most_confused).unwrap_or_default();

        match (&serving, confusion) {
            (Some(serving), Some(confusion)) => {
                let texts = counted(confusion.texts, "text");
                blocks.push(Block::text(format!(
                    "{ABOUT} Model {}: {texts}.",
                    serving.version()
                )));
                if pairs.is_empty() {
                    blocks.push(Block::text("People have contradicted it nowhere."));
                } else {
                    blocks.push(Block::Table(table(&pairs)));
                }
                if confusion.beyond > 0 {
                    let texts = counted(confusion.beyond, "text");
                    blocks.push(Block::text(format!(
                        "{texts} of pairs beyond the first thousand are counted in no row."
                    )));
                }
                blocks.extend(matrix(confusion));
            }
            (Some(_), None) => blocks.push(Block::text(
                "No prediction of the serving model was answered since these are counted.",
            )),
            (None, _) => blocks.push(Block::text("No model serves yet.")),
        }
        let rows = pairs.iter().take(SHOWN).map(|pair| {
            json!({ "predicted": pair.predicted, "said": none_if_empty(pair.said), "texts": pair.texts, "of": pair.of })
        });
        document["confusion"] = json!({
            "modelArn": serving.as_ref().map(|serving| &serving.model_arn),
            "texts": confusion.map_or(0, |confusion| confusion.texts),
            "mostConfused": rows.collect::<Vec<_>>(),
            "hasMore": pairs.len() > SHOWN,
        });
        Ok(())
    }
}

/// Returns a label; none where no label fits.
fn none_if_empty(label: &str) -> Option<&str> {
    Some(label).filter(|label| !label.is_empty())
}

fn in_words(label: &str) -> &str {
    none_if_empty(label).unwrap_or(NO_LABEL)
}

fn table(pairs: &[ConfusedPair<'_>]) -> Table {
    let row = |pair: &ConfusedPair<'_>| {
        let share = pair.texts as f64 / pair.of.max(1) as f64;
        vec![
            Cell::written(pair.predicted),
            Cell::written(in_words(pair.said)),
            Cell::text(pair.texts.to_string()),
            Cell::text(format!("{} of {}", percent(share), pair.of)),
            Cell::Link(
                texts_of(pair.predicted, pair.said),
                format!("Texts of {} for {}", pair.predicted, in_words(pair.said)),
            ),
        ]
    };
    Table {
        caption: format!("The most confused pairs, the first {SHOWN}"),
        head: vec![
            "Predicted",
            "People said",
            "Texts",
            "Of those that were predicted so",
            "Look at them",
        ],
        rows: pairs.iter().take(SHOWN).map(row).collect(),
    }
}

/// Returns the address of the texts of which people said this where that was predicted.
fn texts_of(predicted: &str, said: &str) -> String {
    let search = Search {
        predicted: predicted.to_owned(),
        label: said.to_owned(),
        answer: if said.is_empty() { NONE } else { "" }.to_owned(),
        ..Search::default()
    };
    search.address("data", &Place::default())
}

/// Returns the whole matrix where it can be read.
fn matrix(confusion: &ModelConfusion) -> Option<Block> {
    let mut said: Vec<&String> = confusion.pairs.values().flat_map(|row| row.keys()).collect();
    said.sort_unstable();
    said.dedup();
    // Where no label fits comes last.
    said.sort_by_key(|label| label.is_empty());
    if said.len() > MATRIX || confusion.pairs.len() > MATRIX {
        return None;
    }
    let row = |(predicted, row): (&String, &std::collections::BTreeMap<String, u64>)| {
        let count = |label: &&String| match row.get(*label).copied().unwrap_or_default() {
            0 => Cell::text("0"),
            texts => Cell::Link(texts_of(predicted, label), texts.to_string()),
        };
        let counts = said.iter().map(count);
        std::iter::once(Cell::written(predicted)).chain(counts).collect()
    };
    let head = said.iter().map(|label| in_words(label).to_owned());
    Some(Block::Matrix {
        caption: "Texts by predicted label, in rows, and by what people said, in columns".to_owned(),
        head: std::iter::once("Predicted".to_owned()).chain(head).collect(),
        rows: confusion.pairs.iter().map(row).collect(),
    })
}
