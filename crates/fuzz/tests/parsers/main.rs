//! One target for each parser of what comes from outside.

mod encoders;
mod files;
mod languages;
mod policies;
mod requests;
mod sign_in;
mod texts;
mod wire;
