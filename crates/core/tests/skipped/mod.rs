//! Says that a test did not run, where a person sees it.
//!
//! libtest keeps what `println!` and `eprintln!` of a test write that passes, and calls a test that returned `ok`. What goes to
//! standard error itself it cannot keep.

use std::{
    fmt::Display,
    io::{self, Write},
    thread,
};

/// Says of the test that runs that it was skipped, and why: on a line of its own in any run.
pub fn skipped(why: impl Display) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    // Nobody is told where there is no standard error; that fails no test.
    let _ = io::stderr().write_all(line(&test, why).as_bytes());
}

fn line(test: &str, why: impl Display) -> String {
    format!("\nSKIPPED {test}: {why}\n")
}
