//! What the portal says instead of a page that it cannot show.

use super::PortalError;
use crate::answer::AnswerError;
use crate::event::HttpRequest;
use crate::human_loop::Refusal;
use crate::loops::LoopError;
use crate::oidc::OidcError;
use crate::task_template::TaskError;
use crate::validation::is_loop_name;
use crate::worker_template::TemplateError;

/// Returns the name of the task that the reviewer may correct, where the page says that they have answered
/// it.
pub(super) fn answered_task(request: &HttpRequest, error: &PortalError) -> Option<String> {
    let name = request.query.get("loop").filter(|name| is_loop_name(name));
    match error {
        PortalError::Loop(LoopError::Refused(Refusal::Answered)) => name.cloned(),
        _ => None,
    }
}

/// Returns the advice that names what an error is about; `None` where the same is said of all of its kind.
pub(super) fn own_words(error: &PortalError) -> Option<String> {
    match error {
        PortalError::Refused(why) => Some(why.clone()),
        PortalError::NoLabelOfJob(why) => Some(format!(
            "{why}. Nothing was saved: please go back and choose. The task is still yours."
        )),
        PortalError::Answer(AnswerError::NotOfList(number)) => Some(format!(
            "What is written for text {number} is no label of the list. Nothing was saved. Please go back and write a label as \
             the list has it, “None of these fits” or “I cannot tell”; where several labels fit, with a comma between them. \
             A new label needs JavaScript. The task is still yours."
        )),
        PortalError::LabelNotInUse(fate) => Some(format!(
            "{fate} since this page was opened. Nothing was saved: please open the task again, it offers the labels of \
             today. The task is still yours."
        )),
        _ => None,
    }
}

