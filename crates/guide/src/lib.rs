//! The guide is the Markdown beside this crate, from `README.md` on; its pages are read in the repository.
//!
//! The crate holds no code. Its tests hold the pages to what they describe: links and anchors, parameters, objects,
//! commands, examples, and the length of lines, sentences and paragraphs.
