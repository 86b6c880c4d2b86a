//! Lambda: human answers into labelled records.
