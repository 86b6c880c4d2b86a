//! The review service over in-process S3: events in, replies and objects out.

mod api;
mod crashes;
mod events;
mod harness;
mod life_cycle;
mod own_pages;
mod portal;
mod refusals;
mod sign_in;
