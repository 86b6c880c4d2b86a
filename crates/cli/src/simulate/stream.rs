//! The texts of a simulation: read, split by content as production does it, thinned to the wanted imbalance.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    path::Path,
};

use active_learning_core::{
    dataset::{ContentId, HeldOut, NearCopies, Row, TextId, is_test, one_line},
    random::Random,
};
use text_model::{LabelledTexts, Mode};

use super::SimulateError;

/// Share of the texts that is held out.
const TEST_SHARE: f64 = 0.25;
/// Fewest held-out texts that say anything.
pub(super) const FEWEST_TO_TEST: usize = 20;
/// Most held-out texts: their accuracy is known to half a percent.
const MOST_TO_TEST: usize = 5_000;
/// Most texts that are open for labelling at a time, as in a backlog; all are looked at before each batch.
const MOST_TO_LABEL: usize = 10_000;
/// Fewest labels of a first model where nobody says.
const LEAST_DEFAULT_START: usize = 20;

/// All usable texts of a file, in order of their content's hash: chance that is the same every time.
#[derive(Debug)]
pub(super) struct Texts {
    /// What people may label.
    to_label: Vec<Row>,
    /// What models are tested on, for all seeds alike.
    to_test: Vec<Row>,
    /// Whether a text has one label or several.
    mode: Mode,
    /// Rows of the file that can be used.
    pub rows: usize,
    /// Rows whose text occurred before.
    pub copies: usize,
    /// Texts left out because they nearly are a test text.
    pub near_copies: usize,
    /// What was read otherwise than it is written, in sentences.
    pub repairs: Vec<String>,
    /// Classes in order of name, of which a row's first label decides.
    classes: Vec<String>,
}

/// What one seed replays.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    /// The seed.
    pub seed: u64,
    /// Whether a text has one label or several.
    pub mode: Mode,
    /// Texts to label; those at the start come first.
    pub pool: Vec<&'a Row>,
    /// Texts to test on, of the same classes as often.
    pub test: Vec<&'a Row>,
}

impl Texts {
    /// Reads a file as training does and splits it.
    ///
    /// Of copies the first counts: people are not asked twice.
    pub fn read(path: &Path) -> Result<Self, SimulateError> {
        let file = fs::read(path).map_err(|error| SimulateError::Read(path.to_owned(), error))?;
        let read = LabelledTexts::to_train(&file[..]);
        let LabelledTexts { mode, rows, repairs } =
            read.map_err(|bad| SimulateError::Data(path.to_owned(), bad))?;
        let mut texts = Vec::new();
        let mut seen = HashSet::new();
        let count = rows.len();
        for mut row in rows {
            // As a training file will hold it: what is known of a text is found by it.
            row.text = one_line(&row.text);
            if seen.insert(TextId::of(&row.text)) {
                texts.push((ContentId::of(&row.text), row));
            }
        }
        let copies = count - texts.len();
        texts.sort_by_key(|(id, _)| *id);
        let labels = texts.iter().map(|(_, row)| row.labels[0].clone());
        let classes: Vec<String> = labels.collect::<BTreeSet<_>>().into_iter().collect();
        let (mut to_test, mut to_label): (Vec<Row>, Vec<Row>) = texts
            .into_iter()
            .map(|(_, row)| row)
            .partition(|row| is_test(&row.text, TEST_SHARE));
        to_test.truncate(MOST_TO_TEST);
        let mut held_out = HeldOut::default();
        for row in &to_test {
            held_out.insert(&row.text);
        }
        let near_test = NearCopies::of(&held_out);
        let before = to_label.len();
        to_label.retain(|row| !near_test.contains(&row.text));
        let near_copies = before - to_label.len();
        to_label.truncate(MOST_TO_LABEL);
        Ok(Self {
            to_label,
            to_test,
            mode,
            rows: count,
            copies,
            near_copies,
            repairs,
            classes,
        })
    }

    /// Returns how many labels a first model is trained on where nobody says: 20 at least, and twice as many as there are
    /// classes, since nothing is learned where nearly every text has a class of its own.
    pub fn default_start(&self) -> usize {
        LEAST_DEFAULT_START.max(2 * self.classes.len())
    }

    /// Returns all texts, of which each has one place.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let rows = self.to_label.iter().chain(&self.to_test);
        rows.map(|row| row.text.as_str())
    }
}

