//! The label set and what is proposed for it, for people.

use active_learning_core::labels::label_set::{Label, LabelSet, State};
use model_building::proposals::Proposal;

use crate::wording::counted;

/// Lists what is proposed, with its votes.
pub(super) fn proposed(proposals: &[Proposal]) -> String {
    if proposals.is_empty() {
        return "Nothing is proposed.\n".to_owned();
    }
    let lines = proposals.iter().map(|proposal| {
        let votes = counted(proposal.votes, "vote");
        let again = match proposal.refused_before {
            true => ", proposed again since it was refused",
            false => "",
        };
        format!("{}\t{votes}{again}\n", proposal.name)
    });
    lines.collect()
}

/// Lists the labels with their states.
pub(super) fn listed(set: &LabelSet) -> String {
    if set.labels().is_empty() {
        return "There is no label set yet: the first feedback or training file makes one.\n".to_owned();
    }
    let mut text = format!("Version {}, changed {}\n", set.version(), set.updated_at());
    for label in set.labels() {
        text += &line(set, label);
    }
    text
}

fn line(set: &LabelSet, label: &Label) -> String {
    let mut line = label.name.clone();
    // A set of an older version has the names of then.
    let now = |name: &String| set.find(name).map_or(name.clone(), |label| label.name.clone());
    match &label.state {
        State::Active => {}
        State::Retired => line += "\tretired",
        State::MergedInto(name) => line += &format!("\tmerged into {}", now(name)),
        State::Split { into } => {
            let parts: Vec<String> = into.iter().map(now).collect();
            line += &format!("\tsplit into {}", parts.join(", "));
        }
    }
    if !label.synonyms.is_empty() {
        // Names may hold commas.
        line += &format!("\talso: `{}`", label.synonyms.join("`, `"));
    }
    if !label.description.is_empty() {
        line += &format!("\t{}", label.description);
    }
    line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_says_what_became_of_each_label() {
        let mut set = LabelSet::none();
        for name in ["World", "Sport", "Old", "Biz", "Business"] {
            set.add(name, "").expect("free");
        }
        set.rename("World", "World news").expect("free");
        set.split("Sport", &["Ball games", "Racing"]).expect("parts");
        set.retire("Old").expect("active");
        set.merge("Biz", "Business").expect("active");
        set.rename("Business", "Economy").expect("free");
        set.rename("Racing", "Races").expect("free");

        let text = listed(&set);

        for line in [
            "World news\talso: `World`\n",
            "Sport\tsplit into Ball games, Races\n",
            "Old\tretired\n",
            "Biz\tmerged into Economy\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn a_proposal_that_was_refused_before_is_listed_as_one() {
        let proposal = |name: &str, refused_before| Proposal {
            name: name.to_owned(),
            votes: 1,
            refused_before,
        };

        let text = proposed(&[proposal("Fog", false), proposal("Rain", true)]);

        assert_eq!(
            text,
            "Fog\t1 vote\nRain\t1 vote, proposed again since it was refused\n"
        );
    }
}
