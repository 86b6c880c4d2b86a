//! The figures in words, for a page and for a terminal.

use std::fmt;

use active_learning_core::{
    cost::NOT_INCLUDED,
    model::audit::{AuditedAccuracy, NOT_AUDITED},
    text::counted,
};
use chrono::{DateTime, Utc};

use super::{Activity, Bounded, Build, Overview, REJECTED_LINES, Reviewed, SentToPeople, Serving, Waiting};

impl fmt::Display for Bounded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.has_more { "+" } else { "" };
        write!(formatter, "{}{more}", self.count)
    }
}

impl Overview {
    /// Returns the figures, each with its name, in the order in which they are shown.
    pub fn figures(&self) -> Vec<(&'static str, String)> {
        let mut figures = vec![
            ("Waiting for reviewers", waiting(self.waiting.as_ref())),
            ("Started in the last 24 hours", started(self.waiting.as_ref())),
            ("Texts of the last 14 days", came(self.activity.as_ref())),
            ("Burndown", burndown(self.activity.as_ref())),
            ("Share sent to people", sent_to_people(self.activity.as_ref())),
            ("Cost of this month on AWS", cost(self.activity.as_ref())),
            ("Labelled by people", reviewed(&self.reviewed)),
            ("Serving model", serving(self.serving.as_ref())),
            ("Live accuracy", accuracy(self.live_accuracy.as_ref())),
        ];
        if let Some(progress) = &self.first_model {
            figures.push(("First model", progress.text.clone()));
        }
        figures.extend([
            ("Texts to label in the pool", self.pool.to_string()),
            ("Waiting for the review budget", self.backlog.to_string()),
            ("Disputed, for an adjudicator", self.disputed.to_string()),
            ("Failed events", self.failed_events.to_string()),
            ("Refused webhooks", self.refused_webhooks.to_string()),
            ("Rejected lines", rejected_lines(self.rejected_lines)),
            ("Human loops given up", self.given_up.to_string()),
            ("Unreadable corrections", corrections(self.unreadable_corrections)),
            ("Damaged objects", damaged(self.damaged_objects)),
            ("Refused training files", self.refused_files.len().to_string()),
            ("Last build", last_build(self.last_build.as_ref())),
        ]);
        if let Some(trial) = &self.worker_template {
            let state = match (trial.works, trial.proposes_only) {
                (true, _) => "works",
                (false, true) => "every answer is only a proposal",
                (false, false) => "cannot be used",
            };
            let tried = minute(trial.at);
            figures.push((
                "Worker task template",
                format!("{state} ({}), tried {tried}", trial.template),
            ));
        }
        figures
    }

    /// Says which figures are missing, since their object cannot be read, one sentence each.
    pub fn missing_figures(&self) -> Vec<String> {
        let sentence = |reason: &String| format!("Figures are missing: {reason}");
        self.unreadable.iter().map(sentence).collect()
    }

    /// Says what is wrong with the worker task template, one sentence each; nothing where its answers can be read.
    pub fn template_problems(&self) -> Vec<String> {
        let unusable = self.worker_template.iter().filter(|trial| !trial.works);
        let problems = unusable.flat_map(|trial| {
            trial.notices.iter().map(|notice| {
                let state = match trial.proposes_only {
                    true => "asks for nothing that is a label",
                    false => "cannot be used, its pages have no Submit",
                };
                format!("The worker task template {} {state}: {notice}", trial.template)
            })
        });
        problems.collect()
    }
}

fn damaged(objects: Bounded) -> String {
    match objects.count {
        0 => "none".to_owned(),
        _ => format!("{objects} of the review service, which the console lists under Operations"),
    }
}

fn corrections(objects: Bounded) -> String {
    match (objects.count, objects.has_more) {
        (0, false) => "none".to_owned(),
        (0, true) => objects.to_string(),
        (1, false) => "1; sent again, it is read again".to_owned(),
        _ => format!("{objects}; sent again, they are read again"),
    }
}

