//! Which columns hold texts and labels: by what somebody said, by their names, or by what is in them.

use crate::{
    Options, Refusal,
    content::{Content, MAX_LABEL},
    machine::is_of_machine,
    names::{
        find, folded, holds_label_name, holds_text_name, is_annotator_name, is_weak_text_name, label_place,
        text_place,
    },
};

/// Rows up to which labels need not come again.
const FEW_ROWS: usize = 10;

/// What the columns of a table are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    pub text: usize,
    pub label: Option<usize>,
    pub annotator: Option<usize>,
    /// Whether somebody or a name says so, not only the content.
    pub is_sure: bool,
    /// Whether labels are told to be lists of ids.
    pub has_ids: bool,
    /// Whether labels are told to be a number for each label.
    pub has_vectors: bool,
    /// What was guessed.
    pub notes: Vec<String>,
}

/// Decides which columns hold texts and labels. `names` are empty where no row names them.
///
/// # Errors
///
/// [`Refusal`] where a column that somebody named is not there, or no column can hold texts.
pub(crate) fn roles(names: &[String], rows: &[Vec<String>], options: &Options) -> Result<Roles, Refusal> {
    let width = rows.iter().map(Vec::len).chain([names.len()]).max().unwrap_or(0);
    let numbered: Vec<String> = (1..=width).map(|number| number.to_string()).collect();
    let columns: &[String] = if names.is_empty() { &numbered } else { names };
    let contents: Vec<Content> = (0..width)
        .map(|column| Content::of(rows, column, options))
        .collect();
    let mut notes = Vec::new();
    let known = Known::of(names, columns, &contents, options, &mut notes)?;

    let text = match known.text.or(known.within) {
        Some(text) => text,
        None => {
            let guessed = guess_text(&contents, known.label);
            // Of several columns one of numbers, or of `true` and `false`, is none of texts.
            let is_none = |content: &Content| content.are_numbers || content.are_flags;
            let guessed = guessed.filter(|text| width < 2 || !is_none(&contents[*text]));
            guessed.ok_or(Refusal::NoText)?
        }
    };
    let are_named = !names.is_empty() && width > 1;
    let marked = (0..width).find(|column| *column != text && contents[*column].are_marked);
    let label = match known.label {
        Some(label) => Some(label),
        None if marked.is_some() => marked,
        // Where the texts have a name, labels have one too.
        None if known.has_text_name && are_named => None,
        None if text_was_named(&options.text_column, names) => None,
        None => guess_label(names, &contents, text, rows.len()),
    };
    if label.is_none() && are_named && (known.has_text_name || options.text_column.is_none()) {
        notes.push(label_of_machine(names, &contents).unwrap_or_else(|| no_label_of(names, text)));
    }
    if label.is_none() && names.is_empty() && width > 1 && options.text_column.is_none() {
        notes.push(no_column_like_labels(columns, text));
    }
    if options.label_column.is_none() && !names.is_empty() {
        notes.extend(label.and_then(|label| empty_label_of(names, &contents, [text, label])));
    }
    if options.label_column.is_none() {
        notes.extend(others_called_labels(names, &contents, [Some(text), label]));
    }

    let by = |what: &str, column: usize, by: &str| {
        let column = shown(columns, column);
        format!("{what} were taken from column {column}, by {by}")
    };
    match known.within {
        Some(_) => notes.push(by("texts", text, "a word of its name")),
        None if known.text.is_none() && width > 1 => notes.push(by("texts", text, "what is in it")),
        None => {}
    }
    if let (None, Some(label)) = (known.label, label) {
        notes.push(by("labels", label, "what is in it"));
    }
    for column in [Some(text), label].into_iter().flatten() {
        notes.extend(names.get(column).and_then(|name| same_names(names, name)));
    }
    Ok(Roles {
        text,
        label,
        annotator: known.annotator.filter(|column| Some(*column) != label),
        is_sure: known.text.is_some() || width == 1,
        has_ids: false,
        has_vectors: false,
        notes,
    })
}

