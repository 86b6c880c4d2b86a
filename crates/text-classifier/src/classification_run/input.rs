//! The documents of a job, read from S3 a part at a time.

use std::collections::HashMap;

use active_learning_aws::bucket::Listed;
use active_learning_core::text::is_blank;
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::JobError;
use crate::{bucket::Bucket, classification_job::InputFormat, s3_uri::S3Uri};

/// Bytes of documents from which a part ends, however few they are.
const PART_BYTES: u64 = 8 << 20;
/// Bytes of a file that are read at a time. A line that is longer takes as much memory as it has bytes.
const READ_BYTES: u64 = 4 << 20;
/// Files that are read at a time.
const READS_AT_ONCE: usize = 16;

/// A document's text, or why it is none.
pub(super) type Document = Result<String, &'static str>;

/// Where in the input the next document begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Position {
    /// Number of its file in the listing, from 0.
    file: usize,
    /// Bytes of that file before it.
    offset: u64,
    /// Lines of that file before it.
    line: u64,
}

/// A document, and what the output calls it.
pub(super) struct Found {
    pub document: Document,
    /// `{"File": …}`, with `"Line"` where each line is a document.
    pub identity: Value,
}

/// The input of a job.
pub(super) struct Input<'a> {
    bucket: &'a Bucket,
    uri: &'a S3Uri,
    format: InputFormat,
    objects: &'a [Listed],
    names: Vec<&'a str>,
    next: Position,
    /// Bytes of the next file that are read.
    buffer: Vec<u8>,
    /// Where among them the next document begins.
    begin: usize,
}

impl<'a> Input<'a> {
    /// Begins where an attempt before has ended.
    pub(super) fn new(
        bucket: &'a Bucket,
        uri: &'a S3Uri,
        format: InputFormat,
        objects: &'a [Listed],
        next: Position,
    ) -> Self {
        Self {
            bucket,
            uri,
            format,
            objects,
            names: file_names(&uri.key, objects),
            next,
            buffer: Vec::new(),
            begin: 0,
        }
    }

    pub(super) fn next(&self) -> Position {
        self.next
    }

    pub(super) fn is_at_its_end(&self) -> bool {
        self.next.file >= self.objects.len()
    }

    /// Reads the next documents, at most so many.
    pub(super) async fn part(&mut self, most: usize) -> Result<Vec<Found>, JobError> {
        match self.format {
            InputFormat::OneDocPerLine => self.lines(most).await,
            InputFormat::OneDocPerFile => self.files(most).await,
        }
    }

    async fn lines(&mut self, most: usize) -> Result<Vec<Found>, JobError> {
        let mut found = Vec::new();
        let mut bytes = 0;
        while found.len() < most && bytes < PART_BYTES && !self.is_at_its_end() {
            let Position { file, line, .. } = self.next;
            let content = self.line(&self.objects[file]).await?;
            bytes += content.len() as u64;
            found.push(Found {
                document: read(&content),
                // A string, as Comprehend writes it.
                identity: json!({"File": self.names[file], "Line": line.to_string()}),
            });
        }
        Ok(found)
    }

    /// Returns the next line of a file in which there is one, without its end.
    async fn line(&mut self, object: &Listed) -> Result<Vec<u8>, JobError> {
        let mut searched = 0;
        loop {
            let rest = &self.buffer[self.begin..];
            let end = rest[searched..].iter().position(|&byte| byte == b'\n');
            if let Some(end) = end {
                let line = rest[..searched + end].to_vec();
                self.go_on(line.len() + 1, object);
                return Ok(line);
            }
            if self.next.offset + rest.len() as u64 >= object.size {
                let line = rest.to_vec();
                self.go_on(line.len(), object);
                return Ok(line);
            }
            searched = rest.len();
            self.read_on(object).await?;
        }
    }

    /// Goes to the next line, of the next file where this one has no more.
    fn go_on(&mut self, bytes: usize, object: &Listed) {
        self.begin += bytes;
        self.next.offset += bytes as u64;
        self.next.line += 1;
        if self.next.offset >= object.size {
            (self.buffer, self.begin) = (Vec::new(), 0);
            self.next = Position {
                file: self.next.file + 1,
                ..Position::default()
            };
        }
    }

