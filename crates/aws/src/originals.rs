//! Whose answer a text gets: a copy has none of its own, but that of the text that was asked instead.
//!
//! A copy of form is known by the claim on its form, every copy by `duplicates/`. What a copy is a copy of may be a copy
//! itself: of form of a text that differs from the asked one by a small change.

use active_learning_core::{
    feedback::FeedbackRecord,
    keys,
    labels::{
        question::{Question, State},
        vote::VoteSource,
    },
    sampling::duplicates::{Duplicate, MAX_STEPS, same_form},
};

use crate::{
    bucket::{Bucket, BucketError},
    claims::ClaimError,
    questions,
};

/// Where the way from a text to its question ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Id of the record that was asked; where no question is there, of the last one on the way.
    pub id: String,
    /// Its question, if there is one.
    pub question: Option<Question>,
}

/// Finds the question whose answer a record gets: its own, or that of its original.
///
/// `form_owner` tells whose the form of its text is, and is asked only where the record has no question, or one that was given
/// up or that a file alone has answered. Earlier versions imported such a question beside what people had answered in another spelling, and
/// their answer counts. So does that to a copy which went on by itself once the question was given up: whoever waited for the
/// one gets the other; not that to a copy by a small change once somebody has said something of the text itself.
///
/// # Errors
///
/// [`BucketError`] when S3 does not answer.
pub async fn question_of(
    feedback: &Bucket,
    record_id: &str,
    form_owner: impl Future<Output = Result<Option<String>, ClaimError>>,
) -> Result<Asked, BucketError> {
    let own = questions::read(feedback, record_id).await?;
    let original = match &own {
        None => original_of(feedback, record_id, form_owner).await?,
        Some(own) if has_votes_alone(own) || says_nothing(own) => duplicate_of(feedback, record_id).await?,
        // A copy by a small change that went on is noted where it is the only one.
        Some(own) if was_given_up_silently(own) => original_of(feedback, record_id, form_owner).await?,
        Some(own) if own.state == State::Abandoned || is_of_files_alone(own) => {
            form_owner.await?.filter(|owner| owner != record_id)
        }
        Some(_) => None,
    };
    let end = match original {
        Some(original) => follow(feedback, original).await?,
        None => Asked {
            id: record_id.to_owned(),
            question: None,
        },
    };
    let counts_instead = |own: &Question, other: &Question| match own.state {
        State::Abandoned => is_with_people(other),
        _ => !is_of_files_alone(own) || other.state == State::Answered && !is_of_files_alone(other),
    };
    match own {
        Some(own)
            if !end
                .question
                .as_ref()
                .is_some_and(|other| counts_instead(&own, other)) =>
        {
            Ok(Asked {
                id: record_id.to_owned(),
                question: Some(own),
            })
        }
        _ => Ok(end),
    }
}

/// Finds the question of an original, which may be a copy itself.
///
/// # Errors
///
/// [`BucketError`] when S3 does not answer.
pub async fn follow(feedback: &Bucket, original: String) -> Result<Asked, BucketError> {
    let mut id = original;
    for _ in 0..MAX_STEPS {
        let question = questions::read(feedback, &id).await?;
        if question
            .as_ref()
            .is_some_and(|question| !has_votes_alone(question) && !says_nothing(question))
        {
            return Ok(Asked { id, question });
        }
        match duplicate_of(feedback, &id).await? {
            Some(next) => id = next,
            None => return Ok(Asked { id, question }),
        }
    }
    Ok(Asked { id, question: None })
}

/// A text whose answer is that of another, which differs by a small change.
#[derive(Clone, Debug, PartialEq)]
pub struct NearDuplicate {
    /// Id of the record that was found to be one: the first of its form.
    pub id: String,
    /// Id of the record that it was found to be one of, which may have no question of its own.
    pub original: String,
    /// The question whose answer it gets.
    pub question: Question,
    /// Whether people were asked about it, and it was given up: then what it is one of went on by itself.
    pub was_given_up: bool,
}