fn rejected_lines(objects: Bounded) -> String {
    let what = if objects.count == 1 { "object" } else { "objects" };
    match objects.count {
        0 => "none".to_owned(),
        _ => format!(
            "{objects} {what} under {REJECTED_LINES} of the feedback bucket, each line with its reason"
        ),
    }
}

fn waiting(waiting: Option<&Waiting>) -> String {
    let Some(waiting) = waiting else {
        return "nothing yet (Amazon A2I, where it reviews, keeps a queue of its own)".to_owned();
    };
    let tasks = waiting.tasks;
    let waits = match waiting.oldest_age_seconds {
        None => "nothing".to_owned(),
        Some(seconds) if tasks.has_more => {
            format!(
                "{tasks} tasks, the oldest of the first {} {} old",
                tasks.count,
                age(seconds)
            )
        }
        Some(seconds) if tasks.count == 1 => format!("1 task, {} old", age(seconds)),
        Some(seconds) => format!("{tasks} tasks, the oldest {} old", age(seconds)),
    };
    waits + &for_somebody_else(waiting)
}

/// Says how many of the tasks are not for those who have answered before: a reviewer alone gets none of them.
fn for_somebody_else(waiting: &Waiting) -> String {
    let who = "for somebody who has not answered their texts before";
    match waiting.for_somebody_else {
        0 => String::new(),
        1 if waiting.tasks.count == 1 => format!("; it is {who}"),
        all if all == waiting.tasks.count && !waiting.tasks.has_more => format!("; all are {who}"),
        1 => format!("; 1 of them is {who}"),
        some => format!("; {some} of them are {who}"),
    }
}

fn started(waiting: Option<&Waiting>) -> String {
    match waiting.map(|waiting| waiting.started_last_day) {
        Some(Bounded { count: 1, .. }) => "1 task; those of labelling jobs do not count".to_owned(),
        Some(tasks) => format!("{tasks} tasks; those of labelling jobs do not count"),
        None => "not known".to_owned(),
    }
}

fn came(activity: Option<&Activity>) -> String {
    let Some(activity) = activity else {
        return "not known".to_owned();
    };
    let (came, answered) = activity.totals();
    let begins = activity.days.first().map_or("", |day| day.day.as_str());
    let later = |since: &&String| since.get(..10).is_some_and(|since| since > begins);
    let since = [&activity.arrivals_since, &activity.answers_since];
    match since.into_iter().flatten().filter(later).max() {
        Some(since) => format!(
            "{came} came for review, {answered} were answered; counted since {}",
            &since[..10]
        ),
        None => format!("{came} came for review, {answered} were answered"),
    }
}

fn burndown(activity: Option<&Activity>) -> String {
    activity.map_or_else(
        || "not known".to_owned(),
        |activity| activity.burndown.text.clone(),
    )
}

fn cost(activity: Option<&Activity>) -> String {
    let Some(cost) = activity.and_then(|activity| activity.cost) else {
        return "not known".to_owned();
    };
    let predictions = match cost.trusted {
        Some(trusted) => format!("some {:.0} predictions", trusted + cost.doubtful as f64),
        None => format!(
            "{} in doubt; trusted ones are not known",
            counted(cost.doubtful, "prediction")
        ),
    };
    format!(
        "about {:.2} USD so far by list prices: {:.2} for what stands idle, the rest for {predictions} and {}; {NOT_INCLUDED}",
        cost.usd,
        cost.idle_usd,
        counted(cost.answered, "answered text"),
    )
}

fn sent_to_people(activity: Option<&Activity>) -> String {
    match activity.and_then(|activity| activity.sent_to_people) {
        Some(SentToPeople {
            share,
            predictions,
            doubtful,
            audited,
        }) => format!(
            "about {:.1} % of some {predictions:.0} predictions in 14 days: {doubtful} in doubt and {}, from which the \
             others are estimated",
            share * 100.0,
            counted(audited, "audit"),
        ),
        None => "not known without audits: the dashboard of the stack on AWS counts predictions".to_owned(),
    }
}