/// The columns that somebody named, or whose names say what they hold.
struct Known {
    text: Option<usize>,
    /// The column of texts that a word of its name tells, in the place of `text`.
    within: Option<usize>,
    /// Whether one is called like texts, though another may hold them.
    has_text_name: bool,
    label: Option<usize>,
    annotator: Option<usize>,
}

impl Known {
    fn of(
        names: &[String],
        columns: &[String],
        contents: &[Content],
        options: &Options,
        notes: &mut Vec<String>,
    ) -> Result<Self, Refusal> {
        let (text, label) = (
            named(columns, options.text_column.as_ref())?,
            named(columns, options.label_column.as_ref())?,
        );
        let is_named = text.is_some();
        // The surest of those with something in them.
        let filled = |place: fn(&str) -> Option<usize>, not| {
            let columns = (0..names.len()).filter(|column| contents[*column].filled > 0);
            surest_of(columns, names, place, not)
        };
        let text = text.or_else(|| {
            let first = filled(text_place, label).or_else(|| surest(names, text_place, label));
            first.filter(|column| !is_weak_name_of_labels(&names[*column], *column, contents))
        });
        let by_word = || text_within(names, contents, text, label);
        let within = if is_named { None } else { by_word() };
        let texts = within.or(text);
        let surest_label = surest(names, label_place, texts);
        let by_name = filled(label_place, texts);
        let by_name = by_name.or(surest_label);
        let by_name = by_name.or_else(|| names_within(names, contents, texts));
        if let (None, Some(empty), Some(column)) = (label, surest_label, by_name)
            && contents[empty].filled == 0
            && contents[column].filled > 0
            && folded(&names[empty]) != folded(&names[column])
        {
            notes.push(instead_of_empty(&names[empty], &names[column]));
        }
        let are_none = |column: &usize| not_labels(&contents[*column]);
        if let (None, Some(column)) = (label, by_name) {
            let (name, content) = (names[column].trim(), &contents[column]);
            if let (false, Some(texts)) = (is_named, texts)
                && !is_weak_text_name(&names[texts])
                && are_swapped(&contents[texts], content)
            {
                return Err(Refusal::Swapped {
                    text: names[texts].trim().to_owned(),
                    label: name.to_owned(),
                });
            }
            match are_none(&column) {
                Some(what) => notes.push(format!(
                    "column `{name}` holds {what}, which are no labels; --label-column {name} takes them"
                )),
                None if content.filled >= FEW_ROWS && content.distinct == content.filled => notes.push(format!(
                    "column `{name}` holds another label in each row; --label-column names the one that is meant"
                )),
                None => {}
            }
        }
        let annotator = names.iter().position(|name| is_annotator_name(name));
        Ok(Self {
            text: text.filter(|_| within.is_none()),
            within,
            has_text_name: text.is_some(),
            label: label.or_else(|| by_name.filter(|column| are_none(column).is_none())),
            annotator: annotator.filter(|column| texts != Some(*column)),
        })
    }
}

/// Says what a column holds that is called like labels, where it is something else.
fn not_labels(content: &Content) -> Option<&'static str> {
    match content {
        _ if content.are_texts() => Some("long texts"),
        _ if content.are_codes => Some("another number in each row"),
        _ => None,
    }
}

/// Returns whether a column that is called like texts holds what comes again and again, and one that is called like labels
/// long texts, or several words that are others in each row.
fn are_swapped(texts: &Content, labels: &Content) -> bool {
    let are_others = labels.distinct == labels.filled && labels.words > 2 * labels.filled;
    labels.filled >= FEW_ROWS
        && (labels.are_texts() || are_others)
        && texts.length < labels.length
        && texts.may_be_labels(labels.filled)
}

/// Finds the column that somebody named, if one is named.
fn named(columns: &[String], wanted: Option<&String>) -> Result<Option<usize>, Refusal> {
    let Some(name) = wanted else {
        return Ok(None);
    };
    let missing = || Refusal::NoColumn {
        name: name.clone(),
        columns: columns.to_vec(),
    };
    find(columns, name).ok_or_else(missing).map(Some)
}

/// Returns the column whose name says most surely what it holds, other than one.
fn surest(names: &[String], place: fn(&str) -> Option<usize>, not: Option<usize>) -> Option<usize> {
    surest_of(0..names.len(), names, place, not)
}

