//! Texts that were erased at a person's wish: known by hashes alone, so that nothing brings them back.

mod tasks;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::dataset::{TextId, declared_separator};

pub use tasks::{
    erased_item, holds_erased, is_erased_item, is_name_of_task_text, is_name_of_text, text_of_task,
};

/// Why a text is refused that was erased.
pub const ERASED: &str = "the text was erased at a person's wish and is not taken again";

/// Entry of an object's metadata that says: an erasure has taken texts out of it after it had been worked off, so that the
/// event of its writing is nothing to do.
pub const LEFT_BY_ERASURE: &str = "left-by-erasure";

/// Entry of an object's metadata that says: an erasure has taken texts out of it. So it is another than the one that an event
/// of its writing tells of, and nobody has put a new one in its place.
pub const REWRITTEN_BY_ERASURE: &str = "rewritten-by-erasure";

/// Size of the hash of a text, in bytes.
const ID_BYTES: usize = 16;

/// Tells the hash of a text as it is written from that of a normal form.
const AS_WRITTEN: &[u8] = b"as written\0";

/// The hashes of erased texts, two of each: of its normal form, since another spelling is the same text, and of what is
/// written, since a later version may make another form of it. Lists of earlier versions have the first alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErasedTexts(BTreeSet<TextId>);

impl ErasedTexts {
    /// Reads the content of [`keys::ERASED_TEXTS`](crate::keys::ERASED_TEXTS): hashes of 16 bytes, two a text.
    pub fn read(content: &[u8]) -> Self {
        let ids = content.chunks_exact(ID_BYTES);
        Self(
            ids.filter_map(|id| Some(TextId::from_bytes(*id.first_chunk()?)))
                .collect(),
        )
    }

    /// Writes the object.
    pub fn write(&self) -> Vec<u8> {
        self.0.iter().flat_map(|id| id.to_bytes()).collect()
    }

    /// Adds a text; returns whether it was not there, in whatever spelling.
    pub fn insert(&mut self, text: &str) -> bool {
        self.0.insert(as_written(text));
        self.0.insert(TextId::of(text))
    }

    /// Adds the hashes of another list; returns how many were not there.
    pub fn extend(&mut self, other: &Self) -> usize {
        let before = self.0.len();
        self.0.extend(&other.0);
        self.0.len() - before
    }

    /// Returns whether a text was erased, in whatever spelling.
    pub fn contains(&self, text: &str) -> bool {
        !self.0.is_empty() && (self.0.contains(&TextId::of(text)) || self.0.contains(&as_written(text)))
    }

    /// Returns whether the text of this identity was erased.
    pub fn contains_id(&self, id: TextId) -> bool {
        self.0.contains(&id)
    }

    /// Returns whether nothing was erased.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of hashes.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// Returns the hash of a text as it is written, but for white space around it.
fn as_written(text: &str) -> TextId {
    let hash = Sha256::new().chain_update(AS_WRITTEN).chain_update(text.trim());
    let hash = hash.finalize();
    TextId::from_bytes(*hash.first_chunk().expect("a digest has 32 bytes"))
}

/// Model versions that have learnt from texts which were erased since: the content of
/// [`keys::LEARNT_AND_ERASED`](crate::keys::LEARNT_AND_ERASED).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LearntAndErased {
    /// When rows were erased last, RFC 3339 in UTC.
    pub at: String,
    /// Rows that were erased, by the name of the version that learnt from them.
    pub versions: BTreeMap<String, u64>,
}

impl LearntAndErased {
    /// Returns how many rows of a model were erased since, if any were; the version is the end of its ARN.
    pub fn of_model(&self, model_arn: &str) -> Option<u64> {
        let version = model_arn.rsplit('/').next().unwrap_or_default();
        self.versions.get(version).copied().filter(|rows| *rows > 0)
    }

    /// Says it of a model in a sentence, if it is so.
    pub fn describe(&self, model_arn: &str) -> Option<String> {
        self.of_model(model_arn).map(describe_rows)
    }
}

/// Says in a sentence that a model has learnt from rows that were erased.
pub fn describe_rows(rows: u64) -> String {
    let (rows, were) = match rows {
        1 => ("1 row".to_owned(), "was"),
        rows => (format!("{rows} rows"), "were"),
    };
    format!(
        "it learnt from {rows} that {were} erased since at a person's wish: the next build makes a model without \
         (`active-learning build`)"
    )
}

