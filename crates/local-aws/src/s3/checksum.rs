//! Checksums of object data: what a client announces and what the bytes give.

use base64::{Engine, prelude::BASE64_STANDARD};
use s3s::{S3Result, TrailingHeaders, checksum::ChecksumHasher, crypto::Checksum as _, s3_error};
use serde::{Deserialize, Serialize};

/// A checksum algorithm of Amazon S3, named as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    /// Reads a name, in any case, as it stands in `x-amz-checksum-algorithm` or a header's name.
    pub(super) fn parse(name: &str) -> S3Result<Self> {
        match name.to_ascii_uppercase().as_str() {
            "CRC32" => Ok(Self::Crc32),
            "CRC32C" => Ok(Self::Crc32c),
            "CRC64NVME" => Ok(Self::Crc64Nvme),
            "SHA1" => Ok(Self::Sha1),
            "SHA256" => Ok(Self::Sha256),
            _ => Err(s3_error!(
                InvalidRequest,
                "Checksum algorithm provided is unsupported."
            )),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub(super) fn hasher(self) -> ChecksumHasher {
        let mut hasher = ChecksumHasher::default();
        match self {
            Self::Crc32 => hasher.crc32 = Some(s3s::crypto::Crc32::new()),
            Self::Crc32c => hasher.crc32c = Some(s3s::crypto::Crc32c::new()),
            Self::Crc64Nvme => hasher.crc64nvme = Some(s3s::crypto::Crc64Nvme::new()),
            Self::Sha1 => hasher.sha1 = Some(s3s::crypto::Sha1::new()),
            Self::Sha256 => hasher.sha256 = Some(s3s::crypto::Sha256::new()),
        }
        hasher
    }
}

/// The checksum kept with an object or part, base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checksum {
    pub(super) algorithm: Algorithm,
    pub(super) value: String,
    /// Of the parts' checksums (`COMPOSITE`), not of the bytes (`FULL_OBJECT`).
    pub(super) composite: bool,
}

impl Checksum {
    /// Finishes a hasher that [`Algorithm::hasher`] made.
    pub(super) fn finish(algorithm: Algorithm, hasher: ChecksumHasher) -> Self {
        let sums = hasher.finalize();
        let value = sums
            .checksum_crc32
            .or(sums.checksum_crc32c)
            .or(sums.checksum_crc64nvme)
            .or(sums.checksum_sha1)
            .or(sums.checksum_sha256)
            .expect("the hasher has its algorithm on");
        Self {
            algorithm,
            value,
            composite: false,
        }
    }

    pub(super) fn kind(&self) -> s3s::dto::ChecksumType {
        let kind = if self.composite {
            s3s::dto::ChecksumType::COMPOSITE
        } else {
            s3s::dto::ChecksumType::FULL_OBJECT
        };
        kind.to_owned().into()
    }
}

/// Puts a checksum into the field of an output that is its algorithm's.
macro_rules! fill_checksum {
    ($output:expr, $checksum:expr) => {
        if let Some(checksum) = $checksum {
            use $crate::s3::checksum::Algorithm;
            let value = Some(checksum.value.clone());
            match checksum.algorithm {
                Algorithm::Crc32 => $output.checksum_crc32 = value,
                Algorithm::Crc32c => $output.checksum_crc32c = value,
                Algorithm::Crc64Nvme => $output.checksum_crc64nvme = value,
                Algorithm::Sha1 => $output.checksum_sha1 = value,
                Algorithm::Sha256 => $output.checksum_sha256 = value,
            }
        }
    };
}
pub(super) use fill_checksum;

/// Takes the checksum that an input announces, if any: its algorithm and value.
macro_rules! announced_checksum {
    ($input:expr) => {{
        use $crate::s3::checksum::Algorithm;
        None.or($input.checksum_crc32.clone().map(|v| (Algorithm::Crc32, v)))
            .or($input.checksum_crc32c.clone().map(|v| (Algorithm::Crc32c, v)))
            .or($input
                .checksum_crc64nvme
                .clone()
                .map(|v| (Algorithm::Crc64Nvme, v)))
            .or($input.checksum_sha1.clone().map(|v| (Algorithm::Sha1, v)))
            .or($input.checksum_sha256.clone().map(|v| (Algorithm::Sha256, v)))
    }};
}
pub(super) use announced_checksum;

/// What a client says of a body before, or right after, sending it.
#[derive(Default)]
pub(super) struct Announced {
    pub(super) algorithm: Option<Algorithm>,
    value: Option<String>,
    md5: Option<Vec<u8>>,
    /// Whether the checksum's value comes after the body.
    is_in_trailer: bool,
    trailers: Option<TrailingHeaders>,
    /// Bytes of a body that comes in chunks.
    size: Option<u64>,
}

impl Announced {
    /// Collects the announcements of a request: checksum headers, the trailer's name, `Content-MD5`.
    pub(super) fn new(
        checksum: Option<(Algorithm, String)>,
        named: Option<&str>,
        content_md5: Option<&str>,
        headers: &http::HeaderMap,
        trailers: Option<TrailingHeaders>,
    ) -> S3Result<Self> {
        let trailer = headers
            .get("x-amz-trailer")
            .and_then(|name| name.to_str().ok())
            .and_then(|name| name.trim().strip_prefix("x-amz-checksum-"));
        let (algorithm, value) = match (checksum, trailer.or(named)) {
            (Some((algorithm, value)), _) => (Some(algorithm), Some(value)),
            (None, Some(name)) => (Some(Algorithm::parse(name)?), None),
            (None, None) => (None, None),
        };
        let md5 = content_md5
            .map(|text| BASE64_STANDARD.decode(text))
            .transpose()
            .map_err(|_| s3_error!(InvalidDigest, "The Content-MD5 you specified was invalid."))?;
        let size = headers.get("x-amz-decoded-content-length");
        Ok(Self {
            algorithm,
            value,
            md5,
            is_in_trailer: trailer.is_some(),
            trailers,
            size: size.and_then(|size| size.to_str().ok()?.trim().parse().ok()),
        })
    }

    /// Announces no value; the checksum is computed all the same.
    pub(super) fn nothing(algorithm: Option<Algorithm>) -> Self {
        Self {
            algorithm,
            ..Self::default()
        }
    }

    /// Compares with what arrived. Call it after the body's end, when the trailers are there.
    pub(super) fn verify(&self, size: u64, md5: &[u8], checksum: Option<&Checksum>) -> S3Result<()> {
        if self.size.is_some_and(|announced| announced != size) {
            return Err(s3_error!(
                IncompleteBody,
                "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header."
            ));
        }
        if self.md5.as_deref().is_some_and(|announced| announced != md5) {
            return Err(s3_error!(
                BadDigest,
                "The Content-MD5 you specified did not match what we received."
            ));
        }
        let Some(checksum) = checksum else {
            return Ok(());
        };
        let header = format!("x-amz-checksum-{}", checksum.algorithm.name().to_lowercase());
        let trailer = self
            .trailers
            .as_ref()
            .and_then(|trailers| trailers.read(|map| Some(map.get(&header)?.to_str().ok()?.to_owned()))?);
        if self.is_in_trailer && trailer.is_none() {
            return Err(s3_error!(
                InvalidRequest,
                "The trailer {header} that the request announced did not come."
            ));
        }
        match trailer.as_ref().or(self.value.as_ref()) {
            Some(announced) if *announced != checksum.value => Err(s3_error!(
                BadDigest,
                "The {} you specified did not match the calculated checksum.",
                checksum.algorithm.name()
            )),
            _ => Ok(()),
        }
    }
}
