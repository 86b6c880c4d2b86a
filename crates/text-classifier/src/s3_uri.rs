//! `s3://bucket/key`, by Comprehend's pattern.

use std::{fmt, str::FromStr};

/// An object, or a prefix of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct S3Uri {
    pub bucket: String,
    /// May be empty.
    pub key: String,
}

/// Not an S3 URI by Comprehend's pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidS3Uri;

const MAX_URI_CHARACTERS: usize = 1_024;

impl FromStr for S3Uri {
    type Err = InvalidS3Uri;

    /// Source: pattern `s3://[a-z0-9][\.\-a-z0-9]{1,61}[a-z0-9](/.*)?`.
    fn from_str(uri: &str) -> Result<Self, Self::Err> {
        let path = uri.strip_prefix("s3://").ok_or(InvalidS3Uri)?;
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = bucket.as_bytes();
        let bucket_ok = (3..=63).contains(&bytes.len())
            && bytes
                .iter()
                .all(|&byte| letter(byte) || byte == b'.' || byte == b'-')
            && letter(bytes[0])
            && letter(bytes[bytes.len() - 1]);
        let ok = bucket_ok && uri.chars().count() <= MAX_URI_CHARACTERS && !key.contains('\n');
        if !ok {
            return Err(InvalidS3Uri);
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }
}

impl S3Uri {
    /// Returns the URI of something in this folder, whether or not it ends in a slash.
    pub(crate) fn join(&self, path: &str) -> Self {
        let slash = if self.key.is_empty() || self.key.ends_with('/') {
            ""
        } else {
            "/"
        };
        Self {
            bucket: self.bucket.clone(),
            key: format!("{}{slash}{path}", self.key),
        }
    }

    /// Returns another object of the same bucket.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self {
            bucket: self.bucket.clone(),
            key: key.to_owned(),
        }
    }
}

impl fmt::Display for S3Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_and_key_are_told_apart() {
        let uri: S3Uri = "s3://a.b-1/x/y z.csv".parse().expect("a URI");

        assert_eq!((uri.bucket.as_str(), uri.key.as_str()), ("a.b-1", "x/y z.csv"));
        assert_eq!("s3://abc".parse::<S3Uri>().map(|uri| uri.key).as_deref(), Ok(""));
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("s3://abc/{}", "x".repeat(1_020));
        for uri in [
            "",
            "abc/x",
            "S3://abc/x",
            "s3://ab/x",
            "s3://Abc/x",
            "s3://-abc/x",
            "s3://a_c/x",
            &long,
        ] {
            assert!(uri.parse::<S3Uri>().is_err(), "{uri}");
        }
    }

    #[test]
    fn a_folder_needs_no_slash_at_its_end() {
        for (folder, joined) in [
            ("s3://abc", "s3://abc/x/y"),
            ("s3://abc/", "s3://abc/x/y"),
            ("s3://abc/o", "s3://abc/o/x/y"),
            ("s3://abc/o/", "s3://abc/o/x/y"),
        ] {
            let folder: S3Uri = folder.parse().expect("a URI");

            assert_eq!(folder.join("x/y").to_string(), joined);
        }
    }
}
