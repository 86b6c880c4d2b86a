//! What came for review and what was answered by day, and what that says of the days ahead.

use std::collections::BTreeMap;

use active_learning_core::{
    cost::CostSoFar,
    feedback::{
        Signal,
        arrivals::{Arrivals, DayOfArrivals},
    },
    labels::answered_days::{AnsweredDays, DayOfAnswers},
};
use chrono::{DateTime, Datelike, Days, NaiveTime, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Serialize};

use super::{Bounded, Waiting};

/// Days that are shown.
const SHOWN: u64 = 14;
/// Hours that are shown.
const SHOWN_HOURS: i64 = 48;
/// Days whose pace is taken for that of the days ahead.
const PACE: u64 = 7;
/// Seconds of a day.
const DAY_SECONDS: f64 = 86_400.0;
/// Days ahead from which no date is told: a pace does not hold so long.
const FAR_DAYS: f64 = 365.0;

/// What came for review and what was answered, of the last 14 days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// Each day in UTC, the oldest first; today is not over.
    pub days: Vec<ActivityDay>,
    /// Each of the last 48 hours in UTC, the oldest first; this one is not over. None in figures of a version before.
    #[serde(default)]
    pub hours: Vec<ActivityHour>,
    /// Since when it is counted what comes; none before the first delivery.
    pub arrivals_since: Option<String>,
    /// Since when it is counted what is answered; none before the first answer.
    pub answers_since: Option<String>,
    /// The share of predictions that goes to review; none where no trusted prediction was audited in these days.
    pub sent_to_people: Option<SentToPeople>,
    /// How long what waits will take.
    pub burndown: Burndown,
    /// What this month has cost on AWS so far, by what was counted; none in figures of a version before.
    #[serde(default)]
    pub cost: Option<CostSoFar>,
}

/// What came and was answered on a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityDay {
    /// The day, as in `2026-11-30`.
    pub day: String,
    /// Texts that people are to be asked about, without copies and what was asked before.
    pub arrived: u64,
    /// The same by what was said of them.
    pub arrived_by: BTreeMap<Signal, u64>,
    /// Texts that a human loop decided.
    pub answered: u64,
}

/// What came and was answered in an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityHour {
    /// The hour, as in `2026-11-30T14`.
    pub hour: String,
    /// Texts that people are to be asked about, without copies and what was asked before.
    pub arrived: u64,
    /// Texts that a human loop decided.
    pub answered: u64,
}

/// The share of predictions that goes to review, an estimate: audits are a random share of the trusted predictions, so each
/// stands for as many as it was drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SentToPeople {
    /// The share.
    pub share: f64,
    /// Predictions that there were, about.
    pub predictions: f64,
    /// Those that went to review for doubt.
    pub doubtful: u64,
    /// Those that went to review by chance.
    pub audited: u64,
}

/// How long what waits will take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Burndown {
    /// Texts that wait, about: those of tasks by the mean number of texts of an answered one. None where that is not known.
    pub waiting_texts: Option<u64>,
    /// Whether there may be more.
    pub has_more: bool,
    /// Texts answered less texts that came, a day, of the last seven days; none before a day was counted.
    pub texts_per_day: Option<f64>,
    /// When nothing waits any more; none where it grows, stays, takes more than a year, or is not known.
    pub empty_at: Option<DateTime<Utc>>,
    /// The same in words.
    pub text: String,
}

