//! Files of each kind, as people and tools write them.

use text_import::{Import, Options, read};

fn import(content: impl AsRef<[u8]>) -> Import {
    read(content.as_ref(), &Options::default()).expect("it is read")
}

#[test]
fn a_csv_is_read() {
    let import = import("label,text\nA,one\n");
    assert_eq!(import.rows.len(), 1, "{import:?}");
}
