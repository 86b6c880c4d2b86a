//! The function over the local S3: training files in, Comprehend's protocol out.

mod harness;
mod initial_model;
mod protocol;
mod sdk;
