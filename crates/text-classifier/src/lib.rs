//! Trains and runs the built-in model; Lambda: a Comprehend-compatible API.
