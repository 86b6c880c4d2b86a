//! Keys of objects in S3.

use sha2::{Digest, Sha256};

/// Characters that a name takes over from a key, at most.
const MAX_NAME_CHARS: usize = 80;

/// Returns a name for what is written about an object, the same for the same content.
pub fn result_name(bucket: &str, key: &str, etag: &str) -> String {
    let identity = hex::encode(&Sha256::digest(format!("{bucket}\0{key}\0{etag}"))[..8]);
    let name: String = key
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_'))
        .take(MAX_NAME_CHARS)
        .collect();
    format!("{name}-{identity}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_names_tell_objects_of_the_same_name_apart() {
        let first = result_name("b", "x/a b.csv", "1");

        assert!(first.starts_with("ab.csv-"), "{first}");
        assert_ne!(first, result_name("b", "y/a b.csv", "1"));
        assert_ne!(first, result_name("b", "x/a b.csv", "2"));
    }
}
