//! A change of the label set that was made, in words.

use active_learning_aws::relabelling::Late;

use crate::wording::counted;

/// A change that was made.
pub(crate) struct Made {
    /// Version of the label set that has it.
    pub(super) version: u64,
    /// Texts that are asked again.
    pub(crate) asked_again: usize,
    /// Texts that are asked no more.
    pub(super) withdrawn: usize,
    /// Texts whose votes contradict one another by it.
    pub(crate) contradicted: usize,
    /// Those among all these that were answered after they were counted.
    pub(super) late: Late,
}

impl Made {
    /// Says of how many texts somebody is asked, a line for each reason.
    pub(crate) fn in_words(&self) -> String {
        let late = |late: usize| match late {
            0 => String::new(),
            late => format!(", {late} of them answered since they were counted"),
        };
        let mut text = String::new();
        for (what, count, late) in [
            ("Asked again", self.asked_again, late(self.late.asked)),
            ("Asked no more", self.withdrawn, String::new()),
            ("Contradicted", self.contradicted, late(self.late.contradicted)),
        ] {
            if count > 0 {
                text += &format!("{what}: {}{late}.\n", counted(count, "text"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_asked_by_a_change_is_said_with_what_was_answered_since_it_was_counted() {
        let made = Made {
            version: 2,
            asked_again: 3,
            withdrawn: 0,
            contradicted: 1,
            late: Late {
                asked: 0,
                contradicted: 1,
            },
        };

        let said = made.in_words();

        assert_eq!(
            said,
            "Asked again: 3 texts.\nContradicted: 1 text, 1 of them answered since they were counted.\n"
        );
    }
}
