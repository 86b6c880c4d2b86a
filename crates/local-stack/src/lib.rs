//! Boots a CloudFormation template on this machine.

pub mod plan;
pub mod problems;
pub mod stack;
pub mod template;
