//! Lambda: text in, prediction out, review decision.
