//! Holds the pages of the guide to what they describe.

mod commands;
mod cost;
mod examples;
mod links;
mod markdown;
mod objects;
mod parameters;
mod pictures;
mod prose;
mod runbook;
