//! One target for each parser of what comes from outside.

mod encoders;
mod events;
mod files;
mod languages;
mod objects;
mod policies;
mod requests;
mod sign_in;
mod texts;
mod wire;
mod workbooks;
