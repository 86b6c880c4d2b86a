//! For how long the stack keeps texts: no task may wait longer, since it holds its texts.

use chrono::Duration;

/// Days for which texts are kept; 0 keeps them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextRetention(pub u32);

impl TextRetention {
    fn longest(self) -> Option<Duration> {
        (self.0 > 0).then(|| Duration::days(self.0.into()))
    }

    /// Says why tasks may not wait for so many seconds; nothing where they may.
    pub fn refusal(self, availability_seconds: i64) -> Option<String> {
        let longest = self.longest()?.num_seconds();
        (availability_seconds > longest).then(|| {
            format!(
                "TaskAvailabilityLifetimeInSeconds is {availability_seconds}, and the stack keeps texts for {longest} seconds \
                 (parameter TextRetentionDays, {}): a task would lose its texts and answers while it waits. Give {longest} \
                 at most, or keep texts longer.",
                self.0
            )
        })
    }

    /// Returns how long tasks of the stack wait: they end, which is told, before their texts are gone.
    pub fn limit(self, availability: Duration) -> Duration {
        self.longest()
            .map_or(availability, |longest| longest.min(availability))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_may_wait_as_long_as_texts_are_kept_and_no_longer() {
        let week = TextRetention(7);

        assert_eq!(TextRetention(0).refusal(i64::MAX), None);
        assert_eq!(week.refusal(604_800), None);
        let refusal = week.refusal(604_801).unwrap_or_default();
        assert!(
            refusal.contains("is 604801") && refusal.contains("TextRetentionDays, 7"),
            "{refusal}"
        );
        assert_eq!(week.limit(Duration::days(30)), Duration::days(7));
        assert_eq!(week.limit(Duration::days(1)), Duration::days(1));
        assert_eq!(TextRetention(0).limit(Duration::days(30)), Duration::days(30));
    }
}
