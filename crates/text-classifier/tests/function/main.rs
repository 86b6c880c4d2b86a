//! The function over the local S3: training files in, Comprehend's protocol out.

mod classification_jobs;
mod encoder;
mod flywheels;
mod harness;
mod initial_model;
mod job_parts;
mod life;
mod lists;
mod protocol;
mod refusals;
mod sdk;
mod training;
