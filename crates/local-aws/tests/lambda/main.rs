//! Functions as real child processes: this test's own program is the function too.

mod asynchronous;
mod end_of_service;
mod function;
mod setup;
mod synchronous;