impl Activity {
    /// Makes the figures as of `now`; `later` are the texts that wait and are in no task yet, and `labels` the answers in all,
    /// also those of before the days were counted.
    pub(super) fn of(
        arrivals: &Arrivals,
        (answers, labels): (&AnsweredDays, u64),
        waiting: Option<&Waiting>,
        later: Bounded,
        now: DateTime<Utc>,
    ) -> Self {
        let days = days(SHOWN, now).map(|day| {
            let arrived = arrivals.days.get(&day);
            ActivityDay {
                arrived: arrived.map_or(0, DayOfArrivals::texts),
                arrived_by: arrived.map(|arrived| arrived.asked.clone()).unwrap_or_default(),
                answered: answers.days.get(&day).map_or(0, |answers| answers.texts),
                day,
            }
        });
        let days: Vec<ActivityDay> = days.collect();
        let pace = Pace::of(&days, arrivals, (answers, labels), now);
        Self {
            sent_to_people: SentToPeople::of(arrivals, now),
            burndown: Burndown::of(waiting, later, texts_per_task(answers, now), pace, now),
            cost: Some(cost_so_far(arrivals, answers, now)),
            hours: hours(arrivals, answers, now),
            days,
            arrivals_since: arrivals.since.clone(),
            answers_since: answers.since.clone(),
        }
    }

    /// Returns how many texts came in these days, and how many were answered.
    pub fn totals(&self) -> (u64, u64) {
        let days = self.days.iter();
        days.fold((0, 0), |(arrived, answered), day| {
            (arrived + day.arrived, answered + day.answered)
        })
    }
}

/// Returns the last days, today included, the oldest first.
fn days(count: u64, now: DateTime<Utc>) -> impl Iterator<Item = String> {
    let day = move |ago| (now - Days::new(ago)).format("%Y-%m-%d").to_string();
    (0..count).rev().map(day)
}

/// Returns what came and was answered in each of the last hours, this one included, the oldest first.
fn hours(arrivals: &Arrivals, answers: &AnsweredDays, now: DateTime<Utc>) -> Vec<ActivityHour> {
    let hour = |ago| {
        let hour = (now - TimeDelta::hours(ago)).format("%Y-%m-%dT%H").to_string();
        ActivityHour {
            arrived: arrivals.hours.get(&hour).copied().unwrap_or_default(),
            answered: answers.hours.get(&hour).copied().unwrap_or_default(),
            hour,
        }
    };
    (0..SHOWN_HOURS).rev().map(hour).collect()
}

/// Adds up what this month, in UTC, has cost so far.
fn cost_so_far(arrivals: &Arrivals, answers: &AnsweredDays, now: DateTime<Utc>) -> CostSoFar {
    let month = now.format("%Y-%m-").to_string();
    let of_month = |day: &&String| day.starts_with(&month);
    let mut came = DayOfArrivals::default();
    for day in arrivals.days.keys().filter(of_month) {
        came.add(&arrivals.days[day]);
    }
    let answered = answers.days.keys().filter(of_month);
    let answered = answered.map(|day| answers.days[day].texts).sum();
    let trusted = (came.audited > 0).then_some(came.trusted);
    let days = f64::from(now.num_days_in_month());
    let over = f64::from(now.day0()) + f64::from(now.num_seconds_from_midnight()) / DAY_SECONDS;
    CostSoFar::of(trusted, came.doubtful, answered, over / days)
}

/// Returns how many texts an answered task had.
fn texts_per_task(answers: &AnsweredDays, now: DateTime<Utc>) -> Option<f64> {
    let sum = |sum: DayOfAnswers, day: String| {
        let answers = answers.days.get(&day).copied().unwrap_or_default();
        DayOfAnswers {
            texts: sum.texts + answers.texts,
            items: sum.items + answers.items,
            tasks: sum.tasks + answers.tasks,
        }
    };
    let sum = days(SHOWN, now).fold(DayOfAnswers::default(), sum);
    (sum.tasks > 0).then(|| sum.items as f64 / sum.tasks as f64)
}

impl SentToPeople {
    fn of(arrivals: &Arrivals, now: DateTime<Utc>) -> Option<Self> {
        let mut sum = DayOfArrivals::default();
        for day in days(SHOWN, now) {
            if let Some(came) = arrivals.days.get(&day) {
                sum.add(came);
            }
        }
        let predictions = sum.doubtful as f64 + sum.trusted;
        (sum.audited > 0).then(|| Self {
            share: (sum.doubtful + sum.audited) as f64 / predictions,
            predictions,
            doubtful: sum.doubtful,
            audited: sum.audited,
        })
    }
}

