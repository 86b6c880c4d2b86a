//! What an erasure came to.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// What was found under the beginning of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Objects that held some of it.
    pub objects: u64,
    /// Records, rows and names in them.
    pub pieces: u64,
}

/// What an erasure came to; without texts and names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Texts, however they are written.
    pub texts: usize,
    /// Users.
    pub users: usize,
    /// Texts of the users that somebody else has sent as well: they stay, without the users' names.
    pub shared: usize,
    /// Texts that are looked for as the stack masks them too: so others may have sent them.
    pub masked: usize,
    /// By bucket and beginning of the keys.
    pub found: BTreeMap<String, Count>,
    /// Human loops that were ended, since all that they asked is gone.
    pub loops: u64,
    /// Loops of Amazon A2I that still show some of it: only their owner can stop them.
    pub loops_elsewhere: BTreeSet<String>,
    /// Texts of others that waited for an answer to one that is gone, and are asked by themselves.
    pub asked_themselves: u64,
    /// Objects that had not been worked off: what is left of them is delivered again.
    pub delivered_again: u64,
    /// Old versions that were deleted, and marks of deletions.
    pub old_versions: u64,
    /// Old versions that hold some of it, where nothing was to be changed.
    pub in_old_versions: u64,
    /// Old versions that hold some of it and that S3 does not let go.
    pub kept_versions: BTreeSet<String>,
    /// Objects that are too large to be read: they stay as they are.
    pub too_large: BTreeSet<String>,
    /// Objects that people have put there and that cannot be read, and why: they stay as they are.
    pub unread: BTreeMap<String, String>,
    /// Those of them that somebody has looked at, and why nobody else can.
    pub looked_at: BTreeMap<String, String>,
    /// Lines that began as JSON and were none: they went as a whole, since a text or a user stood in them.
    pub broken_lines: u64,
    /// Outputs of the review service in buckets that are not the stack's, and that hold some of it: they stay as they are.
    pub elsewhere: BTreeSet<String>,
    /// Those there that still hold a text of an earlier erasure, and none of this one.
    pub of_earlier_elsewhere: BTreeSet<String>,
    /// Places there that cannot be looked through, and why.
    pub unread_elsewhere: BTreeMap<String, String>,
    /// Rows that model versions have learnt from, by version.
    pub learnt: BTreeMap<String, u64>,
}

impl Report {
    /// Returns whether nothing stayed that is to be looked at.
    pub fn is_complete(&self) -> bool {
        self.too_large.is_empty() && self.kept_versions.is_empty() && self.unread.is_empty()
    }

    /// Takes note that somebody has looked at objects that cannot be read, by their addresses, and answers for them.
    pub fn note_looked_at(&mut self, uris: &[String]) {
        for uri in uris {
            let reason = self.unread.remove(uri);
            let too_large = || self.too_large.remove(uri).then(|| "it is too large".to_owned());
            if let Some(reason) = reason.or_else(too_large) {
                self.looked_at.insert(uri.clone(), reason);
            }
        }
    }

    /// Returns whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns all that was found.
    pub fn total(&self) -> Count {
        let counts = self.found.values();
        counts.fold(Count::default(), |sum, count| Count {
            objects: sum.objects + count.objects,
            pieces: sum.pieces + count.pieces,
        })
    }
}
