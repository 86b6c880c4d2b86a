//! Marks: empty objects whose names alone hold an order, so that queue and listing need no reads.

use chrono::{DateTime, Utc};

use crate::human_loop::{HumanLoop, Worker};

/// Rank of loops whose input names no confidence: after all others.
const UNKNOWN_RANK: u32 = 99_999;
/// Largest time of a mark, in milliseconds (year 2286); times count down from it in the descending listing.
const LAST_MILLISECOND: i64 = 9_999_999_999_999;

/// Order of a listing by creation time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

impl Order {
    /// Returns the folder of the order's marks.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Ascending => "listing/ascending/",
            Self::Descending => "listing/descending/",
        }
    }

    /// Returns a name just before the first mark of the time range.
    pub fn first(self, from: Option<DateTime<Utc>>, before: Option<DateTime<Utc>>) -> String {
        match (self, from, before) {
            (Self::Ascending, Some(from), _) => self.time(from),
            // `~` sorts after the marks of that very millisecond, which are out of the range.
            (Self::Descending, _, Some(before)) => format!("{}~", self.time(before)),
            _ => String::new(),
        }
    }

    fn time(self, time: DateTime<Utc>) -> String {
        let milliseconds = time.timestamp_millis().clamp(0, LAST_MILLISECOND);
        match self {
            Self::Ascending => format!("{milliseconds:013}"),
            Self::Descending => format!("{:013}", LAST_MILLISECOND - milliseconds),
        }
    }
}

/// What the name of a mark says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Review order: confidence in units of 1/10,000. None for a listing mark.
    pub rank: Option<u32>,
    /// When the loop was started.
    pub created_at: DateTime<Utc>,
    /// Id of the loop.
    pub id: String,
    /// Name of the loop.
    pub name: String,
    /// Name of its flow definition, if it is not the stack's own; a mark of the queue does not say it.
    pub flow: Option<String>,
    /// Name of its work team, if it is not that of the stack; a mark of a listing does not say it.
    pub team: Option<String>,
    /// The mark by which its end is found, if it has one; no other mark says it.
    pub due: Option<DueMark>,
}

/// Name of a mark by which a loop is found when something of it is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueMark {
    /// When that is.
    pub at: DateTime<Utc>,
    /// Id of the loop.
    pub id: String,
    /// Name of the loop.
    pub name: String,
}

impl DueMark {
    /// Returns the mark by which the end of a loop is found. Those of the stack's own flow definition are found by their
    /// place in the queue, and a labelling job looks at its own.
    pub fn of(human_loop: &HumanLoop) -> Option<Self> {
        let is_found_otherwise = human_loop.flow.is_none() || human_loop.is_of_labelling_job();
        (!is_found_otherwise).then(|| Self::at(human_loop, human_loop.expires_at))
    }

    /// Returns the mark of a loop of which something is due at a time.
    pub fn at(human_loop: &HumanLoop, at: DateTime<Utc>) -> Self {
        Self {
            at,
            id: human_loop.id.clone(),
            name: human_loop.name.clone(),
        }
    }

    /// Returns the mark's name, `<time>-<id>-<name>`.
    pub fn key(&self) -> String {
        format!("{}-{}-{}", Order::Ascending.time(self.at), self.id, self.name)
    }

    /// Reads a name.
    pub fn parse(key: &str) -> Option<Self> {
        let listed = Mark::parse_listing(Order::Ascending, key)?;
        Some(Self {
            at: listed.created_at,
            id: listed.id,
            name: listed.name,
        })
    }
}

impl Mark {
    /// Returns the mark of a loop.
    pub fn of(human_loop: &HumanLoop) -> Self {
        let confidence = human_loop.lowest_confidence;
        // A float converts to an integer by saturation: no confidence is out of range.
        let rank = confidence.map_or(UNKNOWN_RANK, |score| {
            (score.clamp(0.0, 1.0) * 10_000.0).round() as u32
        });
        Self {
            rank: Some(rank),
            created_at: human_loop.created_at,
            id: human_loop.id.clone(),
            name: human_loop.name.clone(),
            flow: human_loop.flow.as_ref().map(|flow| flow.name().into_owned()),
            team: human_loop.team().map(str::to_owned),
            due: DueMark::of(human_loop),
        }
    }

    /// Returns the mark's name in the queue, `<rank>-<time>-<id>-<name>`, with `.<team>` at its end if it is for one.
    pub fn queue_key(&self) -> Option<String> {
        let time = Order::Ascending.time(self.created_at);
        let team = self.team.as_ref();
        let team = team.map(|team| format!(".{team}")).unwrap_or_default();
        self.rank
            .map(|rank| format!("{rank:05}-{time}-{}-{}{team}", self.id, self.name))
    }