/// Tells that erasures, or a restore, are under way, during which no build begins: the content of
/// [`keys::ERASING`](crate::keys::ERASING).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasing {
    /// Until when this counts, RFC 3339 in UTC: whoever erases may have been ended.
    pub until: String,
    /// Who holds builds back, each until when; those of the release before are not named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by: BTreeMap<String, String>,
}

impl Erasing {
    /// Holds builds back until a time, for whoever has this name.
    pub fn hold(&mut self, name: &str, until: &str) {
        self.by.insert(name.to_owned(), until.to_owned());
        self.until = self.until.as_str().max(until).to_owned();
    }

    /// Ends one's own hold and no other's. Returns whether somebody else's is left at this time.
    pub fn release(&mut self, name: &str, now: &str) -> bool {
        self.by.remove(name);
        self.by.retain(|_, until| until.as_str() > now);
        self.until = self.by.values().max().map_or(now, String::as_str).to_owned();
        !self.by.is_empty()
    }
}

/// First bytes of what is compressed with gzip. Source: RFC 1952.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Returns a delivered object without the records of erased texts, compressed if it was; `None` where it holds none, or cannot
/// be read.
pub fn without_erased(content: &[u8], erased: &ErasedTexts) -> Option<Vec<u8>> {
    if content.starts_with(&GZIP) {
        let mut plain = Vec::new();
        MultiGzDecoder::new(content).read_to_end(&mut plain).ok()?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&without_erased(&plain, erased)?).ok()?;
        return encoder.finish().ok();
    }
    let mut rest = Vec::with_capacity(content.len());
    let mut has_erased = false;
    let mut values = serde_json::Deserializer::from_slice(content).into_iter::<Value>();
    let mut begin = 0;
    while let Some(value) = values.next() {
        let Ok(value) = value else {
            return lines_without_erased(content, erased);
        };
        let end = values.byte_offset();
        match is_erased_record(&value, erased) {
            true => has_erased = true,
            false => rest.extend_from_slice(&content[begin..end]),
        }
        begin = end;
    }
    rest.extend_from_slice(&content[begin..]);
    has_erased.then_some(rest)
}

/// Does the same line by line: one that is no JSON stays.
fn lines_without_erased(content: &[u8], erased: &ErasedTexts) -> Option<Vec<u8>> {
    let lines = content.split_inclusive(|byte| *byte == b'\n');
    let is_left = |line: &&[u8]| {
        let value = serde_json::from_slice::<Value>(line);
        !value.is_ok_and(|value| is_erased_record(&value, erased))
    };
    let rest: Vec<u8> = lines.filter(is_left).flatten().copied().collect();
    (rest.len() < content.len()).then_some(rest)
}

fn is_erased_record(value: &Value, erased: &ErasedTexts) -> bool {
    let text = value["utterance"].as_str();
    text.is_some_and(|text| erased.contains(text))
}

