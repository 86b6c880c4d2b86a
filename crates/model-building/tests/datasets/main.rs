//! Dataset versions and exports over local S3.

mod assemble;
mod bucket;
mod copies;
mod effects;
mod export;
mod held_out;
mod labels;
mod machine_labels;
mod packs;
