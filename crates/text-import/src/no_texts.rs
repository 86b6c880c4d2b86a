//! Files whose lines could be read as texts and hold none, or hold texts with something between their words: a table of R with
//! spaces between its columns, annotations of brat, words with a tag each, what Amazon Comprehend answers, YAML, XML.

pub(crate) mod data_sets;

use serde_json::Value;

use crate::names::is_plain_text_name;

/// Lines that are looked at.
const LOOKED_AT: usize = 200;
/// Lines from which words with tags are told.
const MIN_WORDS: usize = 3;
/// Longest tag of a word, in characters.
const MAX_TAG: usize = 40;

/// What a file is, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoTexts {
    pub what: &'static str,
    pub advice: &'static str,
}

const OF_R: NoTexts = NoTexts {
    what: "a table of R with spaces between its columns",
    advice: "write it by write.csv(…, row.names = FALSE)",
};
const OF_BRAT: NoTexts = NoTexts {
    what: "a file of annotations of brat, which mark parts of a text",
    advice: "give the texts, with a label for the whole of each where there is one",
};
const OF_WORDS: NoTexts = NoTexts {
    what: "a file of words with a tag each, as of CoNLL",
    advice: "give whole texts, one a line, or with a label in a column of its own",
};
const OF_COMPREHEND: NoTexts = NoTexts {
    what: "the answer of Amazon Comprehend, which names a file and a line of each text and does not hold them",
    advice: "give the texts that were classified",
};

const OF_YAML: NoTexts = NoTexts {
    what: "YAML",
    advice: "give JSON Lines, or columns with their names in the first line",
};
const OF_XML: NoTexts = NoTexts {
    what: "XML",
    advice: "give JSON Lines, or columns with their names in the first line",
};

const OF_TOML: NoTexts = NoTexts {
    what: "a file of names and values, as TOML or INI",
    advice: "give JSON Lines, or columns with their names in the first line",
};
const OF_SQL: NoTexts = NoTexts {
    what: "statements of SQL",
    advice: "export the table as CSV",
};

/// Elements of HTML that texts are marked up with.
const OF_TEXTS: [&str; 14] = [
    "a",
    "b",
    "blockquote",
    "br",
    "code",
    "div",
    "em",
    "font",
    "i",
    "p",
    "pre",
    "span",
    "strong",
    "u",
];

/// Tells such a file by its beginning.
pub(crate) fn found(sample: &[u8], is_whole: bool) -> Option<NoTexts> {
    let sample = String::from_utf8_lossy(sample);
    let mut lines: Vec<&str> = sample.split(['\n', '\r']).map(str::trim_end).collect();
    if !is_whole {
        lines.pop();
    }
    lines.retain(|line| !line.is_empty());
    lines.truncate(LOOKED_AT);
    match &lines[..] {
        [] => None,
        lines if is_of_r(lines) => Some(OF_R),
        lines if is_of_brat(lines) => Some(OF_BRAT),
        lines if are_words(lines) => Some(OF_WORDS),
        [first, ..] if is_of_comprehend(first) => Some(OF_COMPREHEND),
        lines if is_yaml(lines) => Some(OF_YAML),
        lines if is_nested_yaml(lines) => Some(OF_YAML),
        lines if is_xml(lines, is_whole) => Some(OF_XML),
        lines if is_toml(lines) => Some(OF_TOML),
        lines if is_sql(lines) => Some(OF_SQL),
        lines => data_sets::of_lines(lines),
    }
}

/// Returns whether each line has cells in quotes with a space between them, those of the first line one less or as many.
fn is_of_r(lines: &[&str]) -> bool {
    let [header, rows @ ..] = lines else { return false };
    let Some(names) = cells_of_r(header).filter(|_| !rows.is_empty()) else {
        return false;
    };
    let columns = |row: &&str| cells_of_r(row);
    let Some(first) = rows.first().and_then(columns) else {
        return false;
    };
    let has_names = names == first || names + 1 == first;
    first > 1 && has_names && rows.iter().all(|row| columns(row) == Some(first))
}

