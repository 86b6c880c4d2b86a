//! The function over in-process S3 and a review service that the tests play themselves.

mod answers;
mod harness;
mod labelling;
mod more_opinions;
mod old_pages;
mod relabelling;
mod status_changes;
mod sweep;
mod unreadable_corrections;
