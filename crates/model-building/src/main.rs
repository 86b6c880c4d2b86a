//! Lambda: the steps of the model-building state machine.

fn main() {}
