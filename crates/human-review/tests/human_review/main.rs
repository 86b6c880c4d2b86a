//! The review service over in-process S3: events in, replies and objects out.

// The SDK's futures inside those of the tests are laid out in many steps.
#![recursion_limit = "256"]

mod api;
mod console;
mod console_addresses;
mod console_audits;
mod console_data;
mod console_pages;
mod control_plane;
mod crashes;
mod damaged;
mod events;
mod growth;
mod guideline;
mod harness;
mod hostile;
mod label_changes;
mod labelling_job_answers;
mod labelling_job_failures;
mod labelling_job_levels;
mod labelling_job_lists;
mod labelling_job_models;
mod labelling_job_questions;
mod labelling_job_reasons;
mod labelling_job_requests;
mod labelling_jobs;
mod life_cycle;
mod notices;
mod oidc;
mod outputs;
mod overdue;
mod own_pages;
mod portal;
mod refusals;
mod reviewers;
mod sign_in;
mod status_events;
mod steps;
mod teams;
mod work;
mod workforce;
