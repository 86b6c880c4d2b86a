//! How much of its rate and its quota a key has used.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Utc};
use governor::DefaultDirectRateLimiter;
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

use super::{Period, Quota, Throttle};
use crate::store::Store;

const USAGE: TableDefinition<&str, &[u8]> = TableDefinition::new("apigateway-usage");

/// Days for which the usage of each is kept.
const DAYS_KEPT: u64 = 90;

/// A token bucket.
pub(super) type Limiter = DefaultDirectRateLimiter;

/// Makes a full token bucket.
pub(super) fn limiter(throttle: Throttle) -> Result<Limiter, String> {
    let refused = || format!("a throttle of {} a second is not implemented", throttle.rate);
    if throttle.rate <= 0.0 {
        return Err(refused());
    }
    let period = Duration::try_from_secs_f64(1.0 / throttle.rate).map_err(|_| refused())?;
    let burst = NonZeroU32::new(throttle.burst).ok_or("a throttle's burst must be at least 1")?;
    let quota = governor::Quota::with_period(period).ok_or_else(refused)?;
    Ok(Limiter::direct(quota.allow_burst(burst)))
}

/// Requests counted per usage plan and key, saved from time to time.
#[derive(Debug)]
pub(super) struct Usage {
    store: Arc<Store>,
    counts: Mutex<BTreeMap<String, Count>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Count {
    period_start: DateTime<Utc>,
    used: u32,
    /// Requests by day, of the last [`DAYS_KEPT`]. What an earlier version counted is in none of them.
    #[serde(default)]
    days: BTreeMap<NaiveDate, u32>,
    #[serde(skip)]
    unsaved: bool,
}

impl Usage {
    pub(super) fn open(store: Arc<Store>) -> Result<Self, redb::Error> {
        let counts = Mutex::new(saved(&store)?);
        Ok(Self { store, counts })
    }

    /// Counts one request of a key, unless its quota is used up.
    pub(super) fn take(&self, plan: &str, key: &str, quota: Quota, now: DateTime<Utc>) -> bool {
        let period_start = period_start(quota.period, now);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(format!("{plan}/{key}")).or_insert(Count {
            period_start,
            used: 0,
            days: BTreeMap::new(),
            unsaved: false,
        });
        if count.period_start != period_start {
            count.period_start = period_start;
            count.used = 0;
        }
        if count.used >= quota.limit {
            return false;
        }
        count.used += 1;
        let today = now.date_naive();
        *count.days.entry(today).or_default() += 1;
        count.days.retain(|day, _| *day + Days::new(DAYS_KEPT) > today);
        count.unsaved = true;
        true
    }

    /// Returns what a key has used on each day of a range, and what remained of its quota after it.
    pub(super) fn by_day(
        &self,
        plan: &str,
        key: &str,
        quota: Quota,
        days: (NaiveDate, NaiveDate),
    ) -> Vec<(u32, u32)> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let none = BTreeMap::new();
        let used = counts
            .get(&format!("{plan}/{key}"))
            .map_or(&none, |count| &count.days);
        let of_day = |day: NaiveDate| {
            let begin = period_start(quota.period, day.and_time(NaiveTime::MIN).and_utc()).date_naive();
            let in_period: u32 = used.range(begin..=day).map(|(_, used)| used).sum();
            let of_day = used.get(&day).copied().unwrap_or_default();
            (of_day, quota.limit.saturating_sub(in_period))
        };
        let (first, last) = days;
        first
            .iter_days()
            .take_while(|day| *day <= last)
            .map(of_day)
            .collect()
    }

    pub(super) fn save(&self) -> Result<(), redb::Error> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if !counts.values().any(|count| count.unsaved) {
            return Ok(());
        }
        let transaction = self.store.index.begin_write()?;
        {
            let mut table = transaction.open_table(USAGE)?;
            for (key, count) in counts.iter().filter(|(_, count)| count.unsaved) {
                let bytes = serde_json::to_vec(count).expect("a count has only string keys");
                table.insert(key.as_str(), bytes.as_slice())?;
            }
        }
        transaction.commit()?;
        counts.values_mut().for_each(|count| count.unsaved = false);
        Ok(())
    }
}

fn saved(store: &Store) -> Result<BTreeMap<String, Count>, redb::Error> {
    let transaction = store.index.begin_read()?;
    let table = match transaction.open_table(USAGE) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(BTreeMap::new()),
        Err(error) => return Err(error.into()),
    };
    let mut counts = BTreeMap::new();
    for entry in table.iter()? {
        let (key, value) = entry?;
        if let Ok(count) = serde_json::from_slice(value.value()) {
            counts.insert(key.value().to_owned(), count);
        }
    }
    Ok(counts)
}

