//! Hosts a CloudFormation template on this machine.
//!
//! [`template`] resolves it, [`plan`] maps its resources to what the services of `local_aws` are told to
//! provide, [`boot`] starts those. Nothing here knows what the functions of a template do.

pub mod boot;
pub mod plan;
pub mod problems;
pub mod stack;
pub mod template;
pub mod template_files;
pub mod user;