/// Returns the one of some columns whose name says most surely what it holds, other than one: of fields of one name that of
/// the outer object.
fn surest_of(
    columns: impl Iterator<Item = usize>,
    names: &[String],
    place: fn(&str) -> Option<usize>,
    not: Option<usize>,
) -> Option<usize> {
    let depth = |column: usize| names[column].matches('.').count();
    let known = columns.filter_map(|column| Some((place(&names[column])?, depth(column), column)));
    let others = known.filter(|(_, _, column)| Some(*column) != not);
    others.min().map(|(_, _, column)| column)
}

/// Says that labels are read from a column in the place of one that is called so more surely, and is empty.
fn instead_of_empty(empty: &str, column: &str) -> String {
    let (empty, column) = (empty.trim(), column.trim());
    format!(
        "column `{empty}` is called like labels and is empty: labels were taken from column `{column}`; \
         --label-column {empty} takes none"
    )
}

/// Returns whether a column that is called like `subject` holds what comes again and again, beside another one of texts.
fn is_weak_name_of_labels(name: &str, column: usize, contents: &[Content]) -> bool {
    let content = &contents[column];
    let is_of_texts = |(other, texts): (usize, &Content)| {
        let are_different = texts.filled > 0 && 10 * texts.distinct >= 9 * texts.filled;
        other != column
            && are_different
            && !texts.are_codes
            && texts.words > 2 * content.words.max(texts.filled)
    };
    is_weak_text_name(name) && content.comes_again() && contents.iter().enumerate().any(is_of_texts)
}

/// Says that no column is called like one of labels, and which others there are.
fn no_label_of(names: &[String], text: usize) -> String {
    let others = names.iter().enumerate().filter(|(at, _)| *at != text);
    let others: Vec<&str> = others.map(|(_, name)| name.trim()).collect();
    format!(
        "no column is called like one of labels; name one with --label-column if it is ({})",
        others.join(", ")
    )
}

/// Says that the column of labels is empty, where another one holds lists or what comes again.
fn empty_label_of(names: &[String], contents: &[Content], [text, label]: [usize; 2]) -> Option<String> {
    let may_be = |column: &usize| {
        let content = &contents[*column];
        ![text, label].contains(column) && content.filled > 0 && (content.are_json || content.comes_again())
    };
    let others = (0..names.len()).filter(may_be).map(|column| names[column].trim());
    let others: Vec<&str> = others.collect();
    let name = names
        .get(label)
        .filter(|_| contents[label].filled == 0 && !others.is_empty())?;
    Some(format!(
        "column `{}` is called like labels and is empty; name another one with --label-column if it is ({})",
        name.trim(),
        others.join(", ")
    ))
}

/// Says that no column looks like labels where no row names the columns, and which others there are.
fn no_column_like_labels(columns: &[String], text: usize) -> String {
    let others = columns.iter().enumerate().filter(|(at, _)| *at != text);
    let others: Vec<&str> = others.map(|(_, name)| name.as_str()).collect();
    format!(
        "no column holds what looks like labels; name one with --label-column if it is ({})",
        others.join(", ")
    )
}

/// Says which of several columns of one name is read.
fn same_names(names: &[String], name: &str) -> Option<String> {
    let same: Vec<&str> = names
        .iter()
        .filter(|other| folded(other) == folded(name))
        .map(|name| name.trim())
        .collect();
    let (count, name) = (same.len(), name.trim());
    let others: Vec<String> = same
        .iter()
        .filter(|other| **other != name)
        .map(|other| format!("`{other}`"))
        .collect();
    match count {
        0 | 1 => None,
        _ if others.is_empty() => Some(format!(
            "{count} columns are called `{name}`: one is read, which a number names"
        )),
        _ => Some(format!(
            "`{name}` is read, and not {}, which is called alike",
            others.join(", ")
        )),
    }
}

