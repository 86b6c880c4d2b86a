//! Asking the operator before something is done.

use std::io::{self, BufRead, Write};

/// Prints a question, and returns whether the answer on standard input is `y`.
///
/// # Errors
///
/// When the terminal cannot be written or read.
pub fn confirmed(question: &str) -> io::Result<bool> {
    print!("{question} [y/N] ");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}
