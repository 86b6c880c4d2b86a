//! What is inside workbooks: their parts are changed, not the archive around them, whose checksums hide the rest.

use active_learning_core::MAX_UTTERANCE_BYTES;
use fuzz::fuzz;

/// Between two parts of a workbook.
const MARK: &str = "\n===\n";

/// The parts of an `.xlsx` that say the same each time.
const FIXED: [(&str, &str); 3] = [
    (
        "[Content_Types].xml",
        r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml"
ContentType="application/xml"/><Override PartName="/xl/workbook.xml"
ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>"#,
    ),
    (
        "_rels/.rels",
        r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1"
Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#,
    ),
    (
        "xl/_rels/workbook.xml.rels",
        r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1"
Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship
Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/>
<Relationship Id="rId3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/>
</Relationships>"#,
    ),
];

/// Sheet, shared strings, workbook and styles, in this order.
const CHANGED: [&str; 4] = [
    "xl/worksheets/sheet1.xml",
    "xl/sharedStrings.xml",
    "xl/workbook.xml",
    "xl/styles.xml",
];

const SHEETS: &[&[u8]] = &[br#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:C4"/><cols>
<col min="3" max="3" hidden="1"/></cols><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr"><is><t>label</t></is></c>
</row><row r="2" hidden="1"><c r="A2" t="s"><v>1</v></c><c r="B2" t="str"><f>"A"</f><v>A</v></c></row><row r="3"><c r="A3" t="s"><v>1</v></c>
<c r="B3" s="1"><v>45000.5</v></c></row><row r="4"><c r="A4" t="e"><v>#N/A</v></c><c r="B4" t="b"><v>1</v></c></row></sheetData>
<mergeCells count="1"><mergeCell ref="B2:B3"/></mergeCells></worksheet>
===
<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" count="2" uniqueCount="2"><si><t>text</t></si><si><r><t>Where is
</t></r><r><t xml:space="preserve"> my parcel?_x000D_</t></r></si></sst>
===
<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"
xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><workbookPr date1904="0"/><sheets><sheet name="Texts" sheetId="1"
r:id="rId1" state="visible"/></sheets></workbook>
===
<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><numFmts count="1"><numFmt numFmtId="164"
formatCode="yyyy-mm-dd"/></numFmts><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs></styleSheet>"#];

#[test]
fn the_parts_of_a_workbook_give_texts_of_bounded_length_or_a_reason() {
    let read = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let changed = CHANGED.into_iter().zip(text.split(MARK));
        let parts: Vec<_> = FIXED.into_iter().chain(changed).collect();
        text_import::read(&archive(&parts), &text_import::Options::default())
    };
    let import = read(SHEETS[0]).expect("a workbook");
    assert!(import.rows[0].text.starts_with("Where is"), "{import:?}");
    fuzz(SHEETS, |bytes| hold(read(bytes)));
}

const SPREADSHEETS: &[&[u8]] = &[br#"application/vnd.oasis.opendocument.spreadsheet
===
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
office:version="1.2"><office:body><office:spreadsheet><table:table table:name="Texts"><table:table-column
table:number-columns-repeated="2"/><table:table-row><table:table-cell office:value-type="string"><text:p>text</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p>label</text:p></table:table-cell></table:table-row><table:table-row
table:number-rows-repeated="2"><table:table-cell office:value-type="string"><text:p>Where<text:s text:c="2"/>is it?</text:p><text:p>b</text:p>
</table:table-cell><table:covered-table-cell/><table:table-cell office:value-type="float" office:value="1.5"
table:number-columns-repeated="1000"/></table:table-row></table:table></office:spreadsheet></office:body></office:document-content>"#];

#[test]
fn the_parts_of_an_open_document_give_texts_of_bounded_length_or_a_reason() {
    const MANIFEST: &str = r#"<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
manifest:version="1.2"><manifest:file-entry manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/>
<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>"#;
    fuzz(SPREADSHEETS, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let (kind, content) = text.split_once(MARK).unwrap_or((&text, ""));
        let parts = [
            ("mimetype", kind),
            ("content.xml", content),
            ("META-INF/manifest.xml", MANIFEST),
        ];
        hold(text_import::read(
            &archive(&parts),
            &text_import::Options::default(),
        ));
    });
}

fn hold(read: Result<text_import::Import, text_import::Refusal>) {
    match read {
        Ok(import) => {
            for row in &import.rows {
                assert!(!row.text.trim().is_empty() && row.text.len() <= MAX_UTTERANCE_BYTES);
            }
        }
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
}

/// Makes a zip archive of files that are not compressed.
///
/// Source: PKWARE, "APPNOTE.TXT, .ZIP File Format Specification", sections 4.3.7, 4.3.12 and 4.3.16.
fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in files {
        let at = length(&bytes);
        let mut entry = Vec::new();
        // Version, flags, method, time and date.
        for word in [20_u16, 0, 0, 0, 0x21] {
            entry.extend(word.to_le_bytes());
        }
        let size = length(content.as_bytes());
        for number in [crc32fast::hash(content.as_bytes()), size, size] {
            entry.extend(number.to_le_bytes());
        }
        entry.extend(u16::try_from(name.len()).expect("a short name").to_le_bytes());
        entry.extend([0, 0]);
        bytes.extend(
            [
                b"PK\x03\x04".as_slice(),
                &entry,
                name.as_bytes(),
                content.as_bytes(),
            ]
            .concat(),
        );
        // Length of the comment, disk, and attributes.
        directory.extend([b"PK\x01\x02\x14\0".as_slice(), &entry, &[0; 10]].concat());
        directory.extend([at.to_le_bytes().as_slice(), name.as_bytes()].concat());
    }
    let count = u16::try_from(files.len()).expect("few files").to_le_bytes();
    let (at, size) = (length(&bytes).to_le_bytes(), length(&directory).to_le_bytes());
    bytes.extend(directory);
    bytes.extend(
        [
            b"PK\x05\x06\0\0\0\0".as_slice(),
            &count,
            &count,
            &size,
            &at,
            &[0, 0],
        ]
        .concat(),
    );
    bytes
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a small file")
}