impl<'a> Stream<'a> {
    /// Makes the stream of a seed: the share of texts that is kept falls from class to class, down to one in `imbalance`.
    ///
    /// Which class is the rarest changes with the seed, so that no class decides the outcome. The first `start` texts
    /// are of two classes at least: there is no model of one.
    pub fn new(texts: &'a Texts, start: usize, imbalance: f64, seed: u64) -> Self {
        let last = texts.classes.len() - 1;
        let shares: BTreeMap<&str, f64> = texts
            .classes
            .iter()
            .enumerate()
            .map(|(number, class)| {
                let rank = (number as u64 + seed) % texts.classes.len() as u64;
                (class.as_str(), imbalance.powf(-(rank as f64) / last as f64))
            })
            .collect();
        let mut random = Random::new(seed);
        let mut kept = |rows: &'a [Row]| -> Vec<&'a Row> {
            rows.iter()
                .filter(|row| random.next_f64() < shares[row.labels[0].as_str()])
                .collect()
        };
        let (mut pool, test) = (kept(&texts.to_label), kept(&texts.to_test));
        random.shuffle(&mut pool);
        let differs = |row: &&Row| row.labels != pool[0].labels;
        if let Some(other) = pool.iter().position(differs)
            && other >= start
            && start > 1
        {
            pool.swap(start - 1, other);
        }
        let mode = texts.mode;
        Self {
            seed,
            mode,
            pool,
            test,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use active_learning_core::feedback::record_id;

    use super::*;

    fn read(csv: &str) -> Result<Texts, SimulateError> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(csv.as_bytes()).expect("space on the disk");
        Texts::read(file.path())
    }

    fn many(classes: &[&str], texts: usize) -> String {
        let row = |number: usize| {
            let class = classes[number % classes.len()];
            // Hex digits of the hash stand for words, so that no two texts are near copies.
            format!("{class},{}\n", record_id("", &number.to_string()))
        };
        (0..texts).map(row).collect()
    }

    #[test]
    fn copies_headers_and_near_copies_of_test_texts_are_left_out() {
        let csv = "Label,Text\n".to_owned() + &many(&["a", "b"], 200) + "a,one text\nA,One TEXT!\n";
        let plain = read(&csv).expect("a good file");
        let near = |letter: char| format!("{}{letter}", plain.to_test[0].text);
        let near = ('a'..='z').map(near).find(|text| !is_test(text, TEST_SHARE));
        let near = near.expect("a quarter is held out, not all");

        let with_near_copy = read(&format!("{csv}a,{near}\n")).expect("a good file");

        assert_eq!((plain.rows, plain.copies, plain.near_copies), (202, 1, 0));
        assert_eq!(with_near_copy.near_copies, 1);
        assert_eq!(with_near_copy.to_label, plain.to_label);
        assert!(plain.to_label.is_sorted_by_key(|row| ContentId::of(&row.text)));
        assert!(plain.to_test.iter().all(|row| is_test(&row.text, TEST_SHARE)));
    }

    #[test]
    fn one_label_in_several_spellings_is_one_class_and_no_label_or_two_of_one_text_are_left_out() {
        let clean = many(&["World", "Sports"], 200);
        let plain = read(&clean).expect("a good file");
        let respelt: String = clean
            .lines()
            .enumerate()
            .map(|(number, line)| match number % 10 {
                0 => line.replace("World", "world") + "\n",
                _ => format!("{line}\n"),
            })
            .collect();

        let texts =
            read(&(respelt + "NULL,of nothing\nWorld,of both\nSports,of both\n")).expect("a good file");

        assert_eq!(texts.classes, ["Sports", "World"]);
        assert_eq!(
            (&texts.to_label, &texts.to_test),
            (&plain.to_label, &plain.to_test)
        );
        assert_eq!((texts.rows, texts.copies), (200, 0));
        assert!(plain.repairs.is_empty(), "{:?}", plain.repairs);
        assert_eq!(
            texts.repairs,
            [
                "line 201: a label such as `NULL`, `NaN` or `n/a` was read as none; a row without another one is left out \
                 as unlabelled",
                "`world` (20) is read as `World`",
                "1 text has different labels and is left out, with all its 2 rows (lines 202 and 203)",
            ]
        );
    }

    #[test]
    fn texts_are_those_that_a_training_file_holds() {
        let csv = many(&["a", "b"], 20) + "a, in white space \nb,\"on two\nlines\"\n";

        let texts = read(&csv).expect("a good file");

        let all: Vec<&str> = texts.all().collect();
        assert!(all.contains(&"in white space"), "{all:?}");
        assert!(all.contains(&"on two lines"), "{all:?}");
    }

    #[test]
    fn files_that_cannot_be_replayed_are_refused_with_a_reason() {
        let reason = |csv: &str| read(csv).expect_err("a bad file").to_string();

        assert!(reason("a,one\na,two\n").ends_with("has 1 different label, at least two are needed"));
        assert!(reason("").ends_with("has 0 different labels, at least two are needed"));
        assert!(reason("a,one\nb\n").contains("cannot be used: line 2: expected two columns"));
        let missing = Texts::read(Path::new("/no/such/file.csv")).expect_err("no file");
        assert_eq!(missing.to_string(), "the data /no/such/file.csv cannot be read");
    }

    #[test]
    fn an_imbalanced_stream_has_ten_of_one_class_for_one_of_another() {
        let texts = read(&many(&["a", "b", "c"], 6_000)).expect("a good file");
        let counts = |rows: &[&Row]| {
            let count = |class| rows.iter().filter(|row| row.labels[0] == class).count() as f64;
            ["a", "b", "c"].map(count)
        };

        for (seed, order) in [(0, [0, 1, 2]), (1, [2, 0, 1])] {
            let stream = Stream::new(&texts, 20, 10.0, seed);
            for rows in [&stream.pool, &stream.test] {
                let counts = counts(rows);
                let [most, middle, least] = order.map(|class| counts[class]);
                assert!((6.0..16.0).contains(&(most / least)), "{counts:?}");
                assert!(most > middle && middle > least, "{counts:?}");
            }
        }
    }

    #[test]
    fn a_start_always_has_two_classes() {
        let texts = read(&many(&["a", "a", "a", "a", "a", "a", "a", "b"], 400)).expect("a good file");

        for seed in 0..20 {
            let start = &Stream::new(&texts, 2, 1.0, seed).pool[..2];
            assert_ne!(start[0].labels, start[1].labels);
        }
    }
}