fn reviewed(reviewed: &Reviewed) -> String {
    match reviewed.since {
        Some(since) => {
            format!(
                "{} since {}, imports and corrections included, counted every five minutes",
                counted(reviewed.texts, "answer"),
                day(since)
            )
        }
        None => "nothing was counted yet".to_owned(),
    }
}

fn serving(serving: Option<&Serving>) -> String {
    match serving {
        Some(serving) => {
            let by = match serving.by.as_str() {
                "build" => "a build",
                "initial-file" => "a training file",
                "roll-back" => "a roll-back",
                "automatic-roll-back" => "an automatic roll-back",
                "parameter" if serving.model_arn.contains(":sagemaker:") => {
                    let since = serving.since().map(|at| format!(" since {}", minute(at)));
                    return format!(
                        "{}{}, hosted elsewhere: builds end at the dataset",
                        serving.version(),
                        since.unwrap_or_default()
                    );
                }
                "parameter" => "a parameter",
                other => other,
            };
            format!("{} since {}, by {by}", serving.version(), minute(serving.at))
        }
        None => "none yet".to_owned(),
    }
}

fn accuracy(accuracy: Option<&AuditedAccuracy>) -> String {
    match accuracy {
        Some(live) => format!(
            "{:.1} % (95 %: {:.1} to {:.1} %), from {}, {} of them audits",
            live.accuracy * 100.0,
            live.interval.low * 100.0,
            live.interval.high * 100.0,
            counted(live.judged, "reviewed prediction"),
            live.audited,
        ),
        None => NOT_AUDITED.to_owned(),
    }
}

fn last_build(build: Option<&Build>) -> String {
    let Some(build) = build else {
        return "none yet".to_owned();
    };
    match (&build.outcome, build.waits_for_approval) {
        (Some(outcome), _) if build.why.is_empty() => format!("{}: {outcome}", build.id),
        (Some(outcome), _) => format!("{}: {outcome}: {}", build.id, build.why),
        (None, true) => format!("{} waits for an approval", build.id),
        (None, false) => format!(
            "{} began {} and has no outcome yet",
            build.id,
            minute(build.started_at)
        ),
    }
}

/// Says an age in its largest unit.
pub fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds if seconds < 3_600 => format!("{} min", seconds / 60),
        seconds if seconds < 86_400 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_that_a_reviewer_alone_does_not_get_are_said_to_be_for_somebody_else() {
        let said = |count, has_more, for_somebody_else| {
            waiting(Some(&Waiting {
                tasks: Bounded { count, has_more },
                oldest_at: None,
                oldest_age_seconds: Some(10_800),
                for_somebody_else,
                started_last_day: Bounded::default(),
            }))
        };
        let who = "for somebody who has not answered their texts before";

        assert_eq!(said(1, false, 0), "1 task, 3 h old");
        assert_eq!(said(1, false, 1), format!("1 task, 3 h old; it is {who}"));
        assert_eq!(
            said(5, false, 1),
            format!("5 tasks, the oldest 3 h old; 1 of them is {who}")
        );
        assert_eq!(
            said(5, false, 5),
            format!("5 tasks, the oldest 3 h old; all are {who}")
        );
        assert!(said(5, true, 5).ends_with(&format!("; 5 of them are {who}")));
    }

    #[test]
    fn corrections_that_cannot_be_read_are_said_to_be_read_again_and_not_to_be_asked_anew() {
        let said = |count, has_more| corrections(Bounded { count, has_more });

        assert_eq!(said(0, false), "none");
        assert_eq!(said(0, true), "0+", "they may be on a later page");
        assert_eq!(said(1, false), "1; sent again, it is read again");
        assert_eq!(said(2, true), "2+; sent again, they are read again");
    }
}
