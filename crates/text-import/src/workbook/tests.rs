use super::*;

/// Rows of a label and a text, from row 1.
fn rows(labels: &[&str]) -> Vec<(u64, Vec<String>)> {
    let text = |number: u64| format!("I cannot log in on day {number}");
    let row = |(number, label): (u64, &&str)| (number, vec![(*label).to_owned(), text(number)]);
    (1..).zip(labels).map(row).collect()
}

fn labels(rows: &[(u64, Vec<String>)]) -> Vec<&str> {
    rows.iter().map(|(_, cells)| cells[0].as_str()).collect()
}

/// A merged cell of the first column, from one row to another, from 1.
fn merged(first: u32, last: u32) -> Dimensions {
    Dimensions::new((first - 1, 0), (last - 1, 0))
}

#[test]
fn of_merged_cells_that_lie_over_one_another_the_first_counts() {
    let mut rows = rows(&["label", "Billing", "", "Login", "", "Other", ""]);
    rows[0].1[1] = "text".to_owned();

    let filled = fill_merged(&[merged(6, 7), merged(4, 5), merged(2, 5)], &mut rows, MAX_MERGED);

    assert_eq!(filled.ok(), Some(BTreeSet::from([3, 5, 7])));
    assert_eq!(
        labels(&rows),
        [
            "label", "Billing", "Billing", "Login", "Billing", "Other", "Other"
        ]
    );
}

#[test]
fn merged_cells_whose_values_would_fill_the_memory_refuse_the_workbook() {
    let long = "x".repeat(1_000);
    let mut rows = rows(&["Billing", &long, "", "", ""]);

    let filled = fill_merged(&[merged(2, 5)], &mut rows, 3_000);

    assert!(matches!(filled, Err(Refusal::Format { .. })));
}

#[test]
fn a_merged_cell_of_the_first_row_stands_for_its_rows_unless_it_names_the_column() {
    let mut without_names = rows(&["Billing", "", "Login", ""]);
    let mut with_names = rows(&["label", "", "Login", ""]);
    with_names[0].1[1] = "text".to_owned();

    let filled =
        [&mut without_names, &mut with_names].map(|rows| fill_merged(&[merged(1, 2)], rows, MAX_MERGED).ok());

    assert_eq!(filled, [Some(BTreeSet::from([2])), Some(BTreeSet::new())]);
    assert_eq!(labels(&without_names), ["Billing", "Billing", "Login", ""]);
    assert_eq!(labels(&with_names), ["label", "", "Login", ""]);
}

#[test]
fn a_workbook_that_unpacks_to_more_than_its_directory_tells_is_refused() {
    let mut sheet = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut sheet, &vec![b'a'; 2 << 20]).expect("memory");
    let sheet = sheet.finish().expect("memory");
    let name = b"xl/worksheets/sheet1.xml";
    // Version, flags, method, time, date and checksum; its packed size is right, the other is not.
    let packed = u32::try_from(sheet.len()).expect("small").to_le_bytes();
    let head = [
        &[20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &packed,
        &[100, 0, 0, 0, name.len() as u8, 0, 0, 0],
    ]
    .concat();
    let archive = [
        b"PK\x03\x04",
        &head[..],
        name,
        &sheet,
        b"PK\x01\x02\x14\0",
        &head,
        &[0; 14],
        name,
    ]
    .concat();
    let read = |unpacked| {
        let limits = Limits {
            bytes: 1 << 20,
            unpacked,
        };
        bytes(archive.as_slice(), limits)
    };

    assert!(unpacked_bytes(&archive) <= 100);
    assert!(matches!(
        read(1 << 20),
        Err(OpenError::Refused(Refusal::Format { .. }))
    ));
    assert!(read(3 << 20).is_ok());
}

#[test]
fn an_archive_whose_parts_lie_in_one_another_is_found_to_be_too_large() {
    // Blocks that unpack to nothing, which all parts have in common.
    let blocks = [0, 0, 0, 0xff, 0xff].repeat(2_000);
    let archive = |parts: usize| {
        let heads = (0..parts).flat_map(|part| {
            let after = u16::try_from((parts - 1 - part) * 30)
                .expect("small")
                .to_le_bytes();
            let mut head = [0; 30];
            head[..4].copy_from_slice(b"PK\x03\x04");
            head[28..].copy_from_slice(&after);
            head
        });
        heads.chain(blocks.iter().copied()).collect::<Vec<u8>>()
    };

    let found = [1, 100].map(|parts| inflates_beyond(&archive(parts), 1 << 20));

    assert_eq!(found, [false, true]);
}