/// Returns CSV without the rows of which `is_gone` holds for a field, by its place from 0, and their numbers, from 0. The
/// other rows stay as they are, byte by byte; what cannot be cut into rows stays whole. Columns are separated by commas, or by
/// what the first line names.
pub fn rows_without(content: &[u8], is_gone: impl Fn(usize, &str) -> bool) -> (Vec<u8>, Vec<usize>) {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(declared_separator(content).0.unwrap_or(b','))
        .from_reader(content);
    let (mut rest, mut gone) = (Vec::with_capacity(content.len()), Vec::new());
    let (mut row, mut begin) = (csv::ByteRecord::new(), 0);
    for number in 0.. {
        match reader.read_byte_record(&mut row) {
            Ok(true) => {}
            Ok(false) => break,
            Err(_) => return (content.to_vec(), Vec::new()),
        }
        let mut end = usize::try_from(reader.position().byte()).unwrap_or(content.len());
        // The reader leaves the second half of a line end for the next row.
        if content[..end].ends_with(b"\r") && content[end..].starts_with(b"\n") {
            end += 1;
        }
        let mut fields = row.iter().enumerate();
        match fields.any(|(place, field)| is_gone(place, &String::from_utf8_lossy(field))) {
            true => gone.push(number),
            false => rest.extend_from_slice(&content[begin..end]),
        }
        begin = end;
    }
    rest.extend_from_slice(&content[begin..]);
    (rest, gone)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_known_in_every_spelling_by_its_hash_alone() {
        let mut erased = ErasedTexts::default();
        erased.insert("I live in Elm Street");

        let read = ErasedTexts::read(&erased.write());

        assert_eq!(
            (read.len(), erased.write().len()),
            (2, 32),
            "its form, and as it is written"
        );
        assert!(read.contains("  i LIVE in\nElm Street."));
        assert!(!read.contains("I live in Oak Street"));
        assert_eq!(read, erased);
    }

    #[test]
    fn a_text_stays_known_as_it_was_written_when_its_form_has_become_another() {
        let text = "I live in Elm Street";
        let mut erased = ErasedTexts::default();
        erased.insert(text);
        let form = TextId::of(text).to_bytes();

        let of_another_form: Vec<u8> = erased
            .write()
            .chunks_exact(ID_BYTES)
            .filter(|hash| **hash != form)
            .flatten()
            .copied()
            .collect();
        let read = ErasedTexts::read(&of_another_form);
        let of_before = ErasedTexts::read(&form);

        assert!(read.contains(&format!(" {text}\n")) && !read.contains("i live in elm street"));
        assert!(
            of_before.contains("i live in ELM street"),
            "a list of an earlier version"
        );
    }

    #[test]
    fn a_list_that_was_cut_off_keeps_its_whole_hashes() {
        let mut erased = ErasedTexts::default();
        for text in ["a", "b"] {
            erased.insert(text);
        }

        let read = ErasedTexts::read(&erased.write()[..20]);

        assert_eq!(read.len(), 1);
    }

    #[test]
    fn erased_texts_are_taken_out_of_what_was_delivered_and_the_rest_stays_byte_by_byte() {
        let mut erased = ErasedTexts::default();
        erased.insert("I live in Elm Street");
        let record = "{\"utterance\": \"Other\" , \"a\":1}";
        let content = format!("{record}\n{{\"utterance\":\"i live in elm street!\"}}\n{record}{record}\n");

        let rest = without_erased(content.as_bytes(), &erased).expect("it holds one");

        assert_eq!(
            String::from_utf8_lossy(&rest),
            format!("{record}\n{record}{record}\n")
        );
        assert_eq!(without_erased(&rest, &erased), None);
        assert_eq!(without_erased(b"no JSON", &erased), None);
    }

    #[test]
    fn a_line_that_is_no_json_keeps_no_erased_text_beside_it() {
        let mut erased = ErasedTexts::default();
        erased.insert("I live in Elm Street");
        let content = "nonsense {\n{\"utterance\":\"I live in Elm Street\"}\n{\"utterance\":\"Other\"}\n";

        let rest = without_erased(content.as_bytes(), &erased).expect("it holds one");

        assert_eq!(
            String::from_utf8_lossy(&rest),
            "nonsense {\n{\"utterance\":\"Other\"}\n"
        );
    }

    #[test]
    fn one_who_holds_builds_back_does_not_end_the_hold_of_another() {
        let mut erasing = Erasing::default();
        erasing.hold("a", "2026-11-29T10:15:00Z");
        erasing.hold("b", "2026-11-29T10:20:00Z");

        let is_held = erasing.release("b", "2026-11-29T10:05:00Z");

        assert!(is_held);
        assert_eq!(erasing.until, "2026-11-29T10:15:00Z");
        assert!(!erasing.release("a", "2026-11-29T10:06:00Z"));
        assert_eq!(erasing.until, "2026-11-29T10:06:00Z");
    }

    #[test]
    fn rows_of_erased_texts_go_and_the_others_stay_byte_by_byte() {
        let content = "World,One\r\nSports,\"A \"\"cup\"\"\nof tea\"\nWorld,\"T\"\"wo\"\nSports,last";

        let (rest, gone) = rows_without(content.as_bytes(), |place, field| {
            place == 1 && field == "A \"cup\"\nof tea"
        });

        assert_eq!(gone, [1]);
        assert_eq!(
            String::from_utf8_lossy(&rest),
            "World,One\r\nWorld,\"T\"\"wo\"\nSports,last"
        );
    }

    #[test]
    fn a_model_is_known_by_the_end_of_its_arn() {
        let learnt = LearntAndErased {
            at: String::new(),
            versions: [("v2".to_owned(), 1), ("v3".to_owned(), 2)].into(),
        };

        let said = learnt.describe("arn:aws:comprehend:r:1:document-classifier/news/version/v3");

        assert!(said.is_some_and(|said| said.contains("2 rows that were erased")));
        assert_eq!(learnt.of_model("arn/v1"), None);
    }

    proptest! {
        #[test]
        fn lists_are_read_as_they_were_written(texts in prop::collection::vec(".{0,20}", 0..20)) {
            let mut erased = ErasedTexts::default();
            for text in &texts {
                erased.insert(text);
            }

            let read = ErasedTexts::read(&erased.write());

            prop_assert!(texts.iter().all(|text| read.contains(text)));
            prop_assert_eq!(read, erased);
        }
    }
}