/// Counts the cells of a line as R writes them: in quotes, or numbers and missing values without.
fn cells_of_r(line: &str) -> Option<usize> {
    let (mut rest, mut cells, mut quoted) = (line, 0, 0);
    while !rest.is_empty() {
        let end = match rest.strip_prefix('"') {
            Some(inside) => {
                quoted += 1;
                end_of_quoted(inside)? + 2
            }
            None => {
                let end = rest.find(' ').unwrap_or(rest.len());
                let cell = &rest[..end];
                let is_word = matches!(cell, "NA" | "TRUE" | "FALSE" | "NaN" | "Inf" | "-Inf");
                (is_word || cell.parse::<f64>().is_ok()).then_some(end)?
            }
        };
        cells += 1;
        rest = match &rest[end..] {
            "" => "",
            behind => behind.strip_prefix(' ').filter(|next| !next.is_empty())?,
        };
    }
    (quoted > 0).then_some(cells)
}

/// Returns where a cell ends, before its quote; a quote within it stands behind a backslash.
fn end_of_quoted(inside: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(at),
            _ => {}
        }
    }
    None
}

/// Returns whether each line is an annotation, such as `T1⇥Person 0 5⇥Alice`, and one of them marks a part.
fn is_of_brat(lines: &[&str]) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_annotation = |line: &&str| {
        let Some((id, _)) = line.split_once('\t') else {
            return false;
        };
        let number = id.strip_prefix(['T', 'R', 'E', 'A', 'M', 'N', '#']);
        id == "*" || number.is_some_and(is_number)
    };
    let marks_part = |line: &&str| {
        let mut cells = line.split('\t');
        let is_mark = cells.next().is_some_and(|id| id.starts_with('T'));
        let places: Vec<&str> = cells.next().unwrap_or_default().split([' ', ';']).collect();
        is_mark && places.len() > 2 && places[1..].iter().all(|place| is_number(place))
    };
    lines.iter().all(is_annotation) && lines.iter().any(marks_part)
}

/// Returns whether each line is a word, with columns behind it of which the last one is its tag: `O`, `B-LOC`.
fn are_words(lines: &[&str]) -> bool {
    let is_word = |line: &&&str| !line.starts_with("-DOCSTART-") && !line.starts_with("# ");
    let tags: Vec<Option<&str>> = lines.iter().filter(is_word).map(|line| tag(line)).collect();
    tags.len() >= MIN_WORDS
        && tags.iter().all(Option::is_some)
        && tags.iter().flatten().any(|tag| *tag != "O")
}

/// Returns the tag at the end of a line, if there is one.
fn tag(line: &str) -> Option<&str> {
    let mut cells = line.split([' ', '\t']);
    let last = cells.next_back()?;
    let name = ["B-", "I-", "E-", "S-", "L-", "U-"]
        .iter()
        .find_map(|place| last.strip_prefix(place));
    let is_name = |name: &str| {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        !name.is_empty() && name.chars().count() <= MAX_TAG && name.chars().all(is_part)
    };
    let is_tag = last == "O" || name.is_some_and(is_name);
    (is_tag && cells.next().is_some_and(|word| !word.is_empty())).then_some(last)
}

/// Returns whether each line is a member with its name, of a list or not, and one of the names is that of a text.
fn is_yaml(lines: &[&str]) -> bool {
    let members = lines.iter().filter(|line| **line != "---");
    let names: Option<Vec<&str>> = members.map(|line| Some(member(line)?.0)).collect();
    names.is_some_and(|names| names.len() > 1 && names.iter().any(|name| is_plain_text_name(name)))
}

/// Returns the name and the value of a member of YAML: `- intent: greet`.
fn member(line: &str) -> Option<(&str, &str)> {
    let member = line.trim_start();
    let member = member.strip_prefix("- ").unwrap_or(member).trim_start();
    let (name, value) = member.split_once(':')?;
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let is_name = !name.is_empty() && name.chars().all(is_part);
    (is_name && (value.is_empty() || value.starts_with(' '))).then(|| (name, value.trim()))
}

