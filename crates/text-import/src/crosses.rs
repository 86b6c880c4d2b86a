//! Tables with a column for each label, and a cross where it holds, or whether it does in numbers or words.

use std::collections::BTreeSet;

use crate::{
    Refusal,
    columns::Roles,
    names::{folded, holds_label_name, is_label_name},
};

/// What people write for a cross, in lower case.
const CROSSES: [&str; 6] = ["x", "✓", "✔", "✗", "☑", "×"];

/// What people write for no and for yes, in lower case, in the languages that are written most.
const NO_AND_YES: [[&str; 2]; 34] = [
    ["0", "1"],
    ["0.0", "1.0"],
    ["false", "true"],
    ["f", "t"],
    ["falsch", "wahr"],
    ["faux", "vrai"],
    ["falso", "verdadero"],
    ["falso", "verdadeiro"],
    ["falso", "vero"],
    ["onwaar", "waar"],
    ["no", "yes"],
    ["n", "y"],
    ["off", "on"],
    ["-", "+"],
    ["nein", "ja"],
    ["n", "j"],
    ["non", "oui"],
    ["n", "o"],
    ["no", "sí"],
    ["no", "si"],
    ["no", "sì"],
    ["não", "sim"],
    ["nee", "ja"],
    ["nej", "ja"],
    ["nei", "ja"],
    ["nie", "tak"],
    ["ne", "ano"],
    ["nem", "igen"],
    ["ei", "kyllä"],
    ["hayır", "evet"],
    ["нет", "да"],
    ["ні", "так"],
    ["いいえ", "はい"],
    ["否", "是"],
];

/// Rows from which two columns of the same two words are told, whatever the words are.
const MIN_ROWS_OF_ANY_WORDS: usize = 4;

/// Longest of such words, in characters.
const MAX_WORD: usize = 20;

/// Names of columns of numbers from 0 to 1 that are no labels.
const MEASURES: [&str; 6] = [
    "confidence",
    "score",
    "probability",
    "similarity",
    "weight",
    "agreement",
];

/// Rows from which such a table is told.
const MIN_ROWS: usize = 2;

const WITH_CROSSES: &str = "a table with a column for each label and a cross where it holds";
const WITH_YES_AND_NO: &str = "a table with a column for each label that says yes or no";
const WITH_WORDS: &str = "a table with a column for each label, or for each person, of the same two words";
const WITH_SCORES: &str = "a table with a column for each label that holds its score";
const ADVICE: &str = "write the names of its labels into one column, with a `|` between those of one text; \
             where the columns are no labels, name that of the texts with --text-column; where one of them holds all \
             labels, name it with --label-column";

/// Refuses a table whose first row names columns of crosses, of which there are two or more, and no column that holds the
/// labels.
///
/// # Errors
///
/// [`Refusal::Format`].
pub(crate) fn refuse(rows: &[(u64, Vec<String>)]) -> Result<(), Refusal> {
    let Some(((_, names), rows)) = rows.split_first() else {
        return Ok(());
    };
    let is_of_crosses = |column: &usize| {
        let cells = rows.iter().filter_map(|(_, cells)| cells.get(*column));
        let mut filled = cells.map(|cell| cell.trim()).filter(|cell| !cell.is_empty());
        let name = names[*column].trim();
        let is_name = !name.is_empty() && !is_cross(name);
        is_name && filled.next().is_some_and(is_cross) && filled.all(is_cross)
    };
    let holds_labels = |column: usize| {
        let mut cells = rows.iter().filter_map(|(_, cells)| cells.get(column));
        is_label_name(&names[column]) && !is_of_crosses(&column) && cells.any(|cell| !cell.trim().is_empty())
    };
    let columns = (0..names.len()).filter(is_of_crosses).count();
    let has_labels = (0..names.len()).any(holds_labels);
    match rows.len() >= MIN_ROWS && columns > 1 && !has_labels {
        true => Err(refusal(WITH_CROSSES)),
        false => Ok(()),
    }
}