/// Status, stable code, title and advice.
type Message = (u16, &'static str, &'static str, &'static str);

/// Returns what is said of an error.
pub(super) fn message(error: &PortalError) -> Message {
    match error {
        PortalError::Anonymous => (
            401,
            "sign_in_required",
            "Please sign in",
            "Reviewers come in by a personal one-time link. Ask the operator of this portal for one.",
        ),
        PortalError::Revoked => (
            401,
            "session_ended",
            "Your session was ended",
            "An operator of this portal has ended it. Ask for a new link.",
        ),
        PortalError::Paused => (
            403,
            "paused",
            "You are paused",
            "An operator of this portal has paused your work. What you have answered is kept.",
        ),
        PortalError::Forbidden => (
            403,
            "admins_only",
            "This page is for admins",
            "Ask the operator of this portal if you need it.",
        ),
        PortalError::BadLink => BAD_LINK,
        PortalError::UsedLink => USED_LINK,
        PortalError::ForgedForm => (
            403,
            "form_invalid",
            "This page is out of date",
            "You have signed in again since it was opened. Nothing was saved: please open the task again.",
        ),
        PortalError::Refused(_) => (400, "not_possible", "This was not done", ""),
        PortalError::NoLabelOfJob(_) => (400, "no_label_of_job", "This answer was not taken", ""),
        PortalError::LabelNotInUse(_) => (400, "label_not_in_use", "A label is not in use any more", ""),
        PortalError::Provider(error) => of_provider(*error),
        PortalError::NoPage => (
            404,
            "no_page",
            "No such page",
            "The queue shows what waits for you.",
        ),
        PortalError::Method(_) => (
            405,
            "method_not_allowed",
            "This does not work",
            "Please use the links and buttons.",
        ),
        PortalError::Answer(error) => of_answer(error),
        PortalError::Loop(error) => of_loop(error),
        PortalError::Task(error) => of_task(error),
    }
}

/// What is said of a sign-in link that was never made here, or has expired.
const BAD_LINK: Message = (
    403,
    "link_invalid",
    "This link does not work",
    "It has expired or is incomplete. Ask the operator of this portal for a new one.",
);

/// What is said of a sign-in link that has begun a session.
const USED_LINK: Message = (
    403,
    "link_used",
    "This link has been used",
    "A sign-in link works once. Ask the operator of this portal for a new one.",
);

/// What is said while the storage does not answer.
const UNAVAILABLE: Message = (
    503,
    "storage_unavailable",
    "Please try again",
    "The storage did not answer. Nothing is lost; go back and send it again.",
);

/// What is said of what is stored and cannot be read. A later try may succeed: an operator can put another in its place.
const DAMAGED: Message = (
    503,
    "storage_damaged",
    "This cannot be read",
    "What is stored of it is damaged. Nothing else is: you can go on with other tasks. Please tell the operator, who sees it \
     on the page Operations.",
);

/// Returns what is said of an answer that is not taken.
fn of_answer(error: &AnswerError) -> Message {
    match error {
        AnswerError::NotOfList(_) => (
            400,
            "not_of_list",
            "This answer was not taken",
            "What is written is no label of the list. Please go back and choose one. The task is still yours.",
        ),
        AnswerError::JoinsLabels => (
            400,
            "joins_labels",
            "A new label cannot be used",
            "It has a label and a bar in its name, so that it would be several labels. The answer was not taken. Please go back and \
             write another sign in place of the bar. The task is still yours.",
        ),
        AnswerError::Incomplete => (
            400,
            "answer_incomplete",
            "Some items have no answer",
            "Please go back and choose a label, or that none fits. The task is still yours.",
        ),
        AnswerError::TooLong => (
            400,
            "label_too_long",
            "A new label is too long",
            "The answer was not taken. Please go back and give it a shorter name. The task is still yours.",
        ),
        AnswerError::NoLabel => (
            400,
            "no_label",
            "A new label cannot be used",
            "It holds a line break, a character that cannot be seen, or one that turns the direction of what follows. The answer was not taken. Please go back and write it \
             in one line. The task is still yours.",
        ),
        AnswerError::CommentTooLong => (
            400,
            "comment_too_long",
            "A comment is too long",
            "The answer was not taken. Please go back and say it in fewer words. The task is still yours.",
        ),
        AnswerError::Unreadable => (
            400,
            "answer_unreadable",
            "This answer was not taken",
            "No label can be read in it. If you have chosen none, please go back and choose one: the task is still yours. If you have, \
             please tell the operator.",
        ),
        AnswerError::Ambiguous => (
            400,
            "answer_ambiguous",
            "This answer was not taken",
            "Several of its fields name different labels, and it cannot be told which one counts. The task stays in the queue; \
             please tell the operator.",
        ),
        AnswerError::Denied => (
            400,
            "answer_denied",
            "This answer was not taken",
            "It says that the label that was predicted is not right, and not which one is. Please go back and choose the right label, or \
             that none fits: the task is still yours. If the page offers no such choice, please tell the operator: it must ask for the label.",
        ),
        AnswerError::Contradiction => (
            400,
            "answer_contradicts_itself",
            "This answer was not taken",
            "It names a label, and says that none fits or that you cannot tell. Please go back and choose one of them: the task \
             is still yours.",
        ),
        AnswerError::NotAnObject => (
            400,
            "answer_invalid",
            "The answer cannot be read",
            "Please go back and try again. The task is still yours.",
        ),
    }
}

/// Returns what is said of a task that a reviewer does not get.
fn of_loop(error: &LoopError) -> Message {
    match error {
        LoopError::NotFound => (
            404,
            "task_not_found",
            "This task does not exist",
            "It may have been removed. An answer sent now is not taken. Here is the next one.",
        ),
        LoopError::Refused(Refusal::Held) => (
            409,
            "task_held",
            "Somebody else has this task",
            "Another reviewer is at it or has answered it. An answer of yours was not taken. Here is the next one.",
        ),
        LoopError::Refused(Refusal::Answered) => (
            409,
            "task_answered",
            "You have answered this task",
            "Thank you! Here is the next one.",
        ),
        LoopError::Refused(Refusal::Excluded) => (
            403,
            "task_for_others",
            "This task is for somebody else",
            "You have given your opinion on one of its texts before: another one is wanted. Here is the next task.",
        ),
        LoopError::Refused(Refusal::Counted) => (
            410,
            "task_closed",
            "This task is closed",
            "You have answered it, and the answer has become a label: it can no longer be changed. Here is the next one.",
        ),
        LoopError::Refused(Refusal::Closed) => (
            410,
            "task_closed",
            "This task is closed",
            "It was completed, stopped or its time is over. An answer sent now is not taken. Here is the next one.",
        ),
        LoopError::Output { .. } => (
            409,
            "correction_refused",
            "This correction was not taken",
            "The place of this task's results does not take it any more. What you answered first is stored; please tell the \
             operator.",
        ),
        LoopError::Storage(error) if error.is_damaged() => DAMAGED,
        LoopError::Conflict
        | LoopError::QuotaExceeded
        | LoopError::WrongStatus(_)
        | LoopError::Contention
        | LoopError::Storage(_)
        | LoopError::OutputLater { .. } => UNAVAILABLE,
    }
}

/// Returns what is said of a task that cannot be shown.
fn of_task(error: &TaskError) -> Message {
    match error {
        TaskError::NoTemplate | TaskError::TooLong | TaskError::Template(TemplateError::Liquid(_)) => (
            500,
            "template_failed",
            "The task page cannot be shown",
            "The worker task template does not work with this task. The task stays in the queue; please tell the operator.",
        ),
        TaskError::Template(TemplateError::Storage(_)) => UNAVAILABLE,
    }
}

/// Returns what is said where a provider has not signed somebody in.
fn of_provider(error: OidcError) -> Message {
    match error {
        OidcError::Unavailable(_) => (
            503,
            "provider_unavailable",
            "Your provider did not answer",
            "Nobody is signed in. Please try again in a moment.",
        ),
        OidcError::Metadata(_) | OidcError::Secret => (
            502,
            "provider_not_usable",
            "The sign-in does not work",
            "Your provider is not set up as this portal needs it. Please tell the operator of this portal.",
        ),
        OidcError::Denied => (
            403,
            "sign_in_denied",
            "Your provider did not sign you in",
            "You have cancelled it, or your account may not use this portal.",
        ),
        OidcError::NotBegun => (
            403,
            "sign_in_not_begun",
            "This sign-in cannot be completed",
            "It was begun more than ten minutes ago, in another browser, or without cookies. Please begin again.",
        ),
        OidcError::Replayed => (
            403,
            "sign_in_used",
            "This sign-in was completed before",
            "The answer of your provider works once. Please begin again.",
        ),
        OidcError::CodeRefused | OidcError::Untrusted(_) => (
            403,
            "sign_in_refused",
            "You are not signed in",
            "What your provider answered cannot be trusted. Please begin again; if it stays so, tell the operator of this portal.",
        ),
        OidcError::NotInGroup => (
            403,
            "not_in_group",
            "Your account may not come in here",
            "Your provider knows you, but you are in no group that reviews. Please ask the operator of this portal.",
        ),
    }
}