    async fn read_on(&mut self, object: &Listed) -> Result<(), JobError> {
        self.buffer.drain(..self.begin);
        self.begin = 0;
        let from = self.next.offset + self.buffer.len() as u64;
        let to = object.size.min(from + READ_BYTES);
        let uri = self.uri.with_key(&object.key);
        let read = self.bucket.get_range(&uri, &object.etag, from..to).await?;
        self.buffer.extend(read);
        Ok(())
    }

    async fn files(&mut self, most: usize) -> Result<Vec<Found>, JobError> {
        let (bucket, first, mut bytes) = (self.bucket, self.next.file, 0);
        let mut reads = Vec::new();
        for object in self.objects[first..].iter().take(most) {
            let uri = self.uri.with_key(&object.key);
            reads.push(async move {
                match object.size {
                    // Of an empty file there is nothing to read.
                    0 => Ok(Vec::new()),
                    _ => bucket.get_listed(&uri, &object.etag).await,
                }
            });
            bytes += object.size;
            if bytes >= PART_BYTES {
                break;
            }
        }
        let count = reads.len();
        let files: Vec<Vec<u8>> = futures::stream::iter(reads)
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await?;

        let named = self.names[first..].iter().zip(&files);
        let found = named.map(|(name, file)| Found {
            document: read(file),
            identity: json!({"File": name}),
        });
        let found = found.collect();
        self.next.file += count;
        Ok(found)
    }
}

/// Returns a digest of what there is to read, by which a later attempt knows that it is the same.
pub(super) fn digest(objects: &[Listed]) -> String {
    let mut digest = Sha256::new();
    for object in objects {
        for part in [&object.key, &object.etag] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
    }
    hex::encode(digest.finalize())
}

fn read(document: &[u8]) -> Document {
    match std::str::from_utf8(document) {
        Ok(text) if !is_blank(text) => Ok(text.to_owned()),
        Ok(_) => Err("the document is empty"),
        Err(_) => Err("the document is not UTF-8"),
    }
}

/// Returns what the output calls each file: the last part of its key, or its path below the input's folder where others end
/// as it does.
fn file_names<'a>(input: &str, objects: &'a [Listed]) -> Vec<&'a str> {
    let last = |key: &'a str| key.rsplit('/').next().unwrap_or_default();
    let keys = || objects.iter().map(|object| object.key.as_str());
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for name in keys().map(last) {
        *counts.entry(name).or_default() += 1;
    }
    let folder = input.rfind('/').map_or(0, |end| end + 1);
    let name = |key: &'a str| match counts.get(last(key)) {
        Some(2..) => key.get(folder..).unwrap_or(key),
        _ => last(key),
    };
    keys().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(keys: &[&str]) -> Vec<Listed> {
        let listed = keys.iter().map(|key| Listed {
            key: (*key).to_owned(),
            etag: "1".to_owned(),
            size: 1,
            modified: chrono::DateTime::UNIX_EPOCH,
        });
        listed.collect()
    }

    #[test]
    fn files_of_one_name_are_told_apart_by_their_paths_below_the_folder_of_the_input() {
        let objects = listed(&["f3/a.txt", "f3/b.txt", "f3/x/a.txt", "f3/y/a.txt"]);

        assert_eq!(
            file_names("f3/", &objects),
            ["a.txt", "b.txt", "x/a.txt", "y/a.txt"]
        );
        assert_eq!(
            file_names("f3", &objects),
            ["f3/a.txt", "b.txt", "f3/x/a.txt", "f3/y/a.txt"]
        );
        assert_eq!(file_names("f3/b", &listed(&["f3/b.txt"])), ["b.txt"]);
    }

    #[test]
    fn input_is_the_same_only_with_the_same_versions_of_the_same_files() {
        let mut other_version = listed(&["a", "b"]);
        other_version[1].etag = "2".to_owned();

        let digests = [
            digest(&listed(&["a", "b"])),
            digest(&listed(&["ab"])),
            digest(&listed(&["b", "a"])),
            digest(&other_version),
        ];

        assert_eq!(digests[0], digest(&listed(&["a", "b"])));
        for other in &digests[1..] {
            assert_ne!(digests[0], *other);
        }
    }
}
