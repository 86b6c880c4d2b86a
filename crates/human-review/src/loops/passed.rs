//! Waiting loops that are nothing for a reviewer any more, as this process knows: those that they have answered or may not
//! answer, and those that they skipped. Neither changes again, so their states need not be read to pass them over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Duration, Utc};

use crate::human_loop::Worker;
use crate::worker::Teams;

/// Reviewers of whom something is known.
const REVIEWERS: usize = 64;
/// Loops that are known of one reviewer: twice as many as may be in flight. Each takes some 16 bytes.
const LOOPS: usize = 10_000;
/// How long the beginning of the queue is passed over. What is started meanwhile and belongs there waits as long.
const BEGINS_LATER: Duration = Duration::seconds(60);

/// What a loop is for a reviewer who is not offered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    /// They have answered it, or may not.
    Done,
    /// They skipped it: they get it where there is nothing else.
    Skipped,
}

/// What is known, by worker id.
#[derive(Debug, Clone, Default)]
pub(super) struct Passed(Arc<Mutex<BTreeMap<String, OfReviewer>>>);

#[derive(Debug, Default)]
struct OfReviewer {
    done: BTreeSet<u128>,
    skipped: BTreeSet<u128>,
    begin: Option<Begin>,
}

/// Where the queue begins for a reviewer: nothing before it is for them.
#[derive(Debug)]
struct Begin {
    after: String,
    teams: Teams,
    since: DateTime<Utc>,
}

impl Passed {
    /// Notes what a loop is for a reviewer.
    pub(super) fn note(&self, worker: &Worker, id: &str, past: Past) {
        let Ok(id) = u128::from_str_radix(id, 16) else {
            return;
        };
        self.change(worker, |known| {
            let ids = match past {
                Past::Done => &mut known.done,
                Past::Skipped => &mut known.skipped,
            };
            if ids.len() == LOOPS {
                ids.clear();
            }
            ids.insert(id);
        });
    }

    /// Forgets what a loop is for anybody: there is something left to do of it, by who finds its mark.
    pub(super) fn forget(&self, id: &str) {
        let Ok(id) = u128::from_str_radix(id, 16) else {
            return;
        };
        for known in self.all().values_mut() {
            known.done.remove(&id);
            known.skipped.remove(&id);
        }
    }

    /// Returns what a loop is for a reviewer, if that is known; a task that they skipped and then answered is done.
    pub(super) fn of(&self, worker: &Worker, id: &str) -> Option<Past> {
        let id = u128::from_str_radix(id, 16).ok()?;
        let all = self.all();
        let known = all.get(&worker.id)?;
        match (known.done.contains(&id), known.skipped.contains(&id)) {
            (true, _) => Some(Past::Done),
            (false, true) => Some(Past::Skipped),
            (false, false) => None,
        }
    }

    /// Returns the name of the mark after which the queue begins for a reviewer; empty for all of it.
    pub(super) fn begin(&self, worker: &Worker, now: DateTime<Utc>) -> String {
        let all = self.all();
        let begin = all.get(&worker.id).and_then(|known| known.begin.as_ref());
        let is_good = |begin: &&Begin| {
            begin.teams == worker.teams && (begin.since..begin.since + BEGINS_LATER).contains(&now)
        };
        begin
            .filter(is_good)
            .map(|begin| begin.after.clone())
            .unwrap_or_default()
    }

    /// Has the queue begin later for a reviewer, for a minute from when it first did.
    pub(super) fn begin_after(&self, worker: &Worker, after: String, is_first: bool, now: DateTime<Utc>) {
        self.change(worker, |known| {
            let since = match &known.begin {
                Some(begin) if !is_first => begin.since,
                _ => now,
            };
            known.begin = Some(Begin {
                after,
                teams: worker.teams.clone(),
                since,
            });
        });
    }

    fn change(&self, worker: &Worker, change: impl FnOnce(&mut OfReviewer)) {
        let mut all = self.all();
        if all.len() == REVIEWERS && !all.contains_key(&worker.id) {
            all.pop_first();
        }
        change(all.entry(worker.id.clone()).or_default());
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, OfReviewer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_past_is_known_of_each_reviewer_alone_and_an_answer_comes_after_a_skip() {
        let passed = Passed::default();
        let (ann, bea) = (Worker::of("ann"), Worker::of("bea"));
        let [skipped, done, other] = ["01", "02", "03"].map(|byte| byte.repeat(16));

        passed.note(&ann, &skipped, Past::Skipped);
        passed.note(&ann, &done, Past::Skipped);
        passed.note(&ann, &done, Past::Done);

        let of_ann = [&skipped, &done, &other].map(|id| passed.of(&ann, id));
        assert_eq!(of_ann, [Some(Past::Skipped), Some(Past::Done), None]);
        assert_eq!(passed.of(&bea, &done), None);
    }

    #[test]
    fn a_loop_of_which_something_is_left_to_do_is_passed_over_by_nobody() {
        let passed = Passed::default();
        let (ann, bea) = (Worker::of("ann"), Worker::of("bea"));
        let [late, other] = ["01", "02"].map(|byte| byte.repeat(16));
        for worker in [&ann, &bea] {
            passed.note(worker, &late, Past::Done);
            passed.note(worker, &other, Past::Done);
        }

        passed.forget(&late);

        for worker in [&ann, &bea] {
            assert_eq!(passed.of(worker, &late), None);
            assert_eq!(passed.of(worker, &other), Some(Past::Done));
        }
    }

    #[test]
    fn the_queue_begins_later_for_a_minute_and_for_the_same_teams() {
        let passed = Passed::default();
        let ann = Worker::of("ann");
        let at: DateTime<Utc> = "2026-11-20T10:00:00Z".parse().expect("a time");
        let later = |seconds| at + Duration::seconds(seconds);

        passed.begin_after(&ann, "b".to_owned(), true, at);
        passed.begin_after(&ann, "c".to_owned(), false, later(30));

        assert_eq!(passed.begin(&ann, later(59)), "c");
        assert_eq!(
            passed.begin(&ann, later(60)),
            "",
            "a minute from when it first did"
        );
        assert_eq!(passed.begin(&ann, later(-1)), "", "a clock that was put back");
        assert_eq!(passed.begin(&ann.in_teams(Teams::All), later(1)), "");
        assert_eq!(passed.begin(&Worker::of("bea"), later(1)), "");
    }

    #[test]
    fn what_is_known_is_bounded() {
        let passed = Passed::default();
        for number in 0..=LOOPS {
            passed.note(&Worker::of("ann"), &format!("{number:032x}"), Past::Done);
        }
        for number in 0..2 * REVIEWERS {
            passed.note(&Worker::of(&number.to_string()), "01", Past::Done);
        }

        let all = passed.all();
        let most = all.values().map(|known| known.done.len()).max();
        assert_eq!(all.len(), REVIEWERS);
        assert!(most.is_none_or(|most| most <= LOOPS));
    }
}
