//! Boots a CloudFormation template on this machine.
//!
//! [`template`] resolves it, [`plan`] maps its resources to what the services of `local_aws` are told to
//! provide, [`boot`] starts those. What this project adds to any such stack (training data, sign-in
//! links, model versions, the words on the screen) is in [`run`], [`training`], [`sign_in`], [`models`],
//! [`report`], [`welcome`] and [`demo`]; [`advise`] and [`simulate`] need no stack.

pub mod advise;
pub mod boot;
pub mod cli;
pub mod demo;
pub mod functions;
pub mod http_client;
pub mod models;
pub mod outputs;
pub mod plan;
pub mod problems;
pub mod redrive;
pub mod report;
pub mod run;
pub mod sign_in;
pub mod simulate;
pub mod stack;
pub mod template;
pub mod template_files;
pub mod training;
pub mod user;
pub mod welcome;
