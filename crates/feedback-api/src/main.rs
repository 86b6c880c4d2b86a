//! Lambda: likes, dislikes and corrections.
fn main() {}
