//! Versions of the format of a model's file, and why a file is refused.

/// Also stands for how features and probabilities are made: a change there needs a new number.
///
/// A model without thresholds of its own, or one that is as sure of all texts, is written in a format before, which is the
/// same without these.
pub(crate) const FORMAT_VERSION: u32 = 8;
/// The format before: every label is given from a half on.
pub(crate) const WITHOUT_THRESHOLDS: u32 = 7;
/// The one before: doubts by vectors alone where there are some, and down to 0.6.
pub(crate) const BY_VECTORS: u32 = 6;
/// The one before that: as sure of all texts.
pub(crate) const WITHOUT_DOUBT: u32 = 5;
/// The one before, which looks at no vectors.
pub(crate) const WITHOUT_VECTORS: u32 = 4;
/// The first that is still read, which is the same but for what a model sees: no signs.
pub(crate) const WITHOUT_SIGNS: u32 = 3;

/// Why a model file is refused.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Another kind of file, or nothing at all.
    #[error("not a model file")]
    NotAModel,
    /// Written by another release.
    #[error(
        "model format {0} is not supported, this release reads formats {WITHOUT_SIGNS} to {FORMAT_VERSION}: train the model again"
    )]
    UnsupportedFormat(u32),
    /// Cut short or changed since it was written.
    #[error("the model file is damaged")]
    Damaged,
    /// The vectors that it looks at come from an encoder that is not at hand.
    #[error(
        "the model was trained with text encoder {needed}, in use is {at_hand}: put that encoder back, \
         or train the model again"
    )]
    OtherEncoder {
        /// Identity of the encoder that it was trained with.
        needed: String,
        /// Identity of the encoder in use, or `none`.
        at_hand: String,
    },
}
