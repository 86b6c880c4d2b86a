//! Personal data in what other producers put into the stream.
//!
//! What the functions of the stack put there is masked, and masking changes it no more. Where Comprehend masks it, other
//! producers' texts stay as they are: it would be asked about every text twice.
//!
//! What the stack delivers again is not masked: its questions are known by the ids of their texts as they were. Nor is a text
//! that was erased, which is known as it was written, and is taken out of the object.

use active_learning_aws::personal_data::{Masking, Settings};
use active_learning_core::{
    erasure::ErasedTexts,
    feedback::{FeedbackRecord, Signal, delivery::Line, record_id},
    text::personal_data::Treatment,
};
use aws_config::SdkConfig;

/// Said of a line that is not set aside as it was.
const LEFT_OUT: &str =
    "; the line cannot be looked through for personal data, and is in the delivered object alone";

/// Makes what masks by form alone, where the stack does so.
pub(crate) fn by_form(treatment: Treatment, sdk: &SdkConfig) -> Masking {
    let treatment = match treatment {
        Treatment::Mask => Treatment::Mask,
        Treatment::Keep | Treatment::Comprehend => Treatment::Keep,
    };
    let settings = Settings::new(treatment, "").expect("only Comprehend has languages");
    Masking::new(settings, sdk)
}

/// Masks lines of other producers; of a bad one what cannot be looked through is left out, and its reason says so. A record is
/// the question of its masked text.
pub(crate) async fn mask(masking: &Masking, erased: &ErasedTexts, lines: &mut [Line]) {
    for line in lines {
        match &mut line.content {
            Ok(record) if stays_as_it_is(record, erased) => {}
            // Only Comprehend may fail to answer.
            Ok(record) => {
                let masked = masking.apply(&mut record.utterance).await;
                if masked.is_ok_and(|kinds| !kinds.is_empty()) {
                    record.id = record_id(&record.classifier, &record.utterance);
                }
            }
            Err(bad) => {
                let is_left_out = masking.apply_to_raw(&mut bad.raw).await.unwrap_or(true);
                if is_left_out {
                    bad.raw.clear();
                    bad.reason.push_str(LEFT_OUT);
                }
            }
        }
    }
}

/// Returns whether a record is known by its text as it is: it is asked about again, or was erased.
fn stays_as_it_is(record: &FeedbackRecord, erased: &ErasedTexts) -> bool {
    record.signal == Signal::Relabel || erased.contains(&record.utterance)
}
