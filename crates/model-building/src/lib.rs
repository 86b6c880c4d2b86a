//! Lambda: the steps of the model-building state machine.

pub mod assemble;
pub mod export;
mod labels;
mod spool;