/// Returns the column of the longest texts whose name holds a word for them: `Customer message`. It comes before no column
/// whose name is a plain one, and before one such as `Title` if its texts are longer.
fn text_within(
    names: &[String],
    contents: &[Content],
    named: Option<usize>,
    label: Option<usize>,
) -> Option<usize> {
    let least = match named {
        Some(column) if !is_weak_text_name(&names[column]) => return None,
        Some(column) => contents[column].length + 1,
        None => 1,
    };
    let is_one = |column: &usize| {
        let content = &contents[*column];
        Some(*column) != label
            && Some(*column) != named
            && holds_text_name(&names[*column])
            && content.length >= least
            && !content.are_numbers
            && !content.are_dates
    };
    (0..names.len())
        .filter(is_one)
        .max_by_key(|column| contents[*column].length)
}

/// Returns the first column that may hold labels and whose name holds a word for them: `Welche Kategorie passt?`.
fn names_within(names: &[String], contents: &[Content], text: Option<usize>) -> Option<usize> {
    let is_one = |column: &usize| {
        let content = &contents[*column];
        let may_be_labels = content.filled > 0 && content.length <= MAX_LABEL && !content.are_dates;
        Some(*column) != text && holds_label_name(&names[*column]) && may_be_labels
    };
    let is_of_people = |column: &usize| is_one(column) && !is_of_machine(&names[*column]);
    (0..names.len()).find(is_of_people)
}

/// Says that labels of a machine are no votes, where a column of such is called like labels.
fn label_of_machine(names: &[String], contents: &[Content]) -> Option<String> {
    let is_one = |column: &usize| {
        let (name, content) = (&names[*column], &contents[*column]);
        is_of_machine(name) && !content.are_numbers && content.filled > 0 && holds_label_name(name)
    };
    (0..names.len()).find(is_one).map(|column| {
        let name = names[column].trim();
        format!("column `{name}` is called like what a machine says, which is no vote; --label-column {name} takes it")
    })
}

/// Names the columns that may hold labels of people too, by their names, and are not read.
fn others_called_labels(names: &[String], contents: &[Content], read: [Option<usize>; 2]) -> Option<String> {
    let is_one = |column: &usize| {
        let (name, content) = (&names[*column], &contents[*column]);
        let may_be_labels = content.filled > 0 && content.length <= MAX_LABEL && !content.are_dates;
        !read.contains(&Some(*column)) && holds_label_name(name) && !is_of_machine(name) && may_be_labels
    };
    let others = (0..names.len()).filter(is_one);
    let others: Vec<String> = others
        .map(|column| format!("`{}`", names[column].trim()))
        .collect();
    let label = read[1].and_then(|label| names.get(label))?;
    (!others.is_empty()).then(|| {
        let (label, others) = (label.trim(), others.join(", "));
        format!(
            "labels were taken from column `{label}`; also called so: {others}; --label-column takes another"
        )
    })
}

fn text_was_named(wanted: &Option<String>, names: &[String]) -> bool {
    wanted.is_some() && !names.is_empty()
}

fn shown(columns: &[String], column: usize) -> String {
    columns
        .get(column)
        .map_or_else(|| (column + 1).to_string(), |name| format!("`{}`", name.trim()))
}

/// Takes the column of the longest cells; of two as long the last. Cells that come again and again are labels rather.
fn guess_text(contents: &[Content], label: Option<usize>) -> Option<usize> {
    let candidates = contents.iter().enumerate().filter(|(column, content)| {
        let is_other = content.are_dates || content.are_json || content.are_marked;
        Some(*column) != label && content.filled > 0 && !is_other
    });
    candidates
        .max_by_key(|(_, content)| {
            let are_labels = content.are_known || content.are_lists();
            let is_other = content.are_numbers
                || content.are_flags
                || content.are_codes && content.words == content.filled;
            (!is_other, !are_labels, !content.comes_again(), content.length)
        })
        .map(|(column, _)| column)
}

