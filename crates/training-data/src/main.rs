//! Lambda: human answers into labelled records.

fn main() {}
