//! Writing packs.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use active_learning_aws::bucket::{BINARY, Bucket, BucketError};
use active_learning_core::keys::Packs;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use super::{Header, Pack, Packing};
use crate::labels::LabelsError;

/// Writes packs, each as soon as it is full.
pub(super) struct Writer<'a> {
    bucket: &'a Bucket,
    packs: Packs,
    packing: Packing,
    /// Bytes of objects from which a pack is full.
    pack_bytes: usize,
    /// Packs that are there whole, by their hashes.
    pub(super) there: BTreeSet<String>,
    open: Option<OpenPack>,
    written: Vec<Pack>,
}

struct OpenPack {
    file: GzEncoder<Hashed>,
    objects: u64,
    bytes: usize,
}

/// A temporary file with the hash of what is written to it.
struct Hashed {
    file: io::BufWriter<tempfile::NamedTempFile>,
    hash: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl<'a> Writer<'a> {
    pub(super) fn new(bucket: &'a Bucket, packs: Packs, packing: Packing, pack_bytes: usize) -> Self {
        Self {
            bucket,
            packs,
            packing,
            pack_bytes,
            there: BTreeSet::new(),
            open: None,
            written: Vec::new(),
        }
    }

    pub(super) async fn add(&mut self, key: &str, etag: &str, content: &[u8]) -> Result<(), LabelsError> {
        if self.packing == Packing::AsItIs {
            return Ok(());
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => OpenPack::new().map_err(LabelsError::Disk)?,
        };
        open.add(key, etag, content).map_err(LabelsError::Disk)?;
        match open.bytes >= self.pack_bytes {
            true => self.write(open).await?,
            false => self.open = Some(open),
        }
        Ok(())
    }

    async fn write(&mut self, open: OpenPack) -> Result<(), LabelsError> {
        let (file, pack) = open.finish().map_err(LabelsError::Disk)?;
        if self.there.insert(pack.sha256.clone()) {
            let key = self.packs.pack(&pack.sha256);
            // A build that broke off may have written the same.
            let _created_or_there = self.bucket.put_file(&key, BINARY, file.path()).await?;
        }
        self.written.push(pack);
        Ok(())
    }

    /// Removes a pack that is damaged, so that it does not stand in the way of the same one whole.
    pub(super) async fn forget(&self, pack: &Pack) -> Result<(), BucketError> {
        match self.packing {
            Packing::AsItIs => Ok(()),
            Packing::Renewed => self.bucket.delete(&self.packs.pack(&pack.sha256)).await,
        }
    }

    pub(super) async fn finish(mut self) -> Result<Vec<Pack>, LabelsError> {
        if let Some(open) = self.open.take() {
            self.write(open).await?;
        }
        Ok(self.written)
    }
}

impl OpenPack {
    fn new() -> io::Result<Self> {
        let file = Hashed {
            file: io::BufWriter::new(tempfile::NamedTempFile::new()?),
            hash: Sha256::new(),
        };
        Ok(Self {
            file: GzEncoder::new(file, Compression::fast()),
            objects: 0,
            bytes: 0,
        })
    }

    fn add(&mut self, key: &str, etag: &str, content: &[u8]) -> io::Result<()> {
        let bytes = content.len();
        let (key, etag) = (key.into(), etag.into());
        serde_json::to_writer(&mut self.file, &Header { key, etag, bytes })?;
        self.file.write_all(b"\n")?;
        self.file.write_all(content)?;
        self.objects += 1;
        self.bytes += bytes;
        Ok(())
    }

    fn finish(self) -> io::Result<(tempfile::NamedTempFile, Pack)> {
        let Hashed { file, hash } = self.file.finish()?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let pack = Pack {
            sha256: hex::encode(hash.finalize()),
            objects: self.objects,
            bytes: self.bytes as u64,
        };
        Ok((file, pack))
    }
}
