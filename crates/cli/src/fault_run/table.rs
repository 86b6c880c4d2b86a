//! The table that a run ends with.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::ledger::Verdict;

use crate::wording::counted;

/// What became of all texts of one piece or of several, and what befell them.
#[derive(Debug, Default)]
pub(super) struct Table {
    verdict: Verdict,
    /// Number of each trouble and fault.
    troubles: BTreeMap<String, u64>,
    /// Seeds of the pieces, and of those in which something was lost, doubled or falsified.
    seeds: Vec<u64>,
    unclean: Vec<u64>,
    asked_twice: Vec<String>,
    sent: Duration,
    whole: Duration,
}

impl Table {
    pub(super) fn of_piece(
        seed: u64,
        verdict: Verdict,
        asked_twice: Vec<String>,
        troubles: Vec<(String, u64)>,
        sent: Duration,
        whole: Duration,
    ) -> Self {
        Self {
            unclean: (!verdict.is_clean()).then_some(seed).into_iter().collect(),
            verdict,
            troubles: troubles.into_iter().collect(),
            seeds: vec![seed],
            asked_twice,
            sent,
            whole,
        }
    }

    /// Adds another piece.
    pub(super) fn add(&mut self, other: Self) {
        self.verdict += other.verdict;
        for (name, count) in other.troubles {
            *self.troubles.entry(name).or_default() += count;
        }
        self.seeds.extend(other.seeds);
        self.unclean.extend(other.unclean);
        self.asked_twice.extend(other.asked_twice);
        self.sent += other.sent;
        self.whole += other.whole;
    }

    pub(super) fn is_clean(&self) -> bool {
        self.verdict.is_clean()
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
        let unclean: Vec<String> = self.unclean.iter().map(u64::to_string).collect();
        write!(
            formatter,
            "  This must not be: seed {}. The same seed sends the same texts and kills as often.",
            unclean.join(", ")
        )?;
        for text in &self.asked_twice {
            write!(formatter, "\n  asked twice: {text}")?;
        }
        Ok(())
    }
}