/// Refuses a table in which no column surely holds the labels, and two or more say yes of some texts and no of others, in
/// whatever words, or give each text a score.
///
/// A column surely holds them that is called so, in one word, or that says something else than these. One that is called so
/// by a word of its name, `label_defect`, does not where others are.
///
/// # Errors
///
/// [`Refusal::Format`].
pub(crate) fn refuse_yes_and_no(
    names: &[String],
    rows: &[Vec<String>],
    roles: &Roles,
) -> Result<(), Refusal> {
    if rows.len() < MIN_ROWS {
        return Ok(());
    }
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let is_named =
        |column: &usize| names.is_empty() || names.get(*column).is_some_and(|name| !name.trim().is_empty());
    let said = |column| said(rows, column).filter(|_| column != roles.text);
    let said: Vec<(usize, Said)> = (0..width)
        .filter(is_named)
        .filter_map(|column| Some((column, said(column)?)))
        .collect();
    let is_label = |column: usize| Some(column) == roles.label;
    let is_sure = |column: usize| names.get(column).is_some_and(|name| is_label_name(name));
    // What is called like no label beside one that is called so may be anything.
    let is_like = |label: usize, column: usize| match names.get(label) {
        Some(name) if holds_label_name(name) => {
            names.get(column).is_some_and(|other| holds_label_name(other))
        }
        Some(_) | None => true,
    };
    let alike = |what: &Said| {
        let same = said.iter().filter(|(_, other)| other == what);
        same.map(|(column, _)| *column).collect::<Vec<usize>>()
    };
    let is_told = |columns: &Vec<usize>| match roles.label {
        None => columns.len() > 1,
        Some(label) => {
            let others = || columns.iter().filter(|column| !is_label(**column));
            columns.contains(&label) && !is_sure(label) && others().any(|column| is_like(label, *column))
        }
    };
    let scores = || {
        let columns = (0..width).filter(|column| *column != roles.text && is_named(column));
        let columns: Vec<usize> = columns
            .filter(|column| holds_scores(names, rows, *column))
            .collect();
        let is_fraction = |column: &usize| {
            rows.iter()
                .any(|row| share(row.get(*column)).is_some_and(|share| share.fract() != 0.0))
        };
        is_told(&columns) && columns.iter().any(is_fraction)
    };
    // Two people may have chosen between the same two labels.
    let may_be_labels = || {
        let label = roles.label.and_then(|label| names.get(label));
        label.is_some_and(|name| holds_label_name(name))
    };
    let says_yes_or_no = |what: &Said| *what == Said::YesOrNo || !may_be_labels();
    let is_of_columns = |(_, what): &(usize, Said)| says_yes_or_no(what) && is_told(&alike(what));
    match said.iter().find(|column| is_of_columns(column)) {
        Some((_, Said::YesOrNo)) => Err(refusal(WITH_YES_AND_NO)),
        Some((_, Said::Words(_))) => Err(refusal(WITH_WORDS)),
        None if scores() => Err(refusal(WITH_SCORES)),
        None => Ok(()),
    }
}

/// What a column says of the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    /// Yes of some, and no or nothing of others.
    YesOrNo,
    /// One of two words that are not known, or one or nothing.
    Words(BTreeSet<String>),
}

/// Tells what a column says, if it has one of two values for each text.
fn said(rows: &[Vec<String>], column: usize) -> Option<Said> {
    let cells = || {
        let cells = rows
            .iter()
            .map(move |cells| cells.get(column).map_or("", |cell| cell.trim()));
        cells.map(str::to_lowercase)
    };
    let words: BTreeSet<String> = cells().collect();
    let says = |[no, yes]: [&str; 2]| {
        let is_word = |word: &String| word == yes || word == no || word.is_empty();
        words.len() > 1 && words.contains(yes) && words.iter().all(is_word)
    };
    if NO_AND_YES.into_iter().any(says) {
        return Some(Said::YesOrNo);
    }
    let are_short = words.iter().all(|word| word.chars().count() <= MAX_WORD);
    (words.len() == 2 && are_short && rows.len() >= MIN_ROWS_OF_ANY_WORDS).then_some(Said::Words(words))
}

/// Returns whether a column holds a number from 0 to 1 for each text, and is not called like a measure.
fn holds_scores(names: &[String], rows: &[Vec<String>], column: usize) -> bool {
    let is_measure = names
        .get(column)
        .is_some_and(|name| MEASURES.iter().any(|measure| folded(name).contains(measure)));
    !is_measure && rows.iter().all(|row| share(row.get(column)).is_some())
}

fn share(cell: Option<&String>) -> Option<f64> {
    let share = cell?.trim().replace(',', ".").parse::<f64>().ok()?;
    (0.0..=1.0).contains(&share).then_some(share)
}

fn refusal(what: &'static str) -> Refusal {
    Refusal::Format { what, advice: ADVICE }
}

