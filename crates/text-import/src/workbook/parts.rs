//! Parts of a workbook that its reader does not tell: which rows of a sheet are hidden.
//!
//! A workbook is a zip archive of XML files. What is not found, as in archives of the 64-bit kind, is not told.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read},
};

use flate2::read::DeflateDecoder;

/// Largest part that is looked through for names of sheets, in bytes.
const MAX_NAMES: u64 = 4 << 20;

/// First bytes of the end of an archive's directory, of an entry of it, and of the entry's content.
const END: &[u8] = b"PK\x05\x06";
const ENTRY: &[u8] = b"PK\x01\x02";
const CONTENT: &[u8] = b"PK\x03\x04";

/// Returns the numbers of the hidden rows of a sheet, from 1.
pub(super) fn hidden_rows(workbook: &[u8], sheet: &str) -> BTreeSet<u64> {
    let part = path_of(workbook, sheet).and_then(|path| part(workbook, &path));
    part.map(|part| hidden_in(BufReader::new(part)))
        .unwrap_or_default()
}

/// Reads the rows of a sheet's XML up to its end, or to where it is damaged.
fn hidden_in(mut xml: impl BufRead) -> BTreeSet<u64> {
    let mut hidden = BTreeSet::new();
    let (mut before, mut read) = (0, Vec::new());
    while matches!(xml.read_until(b'>', &mut read), Ok(1..)) {
        let begins = read.iter().rposition(|byte| *byte == b'<');
        let tag = begins.and_then(|at| read[at + 1..].strip_prefix(b"row"));
        let tag = tag.filter(|tag| tag.first().is_some_and(|byte| b" \t\r\n>/".contains(byte)));
        if let Some(tag) = tag {
            let tag = String::from_utf8_lossy(tag);
            let number = attribute(&tag, "r").and_then(|number| number.parse().ok());
            before = number.unwrap_or(before + 1);
            if attribute(&tag, "hidden").is_some_and(|hidden| hidden == "1" || hidden == "true") {
                hidden.insert(before);
            }
        }
        read.clear();
    }
    hidden
}

/// Returns the name of the part that holds a sheet.
fn path_of(workbook: &[u8], sheet: &str) -> Option<String> {
    let sheets = names(workbook, "xl/workbook.xml")?;
    let mut tags = sheets.split('<').filter_map(|tag| tag.strip_prefix("sheet "));
    let tag = tags.find(|tag| attribute(tag, "name").as_deref() == Some(sheet))?;
    let id = attribute(tag, "r:id")?;
    let targets = names(workbook, "xl/_rels/workbook.xml.rels")?;
    let mut tags = targets
        .split('<')
        .filter_map(|tag| tag.strip_prefix("Relationship "));
    let tag = tags.find(|tag| attribute(tag, "Id").as_deref() == Some(id.as_str()))?;
    let target = attribute(tag, "Target")?;
    Some(match target.strip_prefix('/') {
        Some(path) => path.to_owned(),
        None => format!("xl/{target}"),
    })
}

fn names(workbook: &[u8], path: &str) -> Option<String> {
    let mut xml = String::new();
    part(workbook, path)?
        .take(MAX_NAMES)
        .read_to_string(&mut xml)
        .ok()?;
    Some(xml)
}

/// Returns the value of an attribute in the inside of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split('>').next()?;
    let mut places = tag.match_indices(name);
    let value = places.find_map(|(at, _)| {
        let is_begun = tag[..at].chars().next_back().is_none_or(char::is_whitespace);
        let value = tag[at + name.len()..]
            .trim_start()
            .strip_prefix('=')?
            .trim_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        value[1..].split(quote).next().filter(|_| is_begun)
    })?;
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ];
    Some(entities.iter().fold(value.to_owned(), |value, (entity, sign)| {
        value.replace(entity, sign)
    }))
}

/// Returns the content of a part.
fn part<'a>(archive: &'a [u8], path: &str) -> Option<Box<dyn Read + 'a>> {
    let end = archive.windows(END.len()).rposition(|bytes| bytes == END)?;
    let mut entry = archive.get(long(archive, end + 16)?..)?;
    while entry.starts_with(ENTRY) {
        let [name, extra, comment] = [28, 30, 32].map(|at| short(entry, at));
        let (name, extra, comment) = (name?, extra?, comment?);
        if entry.get(46..46 + name)? == path.as_bytes() {
            let (size, at) = (long(entry, 20)?, long(entry, 42)?);
            let content = archive.get(at..)?;
            let begin = 30 + short(content, 26)? + short(content, 28)?;
            let content = content.get(begin..begin.checked_add(size)?)?;
            return match short(entry, 10)? {
                _ if !archive.get(at..)?.starts_with(CONTENT) => None,
                0 => Some(Box::new(content)),
                8 => Some(Box::new(DeflateDecoder::new(content))),
                _ => None,
            };
        }
        entry = entry.get(46 + name + extra + comment..)?;
    }
    None
}

fn short(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_le_bytes(bytes).into())
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_rows_are_found_by_their_numbers_and_by_their_order() {
        let xml = r#"<sheetData><row r="2" hidden="1"><c><is><t>a > b</t></is></c></row><row hidden='true'/>
            <row r="7" spans="1:2"/><rowBreaks hidden="1"/><row r="9" ht="0" hidden="0"/></sheetData>"#;

        assert_eq!(hidden_in(xml.as_bytes()), [2, 3].into());
    }

    #[test]
    fn what_is_no_archive_has_no_hidden_rows() {
        for bytes in [
            &b""[..],
            b"PK\x05\x06",
            b"PK\x03\x04 and PK\x05\x06 with no directory behind",
        ] {
            assert_eq!(hidden_rows(bytes, "Sheet1"), BTreeSet::new());
        }
    }
}
