//! Counts, as sentences have them.

use std::fmt::Display;

/// Counts things whose name takes an s: `1 text`, `2 texts`.
pub fn counted(count: impl Display + PartialEq + From<u8>, one: &str) -> String {
    counted_as(count, one, &format!("{one}s"))
}

/// Says what one is or does, or what several are or do: `1 copy`, `2 copies`.
pub fn counted_as(count: impl Display + PartialEq + From<u8>, one: &str, several: &str) -> String {
    let what = if count == 1.into() { one } else { several };
    format!("{count} {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural_and_none_is_one() {
        assert_eq!(counted(0_usize, "text"), "0 texts");
        assert_eq!(counted(1_u64, "text"), "1 text");
        assert_eq!(counted(2_u32, "text"), "2 texts");
        assert_eq!(counted_as(1_i64, "copy", "copies"), "1 copy");
        assert_eq!(counted_as(2_i64, "copy", "copies"), "2 copies");
    }
}