/// Takes the column of the fewest different words that come again; of two columns without a sign the first,
/// as Amazon Comprehend does.
fn guess_label(names: &[String], contents: &[Content], text: usize, rows: usize) -> Option<usize> {
    let is_of_machine = |column: usize| names.get(column).is_some_and(|name| is_of_machine(name));
    let candidates = contents.iter().enumerate().filter(|(column, content)| {
        *column != text && content.may_be_labels(rows) && !is_of_machine(*column)
    });
    let fewest = candidates
        // One value in all rows tells nothing where others differ.
        .min_by_key(|(_, content)| {
            (
                !content.are_known,
                content.distinct == 1,
                content.labels.min(content.distinct),
            )
        })
        .map(|(column, _)| column);
    let first_of_two = || {
        let label = contents.first()?;
        let is_second = text == 1;
        let text = &contents[text];
        let is_short = 2 * label.length <= text.length.max(8) || 2 * label.words <= text.words;
        let is_short = is_short && label.length <= MAX_LABEL;
        let may_be = !label.are_dates && !is_of_machine(0);
        (contents.len() == 2 && is_second && rows < FEW_ROWS && is_short && may_be).then_some(0)
    };
    fewest.or_else(first_of_two)
}

#[cfg(test)]
mod tests {
    use unicode_normalization::UnicodeNormalization;

    use super::*;
    use crate::header::{FirstRow, first_row};

    fn rows(content: &str) -> Vec<Vec<String>> {
        content
            .lines()
            .map(|line| line.split(';').map(str::to_owned).collect())
            .collect()
    }

    fn told(content: &str) -> (bool, usize, Option<usize>) {
        let mut rows = rows(content);
        let first = rows.remove(0);
        let options = Options::default();
        let is_header = first_row(&first, &rows, &options) != FirstRow::Row;
        let names = if is_header {
            first
        } else {
            rows.insert(0, first);
            Vec::new()
        };
        let roles = roles(&names, &rows, &options).expect("columns");
        (is_header, roles.text, roles.label)
    }

    #[test]
    fn columns_are_told_by_their_names_in_several_languages() {
        assert_eq!(told("Texto;Etiqueta\nhola;a\nadiós;b"), (true, 0, Some(1)));
        assert_eq!(told("Kategorie;Beschreibung\na;hallo"), (true, 1, Some(0)));
        assert_eq!(
            told("id;Subject;Description;Tags;Created\n1;a;a long text;x;2026-01-01"),
            (true, 2, Some(3))
        );
        assert_eq!(told("ラベル;本文\na;b"), (true, 1, Some(0)));
    }

    #[test]
    fn a_column_that_may_hold_labels_and_is_not_read_is_told_also_where_no_row_names_the_columns() {
        let row = |number: usize| {
            let date = ["2024-01-01", "2024-01-02"][number % 2];
            format!("{date},The story of item {number} goes on and on from the beginning to the end\n")
        };
        let rows: String = (0..30).map(row).collect();
        let notes = |label_column: Option<&str>| {
            let options = Options {
                label_column: label_column.map(str::to_owned),
                ..Options::default()
            };
            let import = crate::read(rows.as_bytes(), &options).expect("two columns");
            (import.labelled().count(), import.notes)
        };

        let note = "no column holds what looks like labels; name one with --label-column if it is (1)";
        let (labelled, told) = notes(None);
        assert!(labelled == 0 && told.iter().any(|told| told == note), "{told:?}");
        let (labelled, told) = notes(Some("1"));
        assert!(
            labelled == 30 && !told.iter().any(|told| told == note),
            "{told:?}"
        );
    }

    #[test]
    fn columns_that_are_called_the_wrong_way_round_are_refused_unless_somebody_names_the_texts() {
        let label = |number: usize| ["World", "Sports", "Business"][number % 3];
        let long = "goes on and on, says who has seen it from the beginning to the end";
        let read = |content: &str, text_column: Option<&str>| {
            let options = Options {
                text_column: text_column.map(str::to_owned),
                ..Options::default()
            };
            crate::read(content.as_bytes(), &options)
        };
        for rest in ["goes on", long] {
            let row = |number: usize| format!("\"The story of item {number} {rest}\",{}\n", label(number));
            let rows: String = (0..60).map(row).collect();

            let refused = read(&format!("label,text\n{rows}"), None).expect_err(rest);

            let swapped = Refusal::Swapped {
                text: "text".to_owned(),
                label: "label".to_owned(),
            };
            assert_eq!(refused, swapped);
            for (header, column) in [("text,label", None), ("label,text", Some("label"))] {
                let read = read(&format!("{header}\n{rows}"), column).expect(header);
                assert!(read.rows[0].text.starts_with("The story"), "{header}");
            }
        }
        let rows: String = (0..60).map(|number| format!("Hello,{number}\n")).collect();
        assert!(
            read(&format!("text,label\n{rows}"), None).is_ok(),
            "numbers of rows"
        );
    }

