//! The operator's program: the stack on this machine, and the commands for it, here and on AWS.
//!
//! [`cli`] reads the command line. [`run`] boots the template with `local_stack` and adds what this project
//! adds to any such stack: training data, sign-in links, the words on the screen. [`models`] and [`redrive`]
//! act on a running stack; [`advise`] and [`simulate`] need none; [`fault_run`] starts one to torment it.

pub use active_learning_aws::redrive;

pub mod advise;
pub mod audit;
pub mod beginning;
pub mod cli;
pub mod confirm;
pub mod demo;
pub mod disputes;
pub mod encoder;
pub mod erase;
pub mod failed_events;
pub mod fault_run;
pub mod functions;
pub mod http_client;
pub mod import;
pub mod labelled_texts;
pub mod labels;
pub mod model_commands;
pub mod models;
pub mod outputs;
pub mod personal_data;
pub mod phases;
pub mod place;
pub mod portal_function;
pub mod report;
pub mod reviewers;
pub mod run;
pub mod sign_in;
pub mod simulate;
pub mod status;
pub mod take_over;
pub mod training;
pub mod welcome;
pub mod wording;
