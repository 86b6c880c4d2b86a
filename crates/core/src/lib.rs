//! The feedback record, the review policy, batch formats and human-loop shapes: pure functions over data.
