//! Takes the texts of a person out of everything that a stack has stored, so that nothing brings them back.
//!
//! What is stored is looked through first: which texts are the person's, and how they are written ([`collect`]). An erasure
//! then refuses them everywhere, takes them out of every object of the four buckets by the [`rules`] of its kind, sees to what
//! waited for their answers, and marks the models that learnt from them ([`erase`]). It may be broken off anywhere: what it
//! was about is kept until it is done, and another run ends it.

mod broken;
pub mod collect;
mod datasets;
mod elsewhere;
pub mod erase;
mod follow_up;
mod json;
mod labels_gone;
mod loose;
mod notes;
mod report;
pub mod rewrite;
pub mod rules;
mod trained;
mod unfinished;
mod uploads;
mod versions;
mod walk;
pub mod wanted;
mod written;
