//! Lambda: delivered feedback into human loops.
