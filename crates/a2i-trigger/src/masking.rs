//! Personal data in what other producers put into the stream.
//!
//! What the functions of the stack put there is masked, and masking changes it no more. Where Comprehend masks it, other
//! producers' texts stay as they are: it would be asked about every text twice.

use active_learning_aws::personal_data::{Masking, Settings};
use active_learning_core::{
    feedback::{delivery::Line, record_id},
    text::personal_data::Treatment,
};
use aws_config::SdkConfig;

/// Makes what masks by form alone, where the stack does so.
pub(crate) fn by_form(treatment: Treatment, sdk: &SdkConfig) -> Masking {
    let treatment = match treatment {
        Treatment::Mask => Treatment::Mask,
        Treatment::Keep | Treatment::Comprehend => Treatment::Keep,
    };
    let settings = Settings::new(treatment, "").expect("only Comprehend has languages");
    Masking::new(settings, sdk)
}

/// Masks lines; of a bad one what cannot be looked through is left out. A record is the question of its masked text.
pub(crate) async fn mask(masking: &Masking, lines: &mut [Line]) {
    if masking.is_off() {
        return;
    }
    for line in lines {
        match &mut line.content {
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
                }
            }
        }
    }
}
