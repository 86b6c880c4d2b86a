//! Lambda: an A2I-runtime-compatible review service and the reviewers' portal.
