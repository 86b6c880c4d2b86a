//! What people hold right: votes, what they come to, and the human loops they come from.

pub mod agreement;
pub mod answered_days;
pub mod consolidation;
pub mod early_votes;
pub mod human_loop;
pub mod label_audit;
pub mod label_key;
pub mod label_set;
pub mod labelled;
pub mod manifest_classes;
pub mod missing;
pub mod prediction_result;
pub mod question;
pub mod review_event;
pub mod says_no;
pub mod vote;
