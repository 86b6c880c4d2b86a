//! The table that a run ends with.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::ledger::Verdict;

use crate::wording::counted;

/// What became of all texts of one piece or of several, and what befell them.
#[derive(Debug, Default)]
pub(super) struct Table {
    verdict: Verdict,
    /// Models of builds that were deployed.
    models: u64,
    /// Models that the selection refused.
    refused: u64,
    /// Number of each trouble and fault.
    troubles: BTreeMap<String, u64>,
    /// Seeds of the pieces.
    seeds: Vec<u64>,
    /// How to repeat those in which something was lost, doubled or falsified.
    unclean: Vec<String>,
    /// The same of those in which no model was deployed or refused although there were labels enough.
    without_model: Vec<String>,
    asked_twice: Vec<String>,
    /// Texts that were asked again since their label was split.
    asked_again: usize,
    sent: Duration,
    whole: Duration,
}

/// What came of one piece.
pub(super) struct Piece {
    pub seed: u64,
    /// The command that does it again.
    pub repeat: String,
    pub verdict: Verdict,
    /// The questions that were asked too often.
    pub asked_twice: Vec<String>,
    /// Texts that were asked again since their label was split, as they must be.
    pub asked_again: usize,
    /// Models of builds that were deployed.
    pub models: u64,
    /// Models that the selection refused, which is no fault.
    pub refused: u64,
    /// Whether there were labels enough for one.
    pub wants_models: bool,
    pub troubles: Vec<(String, u64)>,
    pub sent: Duration,
    pub whole: Duration,
}

impl Table {
    pub(super) fn of_piece(piece: Piece) -> Self {
        let is_without_model = piece.wants_models && piece.models + piece.refused == 0;
        let if_so = |is_so: bool| is_so.then(|| piece.repeat.clone()).into_iter().collect();
        Self {
            unclean: if_so(!piece.verdict.is_clean()),
            without_model: if_so(is_without_model),
            verdict: piece.verdict,
            models: piece.models,
            refused: piece.refused,
            troubles: piece.troubles.into_iter().collect(),
            seeds: vec![piece.seed],
            asked_twice: piece.asked_twice,
            asked_again: piece.asked_again,
            sent: piece.sent,
            whole: piece.whole,
        }
    }

    /// Adds another piece.
    pub(super) fn add(&mut self, other: Self) {
        self.verdict += other.verdict;
        self.models += other.models;
        self.refused += other.refused;
        for (name, count) in other.troubles {
            *self.troubles.entry(name).or_default() += count;
        }
        self.seeds.extend(other.seeds);
        self.unclean.extend(other.unclean);
        self.without_model.extend(other.without_model);
        self.asked_twice.extend(other.asked_twice);
        self.asked_again += other.asked_again;
        self.sent += other.sent;
        self.whole += other.whole;
    }

    pub(super) fn is_clean(&self) -> bool {
        self.verdict.is_clean() && self.without_model.is_empty()
    }

    /// Returns what a piece came to, in a line.
    pub(super) fn line(&self) -> String {
        let (verdict, seconds) = (&self.verdict, self.whole.as_secs());
        let outcome = if self.is_clean() { "clean" } else { "NOT CLEAN" };
        format!(
            "{}, {} labelled, {outcome}, {seconds} s",
            counted(verdict.acknowledged, "text"),
            verdict.labelled
        )
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter)?;
        for (name, count) in self.verdict.rows() {
            writeln!(formatter, "  {name:<28}{count:>10}")?;
        }
        writeln!(
            formatter,
            "  {:<28}{:>10}",
            "asked again after a split", self.asked_again
        )?;
        writeln!(formatter, "  {:<28}{:>10}", "models deployed", self.models)?;
        writeln!(formatter, "  {:<28}{:>10}", "models refused", self.refused)?;
        for (name, count) in &self.troubles {
            writeln!(formatter, "  {name:<28}{count:>10}")?;
        }
        let (sent, whole) = (self.sent.as_secs(), self.whole.as_secs());
        let seeds = match self.seeds.as_slice() {
            [seed] => format!("seed {seed}"),
            [first, .., last] => format!("seeds {first} to {last}"),
            [] => String::new(),
        };
        writeln!(formatter, "\n  {seeds}, {sent} s under faults, {whole} s in all")?;
        if self.is_clean() {
            return write!(formatter, "  Nothing was lost, doubled or falsified.");
        }
        write!(
            formatter,
            "  This must not be. The same seed sends the same texts and kills as often:"
        )?;
        for repeat in &self.unclean {
            write!(formatter, "\n  {repeat}")?;
        }
        for repeat in &self.without_model {
            write!(formatter, "\n  no build came to its end: {repeat}")?;
        }
        for text in &self.asked_twice {
            write!(formatter, "\n  asked twice: {text}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(seed: u64, lost: usize, [models, refused]: [u64; 2]) -> Table {
        Table::of_piece(Piece {
            seed,
            repeat: format!("repeat {seed}"),
            verdict: Verdict {
                lost,
                ..Verdict::default()
            },
            asked_twice: Vec::new(),
            asked_again: 1,
            models,
            refused,
            wants_models: true,
            troubles: vec![("LostRace".to_owned(), 2)],
            sent: Duration::from_secs(1),
            whole: Duration::from_secs(2),
        })
    }

    #[test]
    fn a_piece_in_which_no_build_came_to_its_end_is_not_clean_and_says_how_to_repeat_it() {
        let mut table = piece(1, 0, [2, 0]);
        assert!(table.is_clean());
        table.add(piece(4, 0, [0, 1]));
        assert!(table.is_clean(), "the selection may refuse a model");
        table.add(piece(2, 0, [0, 0]));
        table.add(piece(3, 1, [1, 0]));

        let text = table.to_string();

        assert!(!table.is_clean());
        assert!(
            text.contains("no build came to its end: repeat 2\n") || text.ends_with("repeat 2"),
            "{text}"
        );
        assert!(
            text.contains("\n  repeat 3") && !text.contains("repeat 1") && !text.contains("repeat 4"),
            "{text}"
        );
        let row = |name: &str, count: u64| text.contains(&format!("  {name:<28}{count:>10}\n"));
        assert!(
            row("asked again after a split", 4)
                && row("models deployed", 3)
                && row("models refused", 1)
                && row("LostRace", 8),
            "{text}"
        );
    }
}