/// Returns whether each line is a member with its name, an element of a list, a comment, or stands within the one above it, as
/// Rasa writes its examples; and a member has what stands below it for its value.
fn is_nested_yaml(lines: &[&str]) -> bool {
    let content = lines.iter().filter(|line| {
        !line.trim_start().starts_with('#') && !matches!(line.trim_end(), "---" | "..." | "%YAML 1.2")
    });
    let Some(first) = content.clone().next() else {
        return false;
    };
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_within = |line: &str| indent(line) > 0;
    let is_element = |line: &str| line.trim_start().starts_with("- ") || line.trim() == "-";
    let opens = |line: &str| {
        member(line).is_some_and(|(_, value)| matches!(value, "" | "|" | ">" | "|-" | ">-" | "|+"))
    };
    let pairs = || content.clone().zip(content.clone().skip(1));
    let goes_below = |one: &str, next: &str| opens(one) && (indent(next) > indent(one) || is_element(next));
    // `Hello:` above a list is a text like any other: two levels, or a member within a list, are none.
    let has_depth = || {
        let is_member_of_list = |line: &str| is_element(line) && member(line).is_some();
        content.clone().any(|line| is_member_of_list(line))
            || pairs().filter(|(one, next)| goes_below(one, next)).count() > 1
    };
    member(first).is_some()
        && pairs().any(|(one, next)| goes_below(one, next))
        && has_depth()
        && content
            .clone()
            .all(|line| member(line).is_some() || is_element(line) || is_within(line))
}

/// Returns whether each line is a section in brackets or a name with its value behind `=`, and one of each is there.
fn is_toml(lines: &[&str]) -> bool {
    let is_section = |line: &str| {
        let inside = line.strip_prefix('[').and_then(|line| line.strip_suffix(']'));
        inside.is_some_and(|name| !name.is_empty() && !name.contains([',', '"', '\'']))
    };
    let is_value = |line: &str| {
        let name = line.split_once('=').map(|(name, _)| name.trim());
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        name.is_some_and(|name| !name.is_empty() && name.chars().all(is_part))
    };
    let content = || {
        let lines = lines.iter().map(|line| line.trim());
        lines.filter(|line| !line.starts_with(['#', ';']))
    };
    content().any(is_section)
        && content().any(is_value)
        && content().all(|line| is_section(line) || is_value(line))
}

/// Returns whether a line puts rows into a table, in the words of SQL.
fn is_sql(lines: &[&str]) -> bool {
    let begins = |line: &str, words: &str| {
        line.get(..words.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(words))
    };
    // People write of it too: rows stand in parentheses, there or below.
    let has_rows = |line: &str| {
        let line = line.to_ascii_lowercase();
        let below = || lines.iter().any(|line| line.trim_start().starts_with('('));
        let mut after = line.split("values").skip(1).map(str::trim_start);
        after.any(|after| after.starts_with('(') || after.is_empty() && below())
    };
    let inserts = |line: &&&str| begins(line, "insert into ") && has_rows(line);
    let is_of_sql = |line: &&str| {
        [
            "insert into ",
            "create table ",
            "drop table ",
            "set ",
            "--",
            "/*",
            "use ",
            "(",
        ]
        .iter()
        .any(|words| begins(line, words))
    };
    lines.iter().any(|line| inserts(&line)) && lines.first().is_some_and(is_of_sql)
}

/// Returns whether all stands within one element, other than those that texts are marked up with.
fn is_xml(lines: &[&str], is_whole: bool) -> bool {
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
        return false;
    };
    let Some(tag) = first.trim_start().strip_prefix('<') else {
        return false;
    };
    let end = tag.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '.')));
    let name = &tag[..end.unwrap_or(tag.len())];
    let is_text = OF_TEXTS.contains(&name.to_ascii_lowercase().as_str());
    let is_open = tag[name.len()..].starts_with(['>', ' ']) && tag.contains('>');
    let is_closed = last.trim_end().ends_with(&format!("</{name}>"));
    let begins_alone = tag
        .split_once('>')
        .is_some_and(|(_, behind)| behind.trim_start().is_empty());
    name.starts_with(|c: char| c.is_alphabetic())
        && is_open
        && !is_text
        && if is_whole { is_closed } else { begins_alone }
}