    #[test]
    fn columns_are_told_by_their_names_in_czech_finnish_romanian_hungarian_ukrainian_vietnamese_and_indonesian()
     {
        for (label, text) in [
            ("Štítek", "Text"),
            ("Kategorie", "Popis"),
            ("Luokka", "Viesti"),
            ("Kategoria", "Kuvaus"),
            ("Etichetă", "Mesaj"),
            ("Categorie", "Conținut"),
            ("Címke", "Szöveg"),
            ("Kategória", "Üzenet"),
            ("Мітка", "Повідомлення"),
            ("Категорія", "Текст"),
            ("Nhãn", "Nội dung"),
            ("Phân loại", "Văn bản"),
            ("Kategori", "Pesan"),
            ("Kelas", "Teks"),
        ] {
            let decomposed: String = format!("{text};{label}").to_uppercase().nfd().collect();

            assert_eq!(
                told(&format!("{label};{text}\na;b")),
                (true, 1, Some(0)),
                "{label}"
            );
            assert_eq!(told(&format!("{decomposed}\na;b")), (true, 0, Some(1)), "{label}");
        }
    }

    #[test]
    fn labels_are_told_by_what_departments_and_kinds_are_called() {
        for label in [
            "Témakör",
            "Druh požadavku",
            "Oddělení",
            "Tip",
            "Nhan",
            "Abteilung",
            "Department",
        ] {
            assert_eq!(told(&format!("{label};Text\na;b")), (true, 1, Some(0)), "{label}");
        }
    }

    #[test]
    fn numbers_of_rows_are_no_labels_whatever_their_column_is_called() {
        for (header, expected) in [
            ("Tunniste;Viesti;Tila", None),
            ("Asiakastunniste;Viesti;Tila", None),
            ("Tag;Text;Status", None),
            ("Tunniste;Viesti;Luokka", Some(2)),
        ] {
            let rows = "A-1001;Pakettini ei ole tullut perille;a\nA-1002;En pääse kirjautumaan;b\n\
                 A-1003;Lasku on väärä;a";
            assert_eq!(
                told(&format!("{header}\n{rows}")),
                (true, 1, expected),
                "{header}"
            );
        }
        assert_eq!(
            told("Tunniste;Viesti\nlasku;a b c\nlasku;d e f"),
            (true, 1, Some(0))
        );
    }

    #[test]
    fn columns_are_told_by_a_word_of_their_names() {
        let rows =
            "1;late;Where is my parcel?;delivery\n2;in;I cannot log in;login\n3;late;Where is it?;delivery";
        for (header, expected) in [
            ("Nr.;Title;Customer message;Ticket category", (true, 2, Some(3))),
            (
                "Comment ID;Agent;Was ist Ihr Anliegen?;Welche Kategorie passt?",
                (true, 2, Some(3)),
            ),
            (
                "Category count;Comment type;Description;Sentiment (intern)",
                (true, 2, Some(3)),
            ),
        ] {
            assert_eq!(told(&format!("{header}\n{rows}")), expected, "{header}");
        }
    }

    #[test]
    fn a_first_row_that_comes_again_or_is_a_sentence_names_nothing() {
        assert!(!told("World;text\nWorld;one\nSports;two").0);
        assert!(!told("label;a text about labels, and much more.\nlabel;one").0);
    }

    #[test]
    fn a_column_of_flags_holds_no_texts() {
        let rows = rows("true;2026-01-01\nfalse;2026-01-02\nFALSE;2026-01-03");

        let refused = roles(&["flag".to_owned(), "day".to_owned()], &rows, &Options::default());

        assert!(matches!(refused, Err(Refusal::NoText)));
    }

