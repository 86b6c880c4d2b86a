//! Answers by a label that went out of use while its page was open.

use active_learning_core::labels::{
    human_loop::{Answer, ExclusionCategories, HumanLoopOutput},
    label_set::{LabelSet, Resolution, State},
};
use serde_json::{Map, Value};

/// Says what became of the first label of an answer, in which these exclusion categories are chosen, that was retired or split; `None` where all can be taken. A label
/// that was renamed or merged can: its answers are those of the label it led to.
pub fn not_in_use(
    answer: &Map<String, Value>,
    exclusions: &ExclusionCategories,
    input: &Value,
    set: &LabelSet,
) -> Option<String> {
    let task = HumanLoopOutput::unanswered(input.clone()).ok()?;
    let answers = task
        .read_form(answer, exclusions, Some(set))
        .answers
        .into_values();
    let mut names = answers.flatten().flat_map(|answer| names_of(answer, set));
    names.find_map(|name| fate(&name, set))
}

/// Returns the labels that an answer names; what the page did not offer may be several.
fn names_of(answer: Answer, set: &LabelSet) -> Vec<String> {
    match answer {
        Answer::Labels { labels } => labels,
        Answer::NewLabel { label } => set.names(&label).unwrap_or_else(|| vec![label]),
        Answer::NoneFits | Answer::Unsure => Vec::new(),
    }
}

fn fate(name: &str, set: &LabelSet) -> Option<String> {
    let (Resolution::Retired(name) | Resolution::Split(name)) = set.resolve(name) else {
        return None;
    };
    match &set.find(name)?.state {
        State::Split { into } => Some(format!("`{name}` was split into `{}`", into.join("`, `"))),
        State::Active | State::Retired | State::MergedInto(_) => Some(format!("`{name}` was retired")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn not_in_use(answer: &Map<String, Value>, input: &Value, set: &LabelSet) -> Option<String> {
        super::not_in_use(answer, &ExclusionCategories::new(), input, set)
    }

    fn item(id: &str) -> Value {
        json!({ "id": id, "classifier": "news", "utterance": format!("Text of {id}") })
    }

    fn set() -> LabelSet {
        let mut set = LabelSet::none();
        for name in ["World", "Sport", "Old", "Biz", "Business", "A|B"] {
            set.add(name, "").expect("free");
        }
        set.split("Sport", &["Ball games", "Racing"]).expect("parts");
        set.retire("Old").expect("active");
        set.merge("Biz", "Business").expect("active");
        set.retire("A|B").expect("active");
        set
    }

    #[test]
    fn what_became_of_a_label_that_is_no_longer_in_use_is_said() {
        let items = json!([item("r-1"), item("r-2")]);
        let input = json!({ "comprehendPredictions": items, "labels": set().choices([]) });
        let of = |answer: Value| not_in_use(answer.as_object().expect("an object"), &input, &set());

        assert_eq!(
            of(json!({ "r-1": "World", "r-2": " oLD" })).as_deref(),
            Some("`Old` was retired")
        );
        assert_eq!(
            of(json!({ "r-1": { "label": "Sport" } })).as_deref(),
            Some("`Sport` was split into `Ball games`, `Racing`")
        );
        assert_eq!(
            of(json!({ "r-1": ["World", "Old"] })).as_deref(),
            Some("`Old` was retired")
        );
        assert_eq!(of(json!({ "r-1": "A|B" })).as_deref(), Some("`A|B` was retired"));
    }

    #[test]
    fn labels_in_use_those_that_were_merged_and_new_ones_are_taken() {
        let input = json!({ "comprehendPredictions": [item("r-1")], "labels": set().choices([]) });

        for given in ["World", "Biz", "racing", "Weather", "__none__", "__unsure__", ""] {
            let answer = json!({ "r-1": given, "comment:r-1": "Old" });

            assert_eq!(
                not_in_use(answer.as_object().expect("an object"), &input, &set()),
                None,
                "{given}"
            );
        }
        let foreign = json!({ "x": "Old" });
        assert_eq!(
            not_in_use(
                foreign.as_object().expect("an object"),
                &json!({ "text": "x" }),
                &set()
            ),
            None
        );
    }
}