/// What came and was answered in the last seven days.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pace {
    arrived: u64,
    answered: u64,
    /// Days of these that were counted: at least one whole day.
    days: f64,
}

impl Pace {
    /// Returns the pace; none before both sides were counted for a day.
    fn of(
        days: &[ActivityDay],
        arrivals: &Arrivals,
        (answers, labels): (&AnsweredDays, u64),
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let arrivals_since = time(arrivals.since.as_deref()?)?;
        let answers_since = match &answers.since {
            Some(since) => time(since)?,
            // Nothing was answered yet, or only before there were days.
            None if labels == 0 => arrivals_since,
            None => return None,
        };
        let first = (now - Days::new(PACE - 1)).with_time(NaiveTime::MIN).single()?;
        let since = first.max(arrivals_since).max(answers_since.min(now));
        let counted = (now - since).num_seconds() as f64 / DAY_SECONDS;
        if counted < 1.0 {
            return None;
        }
        let since = since.format("%Y-%m-%d").to_string();
        let of_pace = || days.iter().filter(|day| day.day >= since);
        Some(Self {
            arrived: of_pace().map(|day| day.arrived).sum(),
            answered: of_pace().map(|day| day.answered).sum(),
            days: counted,
        })
    }

    fn texts_per_day(self) -> f64 {
        (self.answered as f64 - self.arrived as f64) / self.days
    }
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.to_utc())
}

impl Burndown {
    fn of(
        waiting: Option<&Waiting>,
        later: Bounded,
        texts_per_task: Option<f64>,
        pace: Option<Pace>,
        now: DateTime<Utc>,
    ) -> Self {
        let tasks = waiting.map(|waiting| waiting.tasks);
        let in_tasks = tasks.and_then(|tasks| match tasks.count {
            0 => Some(0.0),
            count => Some(count as f64 * texts_per_task?),
        });
        let texts = in_tasks.map(|texts| texts + later.count as f64);
        let per_day = pace.map(Pace::texts_per_day);
        let days = texts.zip(per_day).and_then(|(texts, per_day)| match per_day {
            per_day if texts == 0.0 || per_day > 0.0 => {
                Some(if texts == 0.0 { 0.0 } else { texts / per_day })
            }
            _ => None,
        });
        let empty_in = days.filter(|days| *days <= FAR_DAYS);
        let mut burndown = Self {
            waiting_texts: texts.map(|texts| texts.round() as u64),
            has_more: later.has_more || tasks.is_some_and(|tasks| tasks.has_more),
            texts_per_day: per_day,
            empty_at: empty_in.map(|days| now + TimeDelta::seconds((days * DAY_SECONDS) as i64)),
            text: String::new(),
        };
        burndown.text = burndown.in_words(tasks, pace, now);
        burndown
    }

    fn in_words(&self, tasks: Option<Bounded>, pace: Option<Pace>, now: DateTime<Utc>) -> String {
        let Some(tasks) = tasks else {
            return "not known: Amazon A2I keeps the queue".to_owned();
        };
        let waits = match self.waiting_texts {
            Some(0) => return "nothing waits".to_owned(),
            Some(texts) if self.has_more => format!("at least {texts} texts wait"),
            Some(1) => "about 1 text waits".to_owned(),
            Some(texts) => format!("about {texts} texts wait"),
            None if tasks.count == 1 => {
                "1 task waits, and no task was answered in the last 14 days".to_owned()
            }
            None => format!("{tasks} tasks wait, and none was answered in the last 14 days"),
        };
        let Some(pace) = pace else {
            return format!("{waits}; how long that takes is known when a day was counted");
        };
        let (came, answered) = (pace.arrived, pace.answered);
        let window = match pace.days {
            days if days >= (PACE - 1) as f64 => "in the last 7 days".to_owned(),
            days => format!("in the {days:.1} days that were counted"),
        };
        let moves = format!("{window} {came} came and {answered} were answered");
        let per_day = pace.texts_per_day();
        let then = match self.empty_at {
            Some(at) => format!(
                "at this pace nothing waits in about {}, on {}",
                days_in_words(at - now),
                at.format("%Y-%m-%d")
            ),
            None if per_day > 0.0 && self.waiting_texts.is_some() => {
                "at this pace it takes more than a year".to_owned()
            }
            None if per_day > 0.0 => format!("it shrinks by about {per_day:.1} texts a day"),
            None if per_day < 0.0 => format!("it grows by about {:.1} texts a day", -per_day),
            None => "it stays as it is".to_owned(),
        };
        format!("{waits}; {moves}: {then}")
    }
}