    #[test]
    fn what_comes_again_is_no_text_beside_what_does_not() {
        assert_eq!(
            told("Danke;Anerkennung\nSuper;Anerkennung\nMist;Ablehnung\nNein;Ablehnung"),
            (false, 0, Some(1))
        );
        let rows = "Where is it now, please?;Delivery\nI cannot log in at all;Login\nIt is late by a week;Delivery\n\
             No mail for the password;Login";
        assert_eq!(told(&format!("foo;subject\n{rows}")), (true, 0, Some(1)));
        assert_eq!(told("text;labels;category\na b;;x\nc d;;y\n"), (true, 0, Some(2)));
    }

    #[test]
    fn labels_from_another_column_than_the_empty_one_of_labels_are_told_and_a_word_of_a_name_is_not_enough() {
        let read = |header: &str| {
            let rows = "It is late;;Phone\nIt leaks;;Tablet\nIt is red;;Phone\nIt is old;;Tablet\n";
            let import = crate::read(format!("{header}\n{rows}").as_bytes(), &Options::default());
            let import = import.expect(header);
            (import.labelled().count(), import.notes)
        };
        let (labelled, notes) = read("text;label;group");
        let note = "column `label` is called like labels and is empty: labels were taken from column `group`";
        assert!(
            labelled == 4 && notes.iter().any(|told| told.starts_with(note)),
            "{notes:?}"
        );
        let (labelled, notes) = read("text;label;product category");
        let note = "column `label` is called like labels and is empty; name another one";
        assert!(
            labelled == 0 && notes.iter().any(|told| told.starts_with(note)),
            "{notes:?}"
        );
        let (labelled, notes) = read("text;label;Label");
        assert!(
            labelled == 4,
            "the filled one of two columns of one name: {notes:?}"
        );
    }

    #[test]
    fn a_text_and_a_label_of_a_row_come_before_those_of_objects_within_it() {
        let rows = "{\"author\": {\"text\": \"Ada\", \"label\": \"vip\"}, \"text\": \"It is late\", \"label\": \"x\"}\n\
             {\"author\": {\"text\": \"Bob\", \"label\": \"new\"}, \"text\": \"It leaks\", \"label\": \"y\"}\n";
        let import = crate::read(rows.as_bytes(), &Options::default()).expect("rows");
        let rows = import.rows.iter();
        let rows: Vec<(&str, String)> = rows
            .map(|row| (row.text.as_str(), row.votes[0].labels.join("|")))
            .collect();
        assert_eq!(
            rows,
            [("It is late", "x".to_owned()), ("It leaks", "y".to_owned())]
        );
    }

    #[test]
    fn an_empty_column_that_is_called_like_texts_gives_way_to_a_filled_one() {
        assert_eq!(
            told("description;summary;label\n;It is late;x\n;It leaks;y"),
            (true, 1, Some(2))
        );
    }

    #[test]
    fn an_empty_column_of_labels_is_told_beside_others_that_may_hold_them() {
        let rows = r#"[{"document": "It is late", "annotation": [], "marks": [{"m": "x"}]}]"#;
        let import = crate::read(rows.as_bytes(), &Options::default()).expect("rows");

        let told = "column `annotation` is called like labels and is empty; name another one with --label-column if it is (marks)";
        assert!(import.notes.iter().any(|note| note == told), "{:?}", import.notes);
    }

    #[test]
    fn columns_without_names_are_told_by_what_is_in_them() {
        let content = "1;This is the first text;red\n2;This is another text;blue\n\
             3;And one more text;red\n4;The last of them;blue";
        assert_eq!(told(content), (false, 1, Some(2)));
        let foreign = format!("tunnus;sõnum;silt\n{content}");
        assert_eq!(told(&foreign), (true, 1, Some(2)));
        let both_long = "A first long text of some words;Another long text of more words than that\n"
            .to_owned()
            + "One more text of some words;And its translation into other words, longer\n\
               The third one here is long as well;This is its other half, long too\n\
               The fourth one;And its half that is really long";
        assert_eq!(told(&both_long), (false, 1, None));
        assert_eq!(
            told("World;Some text here\nSports;Another text there"),
            (false, 1, Some(0))
        );
    }
}
