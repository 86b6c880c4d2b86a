//! Numbers as they are sent: a document in memory writes `1.10` as `1.1`, and loses an id of thirty digits.

use serde_json::Value;

/// Returns whether a document in memory writes every number of a JSON text as it stands there.
pub(crate) fn are_kept(json: &str) -> bool {
    let mut rest = json.as_bytes();
    while let [first, others @ ..] = rest {
        rest = match first {
            b'"' => behind_string(others),
            b'-' | b'0'..=b'9' => {
                let end = rest.iter().position(|byte| !is_of_number(*byte));
                let (number, behind) = rest.split_at(end.unwrap_or(rest.len()));
                if !is_kept(number) {
                    return false;
                }
                behind
            }
            _ => others,
        };
    }
    true
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
}

fn is_kept(number: &[u8]) -> bool {
    let read: Option<Value> = serde_json::from_slice(number).ok();
    read.is_some_and(|read| read.to_string().as_bytes() == number)
}

/// Returns what stands behind a string, of which the first quote was read.
fn behind_string(json: &[u8]) -> &[u8] {
    let mut is_escaped = false;
    let end = json.iter().position(|byte| match (is_escaped, byte) {
        (true, _) => {
            is_escaped = false;
            false
        }
        (false, b'\\') => {
            is_escaped = true;
            false
        }
        (false, byte) => *byte == b'"',
    });
    end.map_or(&[], |end| &json[end + 1..])
}

#[cfg(test)]
mod tests {
    use super::are_kept;

    #[test]
    fn numbers_that_would_be_written_otherwise_are_found_and_digits_of_texts_are_none() {
        for kept in [
            r#"{"a": 1, "b": -2.5, "c": [1.0, 18446744073709551615]}"#,
            r#"{"id 1.10": "1.10 and \"1e2\\", "b": null}"#,
            "{}",
        ] {
            assert!(are_kept(kept), "{kept}");
        }
        for lost in [
            "1.10",
            "1e2",
            "-0",
            "18446744073709551616",
            "0.30000000000000004440",
        ] {
            let json = format!(r#"{{"t": "\\", "in": [{{"n": {lost}}}]}}"#);
            assert!(!are_kept(&json), "{json}");
        }
    }
}
