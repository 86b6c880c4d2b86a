//! How a page of a listing is filled: keys, and the prefixes that some of them have in common.

/// What a key is on a page.
pub(super) enum Entry<'a> {
    /// Part of a common prefix that is on it, or on one before.
    Seen(&'a str),
    /// The first of the next one.
    Beyond,
    /// Part of a common prefix that is new.
    Common(&'a str),
    /// An entry of its own.
    Key,
}

/// A page as far as it is filled.
pub(super) struct Filled<'a> {
    prefix: &'a str,
    delimiter: Option<&'a str>,
    after: &'a str,
    left: usize,
    pub(super) common_prefixes: Vec<String>,
}

impl<'a> Filled<'a> {
    /// Begins a page of at most `limit` entries, which come after this one.
    pub(super) fn new(prefix: &'a str, delimiter: Option<&'a str>, after: &'a str, limit: usize) -> Self {
        Self {
            prefix,
            delimiter,
            after,
            left: limit,
            common_prefixes: Vec::new(),
        }
    }

    /// Takes the next key in order.
    pub(super) fn take<'k>(&mut self, key: &'k str) -> Entry<'k> {
        let common = common_prefix(key, self.prefix, self.delimiter);
        let is_seen = |common: &str| {
            common == self.after || self.common_prefixes.last().is_some_and(|seen| seen == common)
        };
        match common {
            Some(common) if is_seen(common) => return Entry::Seen(common),
            _ if self.left == 0 => return Entry::Beyond,
            _ => self.left -= 1,
        }
        match common {
            Some(common) => {
                self.common_prefixes.push(common.to_owned());
                Entry::Common(common)
            }
            None => Entry::Key,
        }
    }
}

/// Returns the first text behind all that begin with `prefix`, so that a listing goes on there; none where nothing is.
pub(super) fn behind(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // Between two characters there may be numbers that are none.
        let mut greater = u32::from(last) + 1..=u32::from(char::MAX);
        if let Some(next) = greater.find_map(char::from_u32) {
            return Some(chars.into_iter().chain([next]).collect());
        }
    }
    None
}

/// Returns the part of `key` up to the first delimiter behind the prefix.
fn common_prefix<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let at = key[prefix.len()..].find(delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_goes_on_with_the_first_key_that_has_not_the_prefix() {
        for (prefix, next) in [
            ("a/", Some("a0")),
            ("ü", Some("ý")),
            ("a\u{d7ff}", Some("a\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
        ] {
            assert_eq!(behind(prefix).as_deref(), next, "{prefix}");
        }
    }
}
