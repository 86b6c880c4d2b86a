//! What becomes of the texts of an import, in words and in numbers.

use serde_json::{Value, json};

use super::{
    known::Known,
    plan::{Fate, Plan},
};
use crate::wording::{counted, counted_as, listed};

/// Says what becomes of the texts with labels.
///
/// Of those that people here have answered otherwise, none trains by itself.
pub(super) fn fates(plan: &Plan, stack: Option<&Known>) -> Vec<String> {
    let (tie, outvoted) = stack.map_or((0, 0), |known| (known.tied(), known.outvoted()));
    let trains = plan.count(&Fate::Trains) - tie - outvoted;
    let mut said = Vec::new();
    if trains > 0 {
        said.push(format!(
            "{} the next model",
            counted_as(trains, "trains", "train")
        ));
    }
    if tie > 0 {
        let one = "contradicts what people answered here";
        let what = counted_as(tie, one, "contradict what people answered here");
        said.push(format!(
            "{what}: an adjudicator decides, see `active-learning disputed`"
        ));
    }
    if outvoted > 0 {
        let one = "contradicts what more people answered here";
        let what = counted_as(outvoted, one, "contradict what more people answered here");
        said.push(format!("{what}: their answer stays, the label is kept as a vote"));
    }
    let mut say = |named: Vec<(String, usize)>, what: &dyn Fn(usize) -> String, then: &str| {
        let texts: usize = named.iter().map(|(_, texts)| texts).sum();
        if texts > 0 {
            let names = listed(&named, |(name, texts)| format!("`{name}` {texts}"));
            said.push(format!("{} ({names}): {then}", what(texts)));
        }
    };
    say(
        plan.named(|fate| match fate {
            Fate::Waits(name) => Some(name),
            _ => None,
        }),
        &|texts| counted_as(texts, "waits for acceptance", "wait for acceptance"),
        "people are asked meanwhile",
    );
    say(
        plan.named(|fate| match fate {
            Fate::Several(name) => Some(name),
            _ => None,
        }),
        &|texts| counted_as(texts, "names several labels", "name several labels"),
        "a text has one here (parameter ReviewSeveralLabels), so that this is one proposed label; people are asked",
    );
    say(
        plan.named(|fate| match fate {
            Fate::Split(name) => Some(name),
            _ => None,
        }),
        &|texts| counted_as(texts, "has a label that was split", "have a label that was split"),
        "it is kept as evidence, and people are asked",
    );
    say(
        plan.named(|fate| match fate {
            Fate::Retired(name) => Some(name),
            _ => None,
        }),
        &|texts| counted_as(texts, "has a retired label", "have a retired label"),
        "it is kept and left out; people are not asked",
    );
    let (tied, unusable) = (plan.count(&Fate::Tied), plan.unusable);
    if tied > 0 {
        said.push(format!(
            "annotators do not agree on {}: they wait for `active-learning disputed`",
            counted(tied, "text")
        ));
    }
    if unusable > 0 {
        said.push(format!(
            "{} what can be no label, such as `__none__`: people are asked",
            counted_as(unusable, "names", "name")
        ));
    }
    said
}

/// Says what of it the stack knows already, each line with its name.
pub(super) fn known(known: &Known) -> Vec<(&'static str, String)> {
    let (labelled, asked, changed) = (known.labelled(), known.asked(), known.changed());
    let mut said = Vec::new();
    if labelled + asked > 0 {
        let counts = format!("{labelled} of the labels, {asked} of the questions");
        said.push((
            "known",
            format!("{counts} (asked, answered or waiting): they stay as they are"),
        ));
    }
    if known.spelt_otherwise() > 0 {
        let texts = counted(known.spelt_otherwise(), "text");
        said.push((
            "joined",
            format!("{texts} known here in another spelling (case, signs, spaces): the labels are votes on what is known"),
        ));
    }
    if changed > 0 {
        let what = "the newer one counts, the older one stays in the record";
        said.push(("changed", format!("label changed: {changed}; {what}")));
    }
    said
}

/// Counts the texts of a fate by name, for a program.
pub(super) fn by_name(plan: &Plan, name: impl Fn(&Fate) -> Option<&String>) -> Value {
    let named = plan.named(name).into_iter();
    named
        .map(|(name, texts)| json!({"name": name, "texts": texts}))
        .collect()
}
