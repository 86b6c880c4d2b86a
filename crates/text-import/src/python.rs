//! The notation of Python, as `str(…)` and `print` write it, and that of JavaScript: no formats, though they look like JSON.

/// Lines that are looked at.
const LOOKED_AT: usize = 50;

/// What such a file is.
pub(crate) const WHAT: &str = "in Python's notation, or in JavaScript's";
/// What to do about it.
pub(crate) const ADVICE: &str = "write it as JSON or JSON Lines, such as by json.dumps(…), or as CSV";

/// Returns whether a file is a value of a program, or one a line: `{'text': '…'}`, `('…', '…')`, `['…', '…']`, `{text: "…"}`.
pub(crate) fn is_one(sample: &[u8]) -> bool {
    let lines = sample
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .map(<[u8]>::trim_ascii);
    let (mut values, mut all) = (0, 0);
    for line in lines.filter(|line| !line.is_empty()).take(LOOKED_AT) {
        all += 1;
        values += usize::from(is_value(line));
    }
    2 * values > all || begins_with_a_name(sample.trim_ascii_start())
}

/// Returns whether a line is an object, a list or a tuple whose first text stands in single quotes, or a tuple of texts.
fn is_value(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let line = line.strip_suffix(b",").unwrap_or(line);
    let inside = line.get(1..).map(<[u8]>::trim_ascii_start).unwrap_or_default();
    let quote = inside.first().copied().unwrap_or_default();
    let ends = |end: u8| line.len() > 3 && line.ends_with(&[end]);
    // What a tuple holds is set apart by a comma, behind a quote.
    let has_comma = || inside.windows(2).any(|pair| pair == [quote, b',']);
    match (line.first(), quote) {
        (Some(b'{'), b'\'') => ends(b'}') && begins_with_a_name(line),
        (Some(b'{'), _) => ends(b'}') && begins_with_a_bare_name(inside),
        (Some(b'['), b'\'') => ends(b']') && has_comma(),
        (Some(b'('), b'\'' | b'"') => ends(b')') && has_comma(),
        (Some(b'['), b'{' | b'(' | b'[') => is_value_within(inside),
        _ => false,
    }
}

/// Returns whether a name stands here as JavaScript writes it, with a text behind it: `text: "…"`.
fn begins_with_a_bare_name(inside: &[u8]) -> bool {
    let is_letter = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
    let length = inside.iter().take_while(is_letter).count();
    let value = inside[length..].trim_ascii_start().strip_prefix(b":");
    length > 0
        && value.is_some_and(|value| matches!(value.trim_ascii_start().first(), Some(b'\'' | b'"' | b'`')))
}

/// Returns whether the first element of a list is written so.
fn is_value_within(inside: &[u8]) -> bool {
    let quote = inside
        .get(1..)
        .map(<[u8]>::trim_ascii_start)
        .and_then(<[u8]>::first);
    match inside.first() {
        Some(b'(') => matches!(quote, Some(b'\'' | b'"')),
        _ => quote == Some(&b'\''),
    }
}

/// Returns whether an object begins here, or a list of such, with the name of a field: `{'text':`.
fn begins_with_a_name(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"[").map_or(text, <[u8]>::trim_ascii_start);
    let name = || {
        let name = text.strip_prefix(b"{")?.trim_ascii_start().strip_prefix(b"'")?;
        let end = name.iter().position(|byte| *byte == b'\'')?;
        Some((&name[..end], name[end + 1..].trim_ascii_start()))
    };
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"_- ".contains(byte);
    name().is_some_and(|(name, after)| {
        !name.is_empty() && name.iter().all(is_letter) && after.starts_with(b":")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_python_are_told_from_texts_and_columns() {
        for content in [
            "{'text': 'My box is lost', 'label': 'Billing'}\n{'text': \"It's late\", 'label': 'Delivery'}\n",
            "{'text': 'one'},\n{'text': 'two'},\n",
            "[{'text': 'one', 'label': 'a'}, {'text': 'two', 'label': 'b'}]\n",
            "[{'text': 'one',\n  'label': 'a'},\n {'text': 'two',\n  'label': 'b'}]\n",
            "('My box is lost', 'Billing')\n(\"It's late\", 'Delivery')\n",
            "[('one', 'a'), ('two', 'b')]\n",
            "['one', 'a']\n['two', 'b']\n",
            "[['one', 'a'], ['two', 'b']]\n",
            "text\n{'text': 'one'}\n{'text': 'two'}\n",
            "{text: \"one\", label: \"a\"}\n{text: \"two\", label: \"b\"}\n",
        ] {
            assert!(is_one(content.as_bytes()), "{content}");
        }
        for content in [
            "",
            "{curly} brackets\n",
            "{name}, where is my box?\n{name}: it is lost\n",
            "['a', 'b']\tone text\n['c']\tanother text\n",
            "('t Hooft) said so\n('twas) late\n",
            "['urgent'] My box is lost\n['urgent'] Where is it\n",
            "One text\n{'text': 'one'}\nAnother text\n",
            "{\"text\": \"one\"}\n",
            "(\"quoted\") and more\n(\"quoted\")\n",
        ] {
            assert!(!is_one(content.as_bytes()), "{content}");
        }
    }
}
