//! Files read as streams.