fn is_cross(cell: &str) -> bool {
    CROSSES.contains(&cell.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(content: &str) -> bool {
        let lines = (1..).zip(content.lines());
        let rows = lines.map(|(line, cells)| (line, cells.split(';').map(str::to_owned).collect()));
        refuse(&rows.collect::<Vec<_>>()).is_err()
    }

    #[test]
    fn columns_of_crosses_are_told_and_labels_that_are_called_x_are_not() {
        for content in [
            "Ticket text;Billing;Login\nCharged twice;x;\nCannot log in;;X\n",
            "Billing;Login;Text\n✓;;Charged twice\n;✓;Cannot log in\n✓;✓;Both of it\n",
            "text;label;Billing;Login\nCharged twice;;x;\nCannot log in;;;x\n",
        ] {
            assert!(is_refused(content), "{content}");
        }
        for content in [
            "text;label\nCharged twice;x\nCannot log in;y\n",
            "text;label\nCharged twice;x\nCannot log in;x\n",
            "Ticket text;Billing;Login\nCharged twice;x;\n",
            "x;x;Charged twice\n;x;Cannot log in\nx;;Both of it\n",
            "text;urgent;label\nCharged twice;x;Billing\nCannot log in;;Login\n",
            "text;label;reviewed;urgent\nCharged twice;Billing;x;x\nCannot log in;Login;x;\n",
        ] {
            assert!(!is_refused(content), "{content}");
        }
    }

    fn read(content: &str, text_column: Option<&str>) -> Result<crate::Import, Refusal> {
        let options = crate::Options {
            text_column: text_column.map(str::to_owned),
            ..crate::Options::default()
        };
        crate::read(content.as_bytes(), &options)
    }

    #[test]
    fn columns_that_say_yes_or_no_of_each_label_are_told_whatever_they_are_called() {
        for content in [
            "text,World,Sports\nThe vote was held,1,0\nThe match was won,0,1\nBoth of it here,1,1\n",
            "text,World,Sports\nThe vote was held,1,\nThe match was won,,1\n",
            "comment_text;toxic;threat\nI will find you;TRUE;TRUE\nHave a good day;FALSE;FALSE\n",
            "{\"text\": \"The vote was held\", \"World\": 1, \"Sports\": 0}\n\
             {\"text\": \"The match was won\", \"World\": 0, \"Sports\": 1}\n",
            "text,label_a,label_b\nThe vote was held,1,0\nThe match was won,0,1\nBoth of it here,1,1\n",
            "Text;Mangel;Versand\nThe vote was held;ja;nein\nThe match was won;nein;ja\n",
            "Text;Défaut;Envoi\nThe vote was held;Oui;Non\nThe match was won;Non;Oui\n",
            "テキスト,不良,配送\nThe vote was held,はい,いいえ\nThe match was won,いいえ,はい\n",
            "Satz;Mangel;Versand\nThe vote was held at last;1;0\nThe match was won again;0;1\nBoth of it are here;1;1\n\
             Nothing of it is here;0;0\n",
            "text,World,Sports\nOne text,holds,lacks\nAnother text,lacks,holds\nA third text,holds,holds\n\
             A fourth text,lacks,lacks\n",
            "text,World,Sports\nThe vote was held,0.9,0.1\nThe match was won,0.05,0.95\n",
            "Text;Welt;Sport\nThe vote was held;0,9;0,1\nThe match was won;0,05;0,95\n",
            "The vote was held at last,1,0\nThe match was won again,0,1\nBoth of it are here now,1,1\n",
            "{\"text\": \"The vote was held\", \"World\": true, \"Sports\": false}\n\
             {\"text\": \"The match was won\", \"World\": false, \"Sports\": true}\n",
        ] {
            let refused = read(content, None).expect_err(content).to_string();
            assert!(refused.contains("a column for each label"), "{refused}");
        }
        let people = "text,ann,bob\nWin a prize now,spam,ham\nMeeting at noon,ham,spam\nCheap pills,spam,spam\nLunch,ham,ham\n";
        let refused = read(people, None).expect_err("no labels").to_string();
        assert!(
            refused.contains("or for each person") && refused.contains("--label-column"),
            "{refused}"
        );
        for content in [
            "text,label,urgent\nCharged twice again,1,0\nCannot log in now,0,1\n",
            "text,label,read,urgent\nCharged twice again,Billing,1,0\nCannot log in now,Login,0,1\n",
            "text,label,label_confidence\nCharged twice again,Billing,0.9\nCannot log in now,Login,0.8\n",
            "text,confidence,score\nCharged twice again,0.9,0.1\nCannot log in now,0.8,0.2\n",
            "text,label_ann,label_bob\nCharged twice again,Billing,Login\nCannot log in now,Login,Billing\n\
             Paid twice,Billing,Billing\nNo password,Login,Login\n",
            "text,urgent\nCharged twice again,1\nCannot log in now,0\n",
            "text,version,part\nCharged twice again,1,1\nCannot log in now,1,1\n",
        ] {
            assert!(read(content, None).is_ok(), "{content}");
        }
        let named = "text,read,urgent\nCharged twice again,1,0\nCannot log in now,0,1\n";
        assert_eq!(read(named, Some("text")).expect("texts").rows.len(), 2);
    }
}
