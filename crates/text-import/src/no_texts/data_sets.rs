//! Formats of data sets of other programs that hold no texts with labels, or hold them within other words.

use std::collections::BTreeSet;

use serde_json::Value;

use super::NoTexts;
use crate::{
    draft::Fields,
    names::{is_label_name, is_text_name},
    written::PARTS,
};

/// Lines from which labels before texts are told.
const MIN_LINES: usize = 4;

const OF_WEKA: NoTexts = NoTexts {
    what: "an ARFF file of Weka",
    advice: "save it as CSV, as Weka does by \"Save as\" or CSVSaver",
};
const OF_NUMBERS: NoTexts = NoTexts {
    what: "a file of numbers of features, as of LIBSVM or SVMlight, which holds no text",
    advice: "give the texts from which the features were made",
};
const OF_TREC: NoTexts = NoTexts {
    what: "one whose lines begin with a label and a colon within the text, as the questions of TREC",
    advice: "put a tab between label and text, or write both into columns of a CSV",
};
const OF_SQUAD: NoTexts = NoTexts {
    what: "a data set of questions whose answers are parts of a text, as SQuAD",
    advice: "give texts with a label for the whole of each",
};
const OF_SPACY: NoTexts = NoTexts {
    what: "training data of spaCy 2 as documents with paragraphs",
    advice: "write a list for each text, such as [\"It is late\", {\"cats\": {\"Delivery\": 1}}]",
};

const OF_MAIL: NoTexts = NoTexts {
    what: "an e-mail, or a mailbox",
    advice: "give the texts of the messages, one a row",
};
const OF_WEBANNO: NoTexts = NoTexts {
    what: "a WebAnno TSV file of INCEpTION, which marks parts of a text, a word a line",
    advice: "give whole texts, one a line, or with a label in a column of its own",
};
const OF_RASA: NoTexts = NoTexts {
    what: "training data of Rasa in Markdown, whose examples stand below the names of their intents",
    advice: "write each example with its intent into columns of a CSV",
};
const OF_SUBTITLES: NoTexts = NoTexts {
    what: "subtitles, with times between the texts",
    advice: "give the texts, one a line",
};

/// Names of an e-mail's head, in lower case.
const HEAD: [&str; 8] = [
    "from",
    "to",
    "subject",
    "date",
    "received",
    "message-id",
    "mime-version",
    "return-path",
];

/// Tells such a file by its lines.
pub(super) fn of_lines(lines: &[&str]) -> Option<NoTexts> {
    match lines {
        lines if is_of_weka(lines) => Some(OF_WEKA),
        lines if are_features(lines) => Some(OF_NUMBERS),
        [first, ..] if first.starts_with("#FORMAT=WebAnno TSV") => Some(OF_WEBANNO),
        lines if is_of_rasa(lines) => Some(OF_RASA),
        // The texts of a table may begin with anything.
        lines if are_columns(lines) => None,
        lines if begin_with_labels(lines) => Some(OF_TREC),
        lines if is_mail(lines) => Some(OF_MAIL),
        lines if are_subtitles(lines) => Some(OF_SUBTITLES),
        _ => None,
    }
}

/// Returns whether each line has as many signs that stand between columns as the others.
fn are_columns(lines: &[&str]) -> bool {
    [',', ';', '\t'].into_iter().any(|sign| {
        let mut counts = lines.iter().map(|line| line.matches(sign).count());
        let first = counts.next().unwrap_or_default();
        first > 0 && lines.len() > 1 && counts.all(|count| count == first)
    })
}

/// Returns whether lists stand below headings that name intents: `## intent:greet`.
fn is_of_rasa(lines: &[&str]) -> bool {
    let is_part = |line: &&str| line.starts_with("## ") || line.trim_start().starts_with(['-', '*', '<']);
    lines.iter().any(|line| line.starts_with("## intent:")) && lines.iter().all(is_part)
}

/// Tells such a file by an object of it.
pub(crate) fn of_object(fields: &Fields) -> Option<NoTexts> {
    let paragraphs = fields.get("paragraphs").and_then(Value::as_array);
    let some_have = |name: &str| {
        let mut paragraphs = paragraphs.into_iter().flatten();
        paragraphs.any(|paragraph| paragraph.get(name).is_some())
    };
    let has_places = |answers: &Value| {
        let all = answers
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![answers.clone()]);
        all.iter().any(|answer| answer.get("answer_start").is_some())
    };
    let is_flat = || fields.contains_key("context") && fields.get("answers").is_some_and(has_places);
    // A text that has a label of its own is one, whatever stands beside it.
    let has = |is_one: fn(&str) -> bool| {
        let mut fields = fields.iter().filter(|(name, _)| is_one(name));
        fields.any(|(_, value)| value.is_string() || value.is_number() || value.is_boolean())
    };
    if has(is_text_name) && has(is_label_name) {
        return None;
    }
    if some_have("qas") || is_flat() {
        return Some(OF_SQUAD);
    }
    (some_have("sentences") || some_have("cats")).then_some(OF_SPACY)
}