fn days_in_words(time: TimeDelta) -> String {
    match time.num_seconds() as f64 / DAY_SECONDS {
        days if days < 1.0 => "a day".to_owned(),
        days => format!("{:.0} days", days.ceil()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        time("2026-11-30T12:00:00Z").expect("a time")
    }

    fn arrivals(days: &[(&str, u64)]) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for (day, texts) in days {
            let came = DayOfArrivals {
                asked: [(Signal::LowConfidence, *texts)].into(),
                ..DayOfArrivals::default()
            };
            arrivals.add(day, &format!("{day}T00:00:00Z"), &came);
        }
        arrivals
    }

    fn answers(days: &[(&str, u64)]) -> AnsweredDays {
        let counts = |texts: u64| DayOfAnswers {
            texts,
            items: texts,
            tasks: texts / 10,
        };
        AnsweredDays {
            since: days.first().map(|(day, _)| format!("{day}T00:00:00Z")),
            days: days
                .iter()
                .map(|(day, texts)| ((*day).to_owned(), counts(*texts)))
                .collect(),
            ..AnsweredDays::default()
        }
    }

    fn waiting(tasks: usize) -> Waiting {
        Waiting {
            tasks: Bounded {
                count: tasks,
                has_more: false,
            },
            oldest_at: None,
            oldest_age_seconds: None,
            for_somebody_else: 0,
            started_last_day: Bounded::default(),
        }
    }

    fn activity(came: &[(&str, u64)], answered: &[(&str, u64)], tasks: usize) -> Activity {
        let (arrivals, answers) = (arrivals(came), answers(answered));
        let waiting = waiting(tasks);
        Activity::of(
            &arrivals,
            (&answers, 0),
            Some(&waiting),
            Bounded::default(),
            now(),
        )
    }

    #[test]
    fn the_last_fourteen_days_are_shown_and_those_of_nothing_too() {
        let shown = activity(&[("2026-11-01", 9), ("2026-11-17", 5)], &[("2026-11-30", 20)], 0);

        assert_eq!(shown.days.len(), 14);
        let ends = [&shown.days[0], &shown.days[13]];
        assert_eq!(
            ends.map(|day| (day.day.as_str(), day.arrived, day.answered)),
            [("2026-11-17", 5, 0), ("2026-11-30", 0, 20)]
        );
        assert_eq!(shown.totals(), (5, 20));
        assert_eq!(shown.burndown.text, "nothing waits");
    }

    #[test]
    fn what_waits_is_empty_when_as_many_more_were_answered_than_came() {
        let shown = activity(
            &[("2026-11-20", 5), ("2026-11-25", 65)],
            &[("2026-11-20", 30), ("2026-11-26", 130)],
            5,
        );

        // From the start of the 24th it is 6.5 days: 65 more, of which 50 wait.
        let burndown = shown.burndown;
        assert_eq!(burndown.waiting_texts, Some(50));
        assert_eq!(burndown.texts_per_day, Some(10.0));
        assert_eq!(burndown.empty_at, time("2026-12-05T12:00:00Z"));
        assert_eq!(
            burndown.text,
            "about 50 texts wait; in the last 7 days 65 came and 130 were answered: at this pace nothing waits in about \
             5 days, on 2026-12-05"
        );
    }

    #[test]
    fn what_grows_is_said_to_grow_and_never_to_end() {
        let shown = activity(
            &[("2026-11-20", 5), ("2026-11-25", 130)],
            &[("2026-11-20", 30), ("2026-11-26", 65)],
            5,
        );

        assert_eq!(shown.burndown.empty_at, None);
        assert!(
            shown
                .burndown
                .text
                .ends_with("it grows by about 10.0 texts a day"),
            "{}",
            shown.burndown.text
        );
    }

    #[test]
    fn each_of_the_last_48_hours_has_what_came_and_what_was_answered_in_it() {
        let mut came = arrivals(&[("2026-11-28", 3), ("2026-11-29", 5)]);
        came.hours.insert("2026-11-28T12".to_owned(), 90);
        let mut answered = AnsweredDays::default();
        answered.hours.insert("2026-11-30T12".to_owned(), 7);

        let shown = Activity::of(&came, (&answered, 0), None, Bounded::default(), now()).hours;

        let hour = |hour: &str, arrived, answered| ActivityHour {
            hour: hour.to_owned(),
            arrived,
            answered,
        };
        assert_eq!(shown.len(), 48);
        assert_eq!(shown[0], hour("2026-11-28T13", 0, 0));
        assert_eq!(shown[11], hour("2026-11-29T00", 5, 0));
        assert_eq!(shown[47], hour("2026-11-30T12", 0, 7));
    }

    #[test]
    fn nothing_is_foretold_before_a_day_was_counted_nor_of_answers_that_were_not() {
        let new = activity(&[("2026-11-30", 50)], &[("2026-11-30", 20)], 5);
        let (came, none) = (arrivals(&[("2026-11-20", 50)]), AnsweredDays::default());
        let five = waiting(5);
        let of_before = Activity::of(&came, (&none, 900), Some(&five), Bounded::default(), now());
        let unanswered = Activity::of(&came, (&none, 0), Some(&five), Bounded::default(), now());

        assert_eq!(
            new.burndown.text,
            "about 50 texts wait; how long that takes is known when a day was counted"
        );
        assert_eq!(of_before.burndown.texts_per_day, None);
        assert_eq!(
            unanswered.burndown.text,
            "5 tasks wait, and none was answered in the last 14 days; in the last 7 days 0 came and 0 were answered: it \
             stays as it is"
        );
    }

    #[test]
    fn a_month_costs_what_was_counted_of_it_and_the_part_of_an_idle_one_that_is_over() {
        let shown = activity(
            &[("2026-10-31", 9), ("2026-11-25", 130)],
            &[("2026-10-30", 7), ("2026-11-26", 65)],
            5,
        );

        let cost = shown.cost.expect("counted");

        assert_eq!((cost.trusted, cost.answered), (None, 65));
        assert!((cost.idle_usd - active_learning_core::cost::IDLE_MONTH * 29.5 / 30.0).abs() < 1e-9);
        assert!(cost.usd > cost.idle_usd);
    }

    #[test]
    fn the_share_sent_to_people_is_estimated_from_audits_and_not_told_without() {
        let mut came = arrivals(&[("2026-11-29", 1)]);
        assert_eq!(SentToPeople::of(&came, now()), None);
        let audits = DayOfArrivals {
            doubtful: 95,
            audited: 5,
            trusted: 905.0,
            ..DayOfArrivals::default()
        };
        came.add("audits", "2026-11-30T00:00:00Z", &audits);

        let sent = SentToPeople::of(&came, now()).expect("audits");

        assert!((sent.share - 0.1).abs() < 1e-9);
        assert!((sent.predictions - 1_000.0).abs() < 1e-9);
    }
}