    /// Returns the mark's name in a listing, `<time>-<id>-<name>`.
    pub fn listing_key(&self, order: Order) -> String {
        format!("{}-{}-{}", order.time(self.created_at), self.id, self.name)
    }

    /// Reads a name of the queue.
    pub fn parse_queue(key: &str) -> Option<Self> {
        let (rank, rest) = key.split_once('-')?;
        let mark = Self::parse_listing(Order::Ascending, rest)?;
        // No name of a loop has a dot.
        let (name, team) = match mark.name.split_once('.') {
            Some((name, team)) => (name.to_owned(), Some(team.to_owned())),
            None => (mark.name, None),
        };
        Some(Self {
            rank: Some(rank.parse().ok()?),
            name,
            team,
            ..mark
        })
    }

    /// Reads a name of a listing.
    pub fn parse_listing(order: Order, key: &str) -> Option<Self> {
        let mut parts = key.splitn(3, '-');
        let time: i64 = parts.next()?.parse().ok()?;
        let milliseconds = match order {
            Order::Ascending => time,
            Order::Descending => LAST_MILLISECOND - time,
        };
        Some(Self {
            rank: None,
            created_at: DateTime::from_timestamp_millis(milliseconds)?,
            id: parts.next()?.to_owned(),
            name: parts.next()?.to_owned(),
            flow: None,
            team: None,
            due: None,
        })
    }

    /// Returns whether a loop of the queue is for a reviewer, by its team.
    pub fn is_for(&self, worker: &Worker) -> bool {
        worker.teams.have(self.team.as_deref())
    }

    /// Returns whether the loop was started in the time range: at or after its begin, before its end.
    pub fn is_within(&self, from: Option<DateTime<Utc>>, before: Option<DateTime<Utc>>) -> bool {
        from.is_none_or(|from| self.created_at >= from)
            && before.is_none_or(|before| self.created_at < before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(rank: Option<u32>, milliseconds: i64, name: &str) -> Mark {
        Mark {
            rank,
            flow: None,
            team: None,
            due: None,
            created_at: DateTime::from_timestamp_millis(milliseconds).expect("within range"),
            id: "0f".repeat(16),
            name: name.to_owned(),
        }
    }

    #[test]
    fn names_of_marks_can_be_read_back_even_with_hyphens_in_the_loop_name() {
        let queued = mark(Some(4_210), 1_790_000_000_123, "tc-a--b-c");
        let listed = mark(None, 1_790_000_000_123, "tc-a--b-c");
        let of_team = Mark {
            team: Some("Night-2".to_owned()),
            ..queued.clone()
        };
        assert_eq!(
            Mark::parse_queue(&of_team.queue_key().expect("ranked")),
            Some(of_team)
        );

        assert_eq!(
            Mark::parse_queue(&queued.queue_key().expect("ranked")),
            Some(queued)
        );
        for order in [Order::Ascending, Order::Descending] {
            assert_eq!(
                Mark::parse_listing(order, &listed.listing_key(order)),
                Some(listed.clone())
            );
        }
    }

    #[test]
    fn marks_of_what_is_due_are_in_the_order_of_their_times_and_can_be_read_back() {
        let due = |milliseconds, name: &str| DueMark {
            at: DateTime::from_timestamp_millis(milliseconds).expect("within range"),
            id: "0f".repeat(16),
            name: name.to_owned(),
        };
        let (soon, later) = (due(999_999_999_999, "z"), due(1_790_000_000_123, "a-b--c"));

        assert!(soon.key() < later.key());
        assert_eq!(DueMark::parse(&later.key()), Some(later));
        assert_eq!(DueMark::parse("soon"), None);
    }

    #[test]
    fn the_queue_runs_from_least_to_most_confident_and_oldest_first_among_equals() {
        let expected = ["a", "b", "c", "d"];
        let marks = [
            mark(Some(UNKNOWN_RANK), 1, "d"),
            mark(Some(900), 2_000, "b"),
            mark(Some(10_000), 1, "c"),
            mark(Some(900), 1_000, "a"),
        ];

        let mut keys: Vec<String> = marks.iter().filter_map(Mark::queue_key).collect();
        keys.sort();

        let names: Vec<String> = keys
            .iter()
            .filter_map(|key| Some(Mark::parse_queue(key)?.name))
            .collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn a_listing_begins_just_before_the_first_mark_in_its_time_range() {
        let time = |milliseconds| DateTime::from_timestamp_millis(milliseconds);
        let early = mark(None, 1_000, "early");
        let late = mark(None, 2_000, "late");

        let first = Order::Ascending.first(time(2_000), None);
        assert!(early.listing_key(Order::Ascending) < first && first < late.listing_key(Order::Ascending));
        let first = Order::Descending.first(None, time(2_000));
        assert!(late.listing_key(Order::Descending) < first && first < early.listing_key(Order::Descending));
    }
}