/// Returns why a list with an object in it is no row, where it is known what it is: `["…", {"entities": [[0, 3, "ORG"]]}]`.
pub(crate) fn of_list(values: &[Value]) -> Option<&'static str> {
    let marks = |value: &Value| value.get("entities").is_some_and(Value::is_array);
    values.iter().any(marks).then_some(PARTS)
}

/// Returns whether the first lines are the head of an e-mail: three different names of it, one behind the other.
fn is_mail(lines: &[&str]) -> bool {
    let lines = match lines {
        [first, rest @ ..] if first.starts_with("From ") => rest,
        lines => lines,
    };
    let name = |line: &&str| {
        let (name, _) = line.split_once(": ")?;
        HEAD.iter().position(|known| name.eq_ignore_ascii_case(known))
    };
    // A long value goes on in the next line, behind white space.
    let heads = lines
        .iter()
        .filter(|line| !line.starts_with([' ', '\t']))
        .take(HEAD.len());
    let heads: BTreeSet<usize> = heads.map_while(name).collect();
    heads.len() >= 3
}

/// Returns whether times stand between the texts: `00:00:01,000 --> 00:00:02,000`.
fn are_subtitles(lines: &[&str]) -> bool {
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Its thousandths tell it from a time of day.
    let is_time = |time: &str| {
        let (clock, rest) = time.rsplit_once([',', '.']).unwrap_or_default();
        clock.contains(':') && clock.split(':').all(are_digits) && rest.len() == 3 && are_digits(rest)
    };
    let are_times = |line: &&str| {
        let times = line.split_once(" --> ");
        // Where the text stands on the screen may be said behind them.
        times.is_some_and(|(from, to)| {
            is_time(from.trim()) && to.split_whitespace().next().is_some_and(is_time)
        })
    };
    lines.iter().take(3).any(are_times)
}

