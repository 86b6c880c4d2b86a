//! Lambda: delivered feedback into human loops.
fn main() {}