/// Finds out whether a text gets the answer of another by a small change. Texts of one form are one question, whatever is said of
/// them; `form_owner` is whose the form of the record's text is.
///
/// # Errors
///
/// [`BucketError`] when S3 does not answer.
pub async fn near_duplicate(
    feedback: &Bucket,
    record: &FeedbackRecord,
    form_owner: Option<String>,
) -> Result<Option<NearDuplicate>, BucketError> {
    let id = form_owner.unwrap_or_else(|| record.id.clone());
    let own = questions::read(feedback, &id).await?;
    let is_asked_itself =
        |own: &Question| !has_votes_alone(own) && !says_nothing(own) && !was_given_up_silently(own);
    if own.as_ref().is_some_and(is_asked_itself) {
        return Ok(None);
    }
    let Some(original) = duplicate_of(feedback, &id).await? else {
        return Ok(None);
    };
    let asked = follow(feedback, original.clone()).await?;
    let question = asked
        .question
        .filter(|question| same_form(&question.record) != same_form(record));
    Ok(question.map(|question| NearDuplicate {
        was_given_up: own.is_some_and(|own| own.state == State::Abandoned),
        id,
        original,
        question,
    }))
}

/// Returns whether a question may only hold what users said of a text. Earlier versions made such a question of a copy by
/// a small change, which people were not asked about and do not answer.
pub fn has_votes_alone(question: &Question) -> bool {
    question.state == State::Asked
        && question.human_loop.is_none()
        && question.reopened == 0
        && !question.votes.is_empty()
}

/// Returns whether a question is of a text that waits and of which nobody has said anything. Where the text got the answer of
/// another spelling meanwhile, `duplicates/` says so.
fn says_nothing(question: &Question) -> bool {
    question.state == State::Asked
        && question.human_loop.is_none()
        && question.reopened == 0
        && question.is_silent()
}

/// Returns whether a question was given up of whose text nobody has said anything: its copy by a small change may answer it.
fn was_given_up_silently(question: &Question) -> bool {
    question.state == State::Abandoned && question.is_silent()
}

/// Returns whether a question that nobody answers stays its text's own: it was given up after somebody had said something of the
/// text, or a complaint was taken back. No answer to another text is told for it.
pub fn answers_for_itself(question: &Question) -> bool {
    match question.state {
        State::Abandoned => !was_given_up_silently(question),
        State::Withdrawn => true,
        State::Asked | State::Answered | State::Disputed => false,
    }
}

/// Returns whether people are asked a question, or have answered it.
pub(crate) fn is_with_people(question: &Question) -> bool {
    match question.state {
        State::Asked => question.human_loop.is_some(),
        State::Answered | State::Disputed => true,
        State::Withdrawn | State::Abandoned => false,
    }
}

/// Returns whether a question was answered by imported files, and by nobody who was asked here.
fn is_of_files_alone(question: &Question) -> bool {
    let mut reviews = question
        .votes
        .iter()
        .filter(|vote| vote.source.is_review())
        .peekable();
    question.state == State::Answered
        && question.human_loop.is_none()
        && reviews.peek().is_some()
        && reviews.all(|vote| vote.source == VoteSource::Import)
}

/// Returns the record that a record is a copy of, if any.
async fn original_of(
    feedback: &Bucket,
    record_id: &str,
    form_owner: impl Future<Output = Result<Option<String>, ClaimError>>,
) -> Result<Option<String>, BucketError> {
    match form_owner.await?.filter(|owner| owner != record_id) {
        Some(owner) => Ok(Some(owner)),
        None => duplicate_of(feedback, record_id).await,
    }
}

/// Returns the record that the answer of a copy comes from; `None` if the record is none, or not known to be one.
///
/// # Errors
///
/// [`BucketError`] when S3 does not answer.
pub async fn duplicate_of(feedback: &Bucket, record_id: &str) -> Result<Option<String>, BucketError> {
    let duplicate: Option<Duplicate> = feedback.read_document(&keys::duplicate(record_id)).await?;
    Ok(duplicate.map(|duplicate| duplicate.original))
}
