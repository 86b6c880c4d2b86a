//! The function over local S3; the review service answers as each test says.

mod arrivals;
mod budget;
mod contradictions;
mod copies;
mod delivery;
mod early_likes;
mod erased;
mod harness;
mod labels;
mod machine_labels;
mod opinions;
mod personal_data;
mod pool;
mod redelivery;
mod said_of_copies;
mod words;
