//! Lambda: text in, prediction out, review decision.
fn main() {}
