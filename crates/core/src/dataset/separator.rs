//! The first line by which a spreadsheet says what separates the columns: `sep=;`.

/// Returns what the first line of a table names as the separator of its columns, and the content behind that line; all of it
/// where it names none.
///
/// The line may be quoted, and padded with separators to the width of the table.
pub fn declared_separator(content: &[u8]) -> (Option<u8>, &[u8]) {
    let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let end = content.iter().position(is_break).unwrap_or(content.len());
    let (line, rest) = content.split_at(end);
    match separator(line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)) {
        Some(separator) => (Some(separator), rest),
        None => (None, content),
    }
}

fn separator(line: &[u8]) -> Option<u8> {
    // A tab, which is white space, is what counts.
    let line = line.strip_suffix(b" ").unwrap_or(line);
    let unquoted = line.strip_prefix(b"\"").map(|line| {
        let end = line.iter().position(|byte| *byte == b'"').unwrap_or(line.len());
        &line[..end]
    });
    let line = unquoted.unwrap_or(line);
    let (start, named) = line.split_at_checked(4)?;
    let (separator, padding) = named.split_first()?;
    let is_sign = !separator.is_ascii_alphanumeric() && !matches!(separator, b'"' | b'\\' | b' ' | b'=');
    let is_declared = start.eq_ignore_ascii_case(b"sep=") && is_sign && separator.is_ascii();
    (is_declared && padding.iter().all(|byte| byte == separator)).then_some(*separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_what_the_first_line_names_and_that_line_is_no_row() {
        for (content, separator) in [
            ("sep=;\nWorld;one\n", b';'),
            ("\u{feff}SEP=,\r\nWorld,one\r\n", b','),
            ("\"sep=;\"\nWorld;one\n", b';'),
            ("\"sep=;\";\nWorld;one\n", b';'),
            ("sep=;;\nWorld;one\n", b';'),
            ("sep=\t\nWorld\tone\n", b'\t'),
            ("sep=| \nWorld|one\n", b'|'),
        ] {
            let (found, rest) = declared_separator(content.as_bytes());
            assert_eq!(found, Some(separator), "{content}");
            assert!(rest.trim_ascii().starts_with(b"World"), "{content}");
        }
    }

    #[test]
    fn what_names_none_is_a_row() {
        for content in [
            "sep=\nx",
            "sep=ab,one\n",
            "World,one\n",
            "sep=;x\n",
            "sep=a\n",
            "",
            "se",
        ] {
            assert_eq!(declared_separator(content.as_bytes()), (None, content.as_bytes()));
        }
    }
}