/// Returns whether a file names its relation and its attributes.
fn is_of_weka(lines: &[&str]) -> bool {
    let begins = |line: &str, word: &str| {
        let start = line.trim_start().get(..word.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let mut content = lines.iter().filter(|line| !line.trim_start().starts_with('%'));
    content.next().is_some_and(|first| begins(first, "@relation"))
        && lines
            .iter()
            .any(|line| begins(line, "@attribute") || begins(line, "@data"))
}

/// Returns whether each line is a label in numbers and numbered features: `-1 3:0.5 7:1`.
fn are_features(lines: &[&str]) -> bool {
    let is_number = |word: &str| word.parse::<f64>().is_ok();
    let is_feature = |word: &str| {
        let (index, value) = word.split_once(':').unwrap_or_default();
        (index == "qid" || !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()))
            && is_number(value)
    };
    let is_row = |line: &&str| {
        let line = line.split_once('#').map_or(*line, |(row, _)| row);
        let mut words = line.split_whitespace();
        let mut labels = words.next().unwrap_or_default().split(',');
        let features: Vec<&str> = words.collect();
        labels.all(is_number) && !features.is_empty() && features.into_iter().all(is_feature)
    };
    let mut rows = lines.iter().filter(|line| !line.starts_with('#')).peekable();
    rows.peek().is_some() && lines.len() > 1 && rows.all(is_row)
}

/// Returns whether each line begins with one of few labels, with a colon and a finer one behind it: `DESC:manner How did …`.
fn begin_with_labels(lines: &[&str]) -> bool {
    let label = |line: &&str| {
        let (word, text) = line.split_once(' ')?;
        let (coarse, fine) = word.split_once(':')?;
        let is_coarse = coarse.len() > 1
            && coarse
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        let is_fine = !fine.is_empty()
            && fine
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (is_coarse && is_fine && !text.trim().is_empty()).then_some(coarse.to_owned())
    };
    let labels: Option<Vec<String>> = lines.iter().map(label).collect();
    labels.is_some_and(|labels| {
        let different: BTreeSet<&String> = labels.iter().collect();
        labels.len() >= MIN_LINES && different.len() > 1 && different.len() < labels.len()
    })
}

#[cfg(test)]
mod tests {
    use crate::{Import, Options, Refusal, read};

    fn told(content: &str) -> Result<Import, Refusal> {
        read(content.as_bytes(), &Options::default())
    }

    #[test]
    fn data_sets_without_texts_of_one_label_are_refused_by_their_name() {
        let rows = "'It is late',ship\n'It leaks',defect\n";
        let attributes = "@attribute text string\n@attribute class {ship,defect}\n\n@data\n";
        let squad = r#"{"data": [{"title": "T", "paragraphs": [{"context": "It is late.", "qas": []}]}]}"#;
        let flat = r#"{"context": "It is late.", "question": "Is it?", "answers": {"text": ["late"], "answer_start": [6]}}"#;
        for (content, name) in [
            (format!("@relation tickets\n\n{attributes}{rows}"), "ARFF"),
            (format!("% by hand\n@RELATION tickets\n{attributes}{rows}"), "ARFF"),
            ("1 1:0.5 3:0.25 10:1\n-1 2:0.1 7:1 # x\n+1 1:1\n".to_owned(), "LIBSVM"),
            ("From: a@b.c\nTo: x@y.z\nSubject: Late\n\nIt is late\n".to_owned(), "e-mail"),
            ("From a Mon\nReturn-Path: <a>\nDate: Mon\nTo: x\n\nIt is late\n".to_owned(), "e-mail"),
            ("1\n00:00:01,000 --> 00:00:02,000\nIt is late\n".to_owned(), "subtitles"),
            ("WEBVTT\n\n00:01.000 --> 00:02.000 align:start\nIt is late\n".to_owned(), "subtitles"),
            (
                "#FORMAT=WebAnno TSV 3.3\n#T_SP=custom.Span|label\n\n#Text=It is late\n1-1\t0-2\tIt\t_\n".to_owned(),
                "INCEpTION",
            ),
            ("## intent:greet\n- hello\n- hi there\n\n## intent:bye\n- bye\n".to_owned(), "Rasa"),
            ("# features\n1,3 1:0.5\n2 qid:1 2:1e-3\n".to_owned(), "LIBSVM"),
            ("DESC:manner How is it?\nHUM:ind Who is it?\nDESC:def What is it?\nHUM:gr Who?\n".to_owned(), "TREC"),
            (squad.to_owned(), "SQuAD"),
            (format!("{flat}\n{flat}\n"), "SQuAD"),
            (
                r#"[{"id": 0, "paragraphs": [{"raw": "It is late", "cats": [{"label": "ship", "value": 1}]}]}]"#.to_owned(),
                "spaCy 2",
            ),
        ] {
            let refused = told(&content).expect_err(name).to_string();
            assert!(refused.contains(name), "{refused}");
        }
        let entities = told(r#"[["Ada wrote it", {"entities": [[0, 3, "PERSON"]]}]]"#).expect("a list");
        assert_eq!(entities.rejected[0].reason, crate::written::PARTS);
    }

    #[test]
    fn texts_that_look_a_little_like_these_are_texts() {
        for content in [
            "@relation is my handle\nIt is late\n",
            "Subject: it is late\nFrom: here to there\nWhere is it?\n",
            "a --> b\nIt is late --> never\n",
            "1 2:30 is too early\n2 3:15 is late\n",
            "12 10:30\nIt is late\n",
            "NOTE:this is late\nIt leaks\nERROR:x it\nNOTE:y is\n",
            "10:00 or later --> 11:00, please\nIt is late\n",
            "10:30 --> 11:30\nIt is late\n",
            "## intent: what is it?\nIt is late\n",
            "DESC:one It is late,a\nHUM:two It leaks,b\nDESC:one It is red,a\nHUM:two It is old,b\n",
            "From: here,a\nTo: there,b\nSubject: it,a\nDate: now,b\n",
            "{\"text\": \"It is late\", \"label\": \"x\", \"context\": \"a\", \"answers\": {\"answer_start\": [1]}}\n\
             {\"text\": \"It leaks\", \"label\": \"y\", \"context\": \"b\", \"answers\": {\"answer_start\": [1]}}\n",
            "{\"text\": \"It is late\", \"label\": 1, \"paragraphs\": [{\"sentences\": 3}]}\n\
             {\"text\": \"It leaks\", \"label\": 0, \"paragraphs\": [{\"sentences\": 2}]}\n",
            "Re:order It is late\nRe:order It leaks\nFw:order It is late\nRe:order It\n",
        ] {
            assert!(
                told(content).is_ok_and(|import| import.rows.len() > 1),
                "{content}"
            );
        }
    }
}
