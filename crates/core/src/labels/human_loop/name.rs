//! Names of human loops: the first one about some records, those that ask about them again, and outputs' keys.

use std::fmt;

/// Loops that ask for one more opinion after the first, at most.
pub const MAX_ROUNDS: u8 = 2;

/// Loops that are started in place of one that nobody answered in time, at most.
pub const MAX_RETRIES: u8 = 3;

pub(super) const NAME_PREFIX: &str = "review-";
pub(super) const NAME_DIGITS: usize = 40;

/// Name of a human loop of this workflow: `review-<40 hex digits>[-again-<round>][-retry-<number>]`.
///
/// A round asks for one more opinion on what the rounds before left open; a retry asks the same as a loop
/// that failed. The longest name has 63 characters, which is what A2I allows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoopName {
    first: String,
    round: u8,
    retry: u8,
}

impl LoopName {
    /// Reads a name; `None` if it is that of a loop that something else started.
    pub fn parse(name: &str) -> Option<Self> {
        let (rest, retry) = numbered(name, "-retry-", MAX_RETRIES)?;
        let (first, round) = numbered(rest, "-again-", MAX_ROUNDS)?;
        let digits = first.strip_prefix(NAME_PREFIX)?;
        let is_hash = digits.len() == NAME_DIGITS
            && digits
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_hash.then(|| Self {
            first: first.to_owned(),
            round,
            retry,
        })
    }

    /// Returns the name of the loop that asked about these records first; the others begin with it.
    pub fn first(&self) -> &str {
        &self.first
    }

    /// Returns how many more opinions were asked for before and with this loop: 0 for a first one.
    pub fn round(&self) -> u8 {
        self.round
    }

    /// Returns the loop that asks for one more opinion; `None` after [`MAX_ROUNDS`].
    pub fn next_round(&self) -> Option<Self> {
        (self.round < MAX_ROUNDS).then(|| Self {
            first: self.first.clone(),
            round: self.round + 1,
            retry: 0,
        })
    }

    /// Returns the names of all loops that may ask what this one asks or leaves open: this one, its further rounds, and the
    /// repetitions of each.
    pub fn with_further_rounds(&self) -> Vec<Self> {
        let rounds = std::iter::successors(Some(self.clone()), Self::next_round);
        rounds
            .flat_map(|round| std::iter::successors(Some(round), Self::next_retry))
            .collect()
    }

    /// Returns whether it asks for one more opinion on what was answered before.
    pub fn is_further_round(&self) -> bool {
        self.round > 0
    }

    /// Returns the loop of the same round that was asked first; `None` where this is it.
    pub fn before_retries(&self) -> Option<Self> {
        (self.retry > 0).then(|| Self {
            retry: 0,
            ..self.clone()
        })
    }

    /// Returns the loop that asks the same once more; `None` after [`MAX_RETRIES`].
    pub fn next_retry(&self) -> Option<Self> {
        (self.retry < MAX_RETRIES).then(|| Self {
            retry: self.retry + 1,
            ..self.clone()
        })
    }
}

impl fmt::Display for LoopName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.first)?;
        if self.round > 0 {
            write!(formatter, "-again-{}", self.round)?;
        }
        if self.retry > 0 {
            write!(formatter, "-retry-{}", self.retry)?;
        }
        Ok(())
    }
}

/// Returns the name of the human loop whose output has this key; `None` for every other object.
///
/// The key is `[<prefix>/]<flow definition>/YYYY/MM/DD/hh/mm/ss/<human loop>/output.json`.
/// Source: Amazon A2I, "Output data".
pub fn loop_of_output(key: &str) -> Option<&str> {
    let mut parts = key.rsplit('/');
    let (file, name) = (parts.next()?, parts.next()?);
    let time: Vec<&str> = parts.by_ref().take(6).collect();
    let flow = parts.next()?;
    let is_number = |part: &&str| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_output = file == "output.json" && time.iter().all(is_number);
    (is_output && !name.is_empty() && !flow.is_empty()).then_some(name)
}

/// Cuts a suffix with its number, from 1 to `max`, off a name; 0 if it has none.
fn numbered<'a>(name: &'a str, suffix: &str, max: u8) -> Option<(&'a str, u8)> {
    let Some((rest, number)) = name.split_once(suffix) else {
        return Some((name, 0));
    };
    let number = (1..=max).find(|known| known.to_string() == number)?;
    Some((rest, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "review-0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn the_longest_name_fits_the_service_and_is_read_back() {
        let mut name = LoopName::parse(FIRST).expect("a name");
        let mut names = vec![name.to_string()];
        while let Some(next) = name.next_round() {
            name = next;
            names.push(name.to_string());
        }
        while let Some(next) = name.next_retry() {
            name = next;
            names.push(name.to_string());
        }

        assert_eq!(
            names.len(),
            1 + usize::from(MAX_ROUNDS) + usize::from(MAX_RETRIES)
        );
        assert_eq!(names.last().map(String::len), Some(63));
        for name in &names {
            let read = LoopName::parse(name).expect("a name");
            assert_eq!((read.to_string(), read.first()), (name.clone(), FIRST));
        }
        assert_eq!(names[2], format!("{FIRST}-again-2"));
        assert_eq!(names[5], format!("{FIRST}-again-2-retry-3"));
    }

    #[test]
    fn a_new_round_begins_without_retries() {
        let retried = LoopName::parse(&format!("{FIRST}-retry-2")).expect("a name");

        let next = retried.next_round().expect("a round");

        assert_eq!(next.to_string(), format!("{FIRST}-again-1"));
        assert_eq!((retried.round(), next.round()), (0, 1));
    }

    #[test]
    fn names_of_others_are_not_read() {
        for name in [
            "",
            "tc-1",
            "review-1",
            "review-0123456789ABCDEF0123456789abcdef01234567",
            &format!("{FIRST}-again-3"),
            &format!("{FIRST}-again-01"),
            &format!("{FIRST}-retry-0"),
            &format!("{FIRST}-retry-1-again-1"),
            &format!("{FIRST}-again-1-more"),
        ] {
            assert_eq!(LoopName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn only_keys_of_outputs_name_a_loop() {
        for key in [
            "review/2026/11/20/10/00/00/loop-1/output.json",
            "a/prefix/review/2026/11/20/10/00/00/loop-1/output.json",
        ] {
            assert_eq!(loop_of_output(key), Some("loop-1"), "{key}");
        }
        for key in [
            "output.json",
            "review/output.json",
            "2026/11/20/10/00/00/loop-1/output.json",
            "review/2026/11/20/10/00/00/loop-1/my-output.json",
            "review/2026/11/20/10/00/00//output.json",
            "review/2026/nov/20/10/00/00/loop-1/output.json",
            "human-review/answers/0f/a/b/c/d/e/f/output.json",
        ] {
            assert_eq!(loop_of_output(key), None, "{key}");
        }
    }
}