fn is_of_comprehend(line: &str) -> bool {
    let value: Option<Value> = serde_json::from_str(line).ok();
    value.is_some_and(|value| {
        let has = |name: &str| value.get(name).is_some();
        let has_list = |name: &str| value.get(name).is_some_and(Value::is_array);
        has("File") && has("Line") && (has_list("Classes") || has_list("Labels"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(content: &str) -> Option<NoTexts> {
        found(content.as_bytes(), true)
    }

    #[test]
    fn files_of_tools_whose_lines_are_no_texts_are_told() {
        for (content, expected) in [
            (
                "\"text\" \"label\"\n\"1\" \"It is \\\"late\\\" again\" \"Delivery\"\n\"2\" \"No invoice\" NA\n",
                OF_R,
            ),
            ("\"label\" \"n\"\r\n\"Delivery\" 1\r\n\"Billing\" 2.5\r\n", OF_R),
            (
                "T1\tPerson 0 5\tAlice\nT2\tPlace 9 14;20 24\tParis\nA1\tNegation T1\n",
                OF_BRAT,
            ),
            (
                "-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\nGerman JJ B-NP B-MISC\n",
                OF_WORDS,
            ),
            ("Alice\tB-PER\nis\tO\nhere\tO\n", OF_WORDS),
            (
                "{\"File\": \"f.txt\", \"Line\": \"0\", \"Classes\": [{\"Name\": \"A\", \"Score\": 0.9}]}\n",
                OF_COMPREHEND,
            ),
            (
                "- sentence: It is late\n  label: Delivery\n- sentence: No: never\n",
                OF_YAML,
            ),
            ("---\ntext: It is late\nlabel: Delivery\n", OF_YAML),
            (
                "version: \"3.1\"\n\nnlu:\n- intent: defect\n  examples: |\n    - It leaks from the spout\n    - It is late\n",
                OF_YAML,
            ),
            ("nlu:\n- intent: defect\n  examples: |\n    - It leaks\n", OF_YAML),
            (
                "# texts by label\ndefect:\n  - It leaks\n  - It is broken\nship:\n  - It is late\n",
                OF_YAML,
            ),
            ("[[rows]]\ntext = \"It is late\"\nlabel = \"ship\"\n", OF_TOML),
            ("; texts\n[one]\ntext=It is late\n", OF_TOML),
            ("INSERT INTO t VALUES (1, 'It is late', 'ship');\n", OF_SQL),
            (
                "INSERT INTO `t` (`a`) VALUES\n(1, 'It is late'),\n(2, 'ship');\n",
                OF_SQL,
            ),
            ("<r><s>It is late</s></r>", OF_XML),
            ("<items n=\"2\">\n  <item>It is late</item>\n</items>\n", OF_XML),
        ] {
            assert_eq!(told(content), Some(expected), "{content}");
        }
    }

    #[test]
    fn an_import_refuses_yaml_and_xml_unless_somebody_says_how_it_is_read() {
        let yaml = "- sentence: It is late\n  label: Delivery\n";
        for content in [yaml, "<r><s>It is late</s></r>"] {
            let refused = crate::read(content.as_bytes(), &crate::Options::default());
            let refused = refused.expect_err(content).to_string();
            assert!(refused.contains("give JSON Lines"), "{refused}");
        }
        let as_lines = crate::Options {
            text_column: Some("1".to_owned()),
            ..crate::Options::default()
        };
        let read = crate::read(yaml.as_bytes(), &as_lines).expect("lines of texts");
        assert_eq!(read.rows.len(), 2);
    }

    #[test]
    fn texts_and_tables_that_look_a_little_like_these_are_texts_and_tables() {
        for content in [
            "\"Hello, world\"\n\"Hi, there\"\n",
            "\"text\",\"label\"\n\"It is late\",\"Delivery\"\n",
            "\"Come in\" \"Go away\"\nHe said so.\n",
            "T1\tPerson\tAlice\nT2\tPlace\tParis\n",
            "The result is B-positive\nIt is O\nWe play B-sides\nAnd it goes on.\n",
            "{\"text\": \"one\", \"File\": \"f.txt\"}\n",
            "one\ntwo\n",
            "Subject: it is late\nQuestion: where is it\n",
            "Hello:\n- it is late\n- where is it?\n",
            "[urgent] it is late\nx = y was asked\n",
            "Insert into the slot\nIt is late\n",
            "Set up my account\nINSERT INTO users says wrong values\n",
            "Use of the form fails\nInsert into cart shows values of others\n",
            "text: it is late\nWhere is it?\n",
            "<p>It is <b>late</b></p>\n<p>Where is it?</p>\n",
            "<3 this app\n<rant> it is late\nagain </rant>!\n",
            "",
        ] {
            assert_eq!(told(content), None, "{content}");
        }
    }
}