fn period_start(period: Period, now: DateTime<Utc>) -> DateTime<Utc> {
    let today = now.date_naive();
    let days = match period {
        Period::Day => 0,
        Period::Week => today.weekday().num_days_from_sunday(),
        Period::Month => today.day0(),
    };
    (today - Days::new(days.into()))
        .and_time(NaiveTime::MIN)
        .and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> DateTime<Utc> {
        time.parse().expect("it is a time")
    }

    fn quota(limit: u32, period: Period) -> Quota {
        Quota { limit, period }
    }

    #[test]
    fn periods_begin_at_midnight_on_the_day_on_sunday_and_on_the_first() {
        // A Wednesday.
        let now = at("2026-03-04T15:16:17Z");

        assert_eq!(period_start(Period::Day, now), at("2026-03-04T00:00:00Z"));
        assert_eq!(period_start(Period::Week, now), at("2026-03-01T00:00:00Z"));
        assert_eq!(period_start(Period::Month, now), at("2026-03-01T00:00:00Z"));
        assert_eq!(
            period_start(Period::Week, at("2026-03-07T00:00:00Z")),
            at("2026-03-01T00:00:00Z")
        );
        assert_eq!(
            period_start(Period::Week, at("2026-03-08T00:00:00Z")),
            at("2026-03-08T00:00:00Z")
        );
    }

    #[test]
    fn a_quota_is_per_plan_and_key_and_begins_anew_with_the_period() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let store = Arc::new(Store::open(folder.path()).expect("the folder is new"));
        let usage = Usage::open(store).expect("the index is new");
        let take = |plan, key, now| usage.take(plan, key, quota(1, Period::Day), at(now));

        assert!(take("p", "a", "2026-03-04T01:00:00Z"));
        assert!(!take("p", "a", "2026-03-04T23:00:00Z"));
        assert!(take("p", "b", "2026-03-04T23:00:00Z"));
        assert!(take("q", "a", "2026-03-04T23:00:00Z"));
        assert!(take("p", "a", "2026-03-05T00:00:00Z"));
    }

    #[test]
    fn usage_is_told_by_day_with_what_remains_of_the_period() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let store = Arc::new(Store::open(folder.path()).expect("the folder is new"));
        let usage = Usage::open(store).expect("the index is new");
        let quota = quota(5, Period::Month);
        for now in [
            "2026-03-31T01:00:00Z",
            "2026-04-01T01:00:00Z",
            "2026-04-01T02:00:00Z",
            "2026-04-02T01:00:00Z",
        ] {
            usage.take("p", "k", quota, at(now));
        }
        let days = (
            at("2026-03-31T00:00:00Z").date_naive(),
            at("2026-04-03T00:00:00Z").date_naive(),
        );

        let used = usage.by_day("p", "k", quota, days);

        assert_eq!(used, [(1, 4), (2, 3), (1, 2), (0, 2)]);
        assert_eq!(usage.by_day("p", "other", quota, days), [(0, 5); 4]);
    }

    #[test]
    fn usage_survives_a_restart() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let now = at("2026-03-04T01:00:00Z");
        let used_before = |limit| {
            let store = Arc::new(Store::open(folder.path()).expect("the folder is free"));
            let usage = Usage::open(store).expect("the index can be read");
            let taken = usage.take("p", "k", quota(limit, Period::Month), now);
            usage.save().expect("the index can be written");
            !taken
        };

        assert!(!used_before(2));
        assert!(!used_before(2));
        assert!(used_before(2));
    }

    #[test]
    fn a_bucket_gives_its_burst_at_once() {
        let limiter = limiter(Throttle {
            rate: 0.001,
            burst: 2,
        })
        .expect("it is in range");

        let admitted = (0..5).filter(|_| limiter.check().is_ok()).count();

        assert_eq!(admitted, 2);
    }

    #[test]
    fn a_throttle_out_of_range_is_refused() {
        assert!(limiter(Throttle { rate: 0.0, burst: 1 }).is_err());
        assert!(limiter(Throttle { rate: 1.0, burst: 0 }).is_err());
        assert!(
            limiter(Throttle {
                rate: 1e-300,
                burst: 1
            })
            .is_err()
        );
    }
}
