//! The one port: each service behind it, over signed requests; functions are real child processes,
//! for which this test's own program serves.

mod api_destinations;
mod asked_for;
mod events;
mod front_door;
mod function;
mod function_url;
mod looking;
mod pass_through;
mod rest_api;
mod roles;
mod services;
mod sessions;
mod setup;
mod states;
mod topics;
