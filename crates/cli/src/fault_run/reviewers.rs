//! Reviewers who give every text its right label in the end, whatever befalls the portal.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use active_learning_core::labels::human_loop::NONE_FITS;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Failure, ledger::Ledger, stack::Stack};
use crate::{
    demo::reviewer::{Asked, Reviewer},
    sign_in,
};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(300);
/// A failure is often that of a session whose stack is gone for a moment.
const FAILURES_UNTIL_SIGN_IN: u32 = 5;

/// Answers tasks, so many reviewers at a time, until it is over.
///
/// Nobody is interrupted: of an answer on its way nobody would know whether it was taken.
pub(super) async fn answer(
    stack: Arc<Stack>,
    ledger: Arc<Ledger>,
    reviewers: usize,
    is_over: Arc<AtomicBool>,
) {
    let mut all = JoinSet::new();
    for number in 0..reviewers {
        let name = format!("reviewer-{number}");
        all.spawn(answer_as(name, stack.clone(), ledger.clone(), is_over.clone()));
    }
    all.join_all().await;
}

async fn answer_as(name: String, stack: Arc<Stack>, ledger: Arc<Ledger>, is_over: Arc<AtomicBool>) {
    let is_over = || is_over.load(Ordering::Relaxed);
    while !is_over() {
        let Ok(Ok(mut reviewer)) = timeout(ANSWER_TIMEOUT, sign_in(&stack, &name)).await else {
            sleep(PAUSE).await;
            continue;
        };
        let mut failures = 0;
        while failures < FAILURES_UNTIL_SIGN_IN && !is_over() {
            correct(&name, &mut reviewer, &ledger).await;
            match answer_one(&name, &mut reviewer, &ledger).await {
                Ok(true) => failures = 0,
                Ok(false) => sleep(PAUSE).await,
                Err(_) => {
                    failures += 1;
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn sign_in(stack: &Stack, name: &str) -> Result<Reviewer, Failure> {
    let outputs = stack.outputs()?;
    let link = sign_in::create_link(&outputs, name).await?;
    Reviewer::sign_in(&link).await
}

/// Answers a task, now and then wrongly at first: the answer is corrected as soon as it can be.
///
/// An answer of which nobody heard is not counted, and may be asked for again only if it was not stored.
async fn answer_one(name: &str, reviewer: &mut Reviewer, ledger: &Ledger) -> Result<bool, Failure> {
    let given = Mutex::new(Given::default());
    let choose = |item: &Asked<'_>| {
        let mistake = ledger.mistake(item.id);
        let Some(label) = mistake.or_else(|| ledger.answer(item.id, item.labels)) else {
            // A row of the shipped sample: a split asks those of its label again too.
            return Some(NONE_FITS.to_owned());
        };
        let mut given = given.lock().unwrap_or_else(PoisonError::into_inner);
        given.is_wrong |= mistake.is_some();
        let ids = match ledger.is_before_change(item.id, item.labels) {
            true => &mut given.before_change,
            false => &mut given.others,
        };
        ids.push(item.id.to_owned());
        Some(label.to_owned())
    };
    let answered = timeout(ANSWER_TIMEOUT, reviewer.answer_next_as(choose)).await;
    let given = given.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Also where nobody heard whether it was taken.
    if let (true, Some(task)) = (given.is_wrong, reviewer.last_task()) {
        ledger.to_correct(name, task);
    }
    let is_answered = answered??;
    if is_answered {
        ledger.answered(name, &given.others);
        ledger.answered_before_change(name, &given.before_change);
    }
    Ok(is_answered)
}

/// Ids of the questions of a task, by whether their label is split or retired later.
#[derive(Default)]
struct Given {
    before_change: Vec<String>,
    others: Vec<String>,
    /// Whether one of the answers is a mistake.
    is_wrong: bool,
}

/// Corrects the wrong answers that this reviewer gave; one that was not taken stays, in case that it was after all.
async fn correct(name: &str, reviewer: &mut Reviewer, ledger: &Ledger) {
    for task in ledger.tasks_to_correct(name) {
        let right = |item: &Asked<'_>| ledger.answer(item.id, item.labels).map(str::to_owned);
        let corrected = timeout(ANSWER_TIMEOUT, reviewer.correct(&task, right)).await;
        if matches!(corrected, Ok(Ok(true))) {
            ledger.is_corrected(name, &task);
        }
    }
}
