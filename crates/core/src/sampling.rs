//! Which texts people are asked about: the most valuable first, within a budget, each once.

pub mod duplicates;
pub mod query_strategy;
pub mod review_budget;
pub mod selection;
