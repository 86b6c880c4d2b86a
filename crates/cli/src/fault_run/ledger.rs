//! What was sent, what was acknowledged, who was asked what, and what must have come of it.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::AddAssign,
    sync::{Mutex, MutexGuard, PoisonError},
};

use active_learning_core::{feedback::record_id, labels::human_loop::NONE_FITS, random::Random};

use crate::wording::counted;

/// Name of the classifier that clients name.
pub(super) const CLASSIFIER: &str = "faults";

/// Labels of the texts: those that the shipped sample begins with. Clients and reviewers go on to say the old name of the
/// one that is renamed.
const LABELS: [&str; 4] = ["World", "Sports", "Business", "SciTech"];

/// The label that is renamed in the middle of a run, and its name from then on.
pub(super) const RENAMED: (&str, &str) = ("SciTech", "Science and technology");

/// Labels of the texts of a run in which labels are changed: two more, which are added before the first text is sent.
const LABELS_OF_CHANGES: [&str; 6] = ["World", "Sports", "Business", "SciTech", MERGED.0, RETIRED];

/// The label that is made another one, which its texts have from then on.
pub(super) const MERGED: (&str, &str) = ("Markets", "Business");

/// The label in whose place come others; what it has is asked again.
pub(super) const SPLIT: (&str, [&str; 2]) = ("Sports", ["Football", "Tennis"]);

/// The label that goes out of use; its texts are left out.
pub(super) const RETIRED: &str = "Weather";

/// Of so many texts one is labelled wrongly at first, by mistake.
const TEXTS_PER_MISTAKE: usize = 16;

/// Texts that are uploaded in one file, and of so many such blocks one is.
pub(super) const BLOCK: usize = 10;
const BLOCKS_PER_FILE: usize = 8;

/// Words of a text, so many that no two texts are near duplicates.
const WORDS: usize = 14;

/// What a client does with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Has it classified; it is doubtful whatever the model says.
    Classify,
    /// Corrects a prediction.
    Correct,
    /// Dislikes a wrong prediction and does not say what is right.
    Dislike,
    /// Likes a prediction: nobody is asked.
    Like,
}

/// All texts of a run.
pub(super) struct Ledger {
    seed: u64,
    records: usize,
    /// Reviewers who are asked about each text.
    opinions: u8,
    /// Whether labels are merged, split and retired in the middle.
    has_changes: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Number of the text by the id of its question.
    numbers: HashMap<String, usize>,
    acknowledged: BTreeSet<usize>,
    /// Of these, whose answer said that people will be asked.
    expected: BTreeSet<usize>,
    /// Answers that the portal took, by the id of the question, then by reviewer.
    answers: HashMap<String, HashMap<String, u32>>,
    /// The same of texts whose label is split or retired later: what was answered before may be asked again.
    before_change: HashMap<String, HashMap<String, u32>>,
    /// Questions whose mistake has been made.
    mistaken: HashSet<String>,
    /// Reviewer and human loop of each mistake that is not corrected yet.
    to_correct: BTreeSet<(String, String)>,
}

/// What became of all texts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub acknowledged: usize,
    pub expected: usize,
    pub labelled: usize,
    pub lost: usize,
    pub twice: usize,
    pub mispaired: usize,
    pub asked_twice: usize,
    pub dead_letters: usize,
}

impl AddAssign for Verdict {
    fn add_assign(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.expected += other.expected;
        self.labelled += other.labelled;
        self.lost += other.lost;
        self.twice += other.twice;
        self.mispaired += other.mispaired;
        self.asked_twice += other.asked_twice;
        self.dead_letters += other.dead_letters;
    }
}

impl Verdict {
    /// Returns what it counts, with the names that tables give it.
    pub(super) fn rows(&self) -> [(&'static str, usize); 8] {
        [
            ("texts acknowledged", self.acknowledged),
            ("of these to be labelled", self.expected),
            ("labelled", self.labelled),
            ("lost", self.lost),
            ("labelled twice", self.twice),
            ("with another text's label", self.mispaired),
            ("asked twice", self.asked_twice),
            ("dead letters left", self.dead_letters),
        ]
    }

    /// Returns whether nothing was lost, doubled or falsified.
    pub(super) fn is_clean(&self) -> bool {
        [
            self.lost,
            self.twice,
            self.mispaired,
            self.asked_twice,
            self.dead_letters,
        ]
        .iter()
        .all(|count| *count == 0)
    }
}

impl Ledger {
    pub(super) fn new(seed: u64, records: usize, opinions: u8) -> Self {
        Self {
            seed,
            records,
            opinions,
            has_changes: false,
            state: Mutex::default(),
        }
    }

    /// Has texts of labels that are merged, split and retired in the middle.
    pub(super) fn with_changes(self) -> Self {
        Self {
            has_changes: true,
            ..self
        }
    }

    /// Returns whether texts have labels that are merged, split or retired in the middle.
    pub(super) fn has_changes(&self) -> bool {
        self.has_changes
    }

    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// Returns what the client with the text of this number does.
    pub(super) fn kind(&self, number: usize) -> Kind {
        match self.random(number).next_u64() % 20 {
            0..12 => Kind::Classify,
            12..15 => Kind::Correct,
            15..18 => Kind::Dislike,
            _ => Kind::Like,
        }
    }

    /// Returns whether the block that begins with this number is uploaded in a file, as dislikes.
    pub(super) fn is_file(&self, first: usize) -> bool {
        (first / BLOCK) % BLOCKS_PER_FILE == 1
    }

    /// Returns the right label of the text of this number; its first word says it too.
    pub(super) fn label(&self, number: usize) -> &'static str {
        match self.has_changes {
            true => LABELS_OF_CHANGES[number % LABELS_OF_CHANGES.len()],
            false => LABELS[number % LABELS.len()],
        }
    }

    /// Returns the label that a text has at the end of a run; none where its label is retired.
    fn label_at_end(&self, number: usize) -> Option<&'static str> {
        match self.label(number) {
            label if !self.has_changes => Some(name_now(label)),
            label if label == MERGED.0 => Some(MERGED.1),
            label if label == SPLIT.0 => Some(part(number)),
            RETIRED => None,
            label => Some(name_now(label)),
        }
    }

    /// Returns the text of this number: no two are alike.
    pub(super) fn text(&self, number: usize) -> String {
        let mut random = self.random(number);
        let mut text = format!("{} {number}", self.label(number).to_lowercase());
        for _ in 0..WORDS {
            text.push(' ');
            for _ in 0..6 {
                text.push(char::from(b'a' + (random.next_u64() % 26) as u8));
            }
        }
        text
    }

    fn random(&self, number: usize) -> Random {
        Random::new(self.seed.wrapping_mul(0x9e37_79b9).wrapping_add(number as u64))
    }

    /// Notes that a text will be sent: people may be asked before its client has heard.
    pub(super) fn will_send(&self, number: usize) {
        let id = record_id(CLASSIFIER, &self.text(number));
        self.state().numbers.insert(id, number);
    }

    /// Returns how many texts are acknowledged.
    pub(super) fn acknowledged(&self) -> usize {
        self.state().acknowledged.len()
    }

    /// Notes an acknowledgement, and whether it said that people will be asked.
    pub(super) fn acknowledge(&self, number: usize, is_asked: bool) {
        let mut state = self.state();
        state.acknowledged.insert(number);
        if is_asked {
            state.expected.insert(number);
        }
    }

    /// Returns the right answer to a question of a page that offers these labels; `None` if it is of no text of this run.
    pub(super) fn answer(&self, id: &str, labels: &[String]) -> Option<&'static str> {
        let number = self.state().numbers.get(id).copied()?;
        let is_offered = |label: &str| labels.iter().any(|offered| offered == label);
        Some(match self.label(number) {
            label if !self.has_changes => label,
            label if label == SPLIT.0 && !is_offered(label) => part(number),
            RETIRED if !is_offered(RETIRED) => NONE_FITS,
            label => label,
        })
    }

    /// Returns the wrong label that a reviewer gives to a question first; `None` for most, and for the second time.
    ///
    /// No client contradicts it: feedback that was stored but not acknowledged is sent again, and what contradicts
    /// an answer is asked again by design.
    pub(super) fn mistake(&self, id: &str) -> Option<&'static str> {
        let mut state = self.state();
        let number = *state.numbers.get(id)?;
        let wrong = self.label(number + 2);
        // These would not be wrong, or not until the end.
        let is_changed = self.has_changes && [SPLIT.0, MERGED.0, RETIRED].contains(&wrong);
        let is_one = number % TEXTS_PER_MISTAKE == 5
            && !is_changed
            && !self.is_corrected_by_client(number)
            && state.mistaken.insert(id.to_owned());
        is_one.then_some(wrong)
    }

    /// Returns the wrong label that a client dislikes as the prediction; no reviewer gives it.
    pub(super) fn disliked(&self, number: usize) -> &'static str {
        self.label(number + 1)
    }

    fn is_corrected_by_client(&self, number: usize) -> bool {
        !self.is_file(number - number % BLOCK) && self.kind(number) == Kind::Correct
    }

    /// Describes the questions that were asked twice, by number of the text and by what its client did.
    pub(super) fn asked_twice(&self) -> Vec<String> {
        let state = self.state();
        let numbers = self
            .questions_asked_twice(&state)
            .filter_map(|id| state.numbers.get(id).copied());
        let description = |number: usize| match self.is_file(number - number % BLOCK) {
            true => format!("text {number}, of a file"),
            false => format!("text {number}, {:?}", self.kind(number)),
        };
        numbers.map(description).collect()
    }

    /// Returns the questions that a reviewer answered twice, or more reviewers than were to be asked.
    fn questions_asked_twice<'a>(&'a self, state: &'a State) -> impl Iterator<Item = &'a String> {
        let answers = [&state.answers, &state.before_change];
        let asked_twice = answers.into_iter().flatten().filter(|(id, by_reviewer)| {
            by_reviewer.len() > self.reviewers_wanted(state, id)
                || by_reviewer.values().any(|count| *count > 1)
        });
        asked_twice.map(|(id, _)| id)
    }

    /// Returns how many reviewers may be asked a question: one more breaks the tie of two, of whom one was mistaken.
    fn reviewers_wanted(&self, state: &State, id: &str) -> usize {
        let is_tie = self.opinions == 2 && state.mistaken.contains(id);
        usize::from(self.opinions) + usize::from(is_tie)
    }

    /// Notes that a reviewer answered a task wrongly. Where others are asked too, they outvote it.
    pub(super) fn to_correct(&self, reviewer: &str, task: &str) {
        if self.opinions > 1 {
            return;
        }
        let mistake = (reviewer.to_owned(), task.to_owned());
        self.state().to_correct.insert(mistake);
    }

    /// Returns the tasks that a reviewer answered wrongly and has not corrected.
    pub(super) fn tasks_to_correct(&self, reviewer: &str) -> Vec<String> {
        let state = self.state();
        let own = state.to_correct.iter().filter(|(whose, _)| whose == reviewer);
        own.map(|(_, task)| task.clone()).collect()
    }

    /// Notes that a mistake is corrected.
    pub(super) fn is_corrected(&self, reviewer: &str, task: &str) {
        let mistake = (reviewer.to_owned(), task.to_owned());
        self.state().to_correct.remove(&mistake);
    }

    /// Notes that the portal took a reviewer's answers to these questions, before their label was split or retired.
    pub(super) fn answered_before_change(&self, reviewer: &str, ids: &[String]) {
        let mut state = self.state();
        for id in ids {
            let by_reviewer = state.before_change.entry(id.clone()).or_default();
            *by_reviewer.entry(reviewer.to_owned()).or_default() += 1;
        }
    }

    /// Returns whether a page with these labels asks a question whose label is split or retired later.
    pub(super) fn is_before_change(&self, id: &str, labels: &[String]) -> bool {
        let number = self.state().numbers.get(id).copied();
        let label = number.map(|number| self.label(number));
        self.has_changes
            && label.is_some_and(|label| {
                [SPLIT.0, RETIRED].contains(&label) && labels.iter().any(|offered| offered == label)
            })
    }

    /// Returns how many texts were asked again since their label was split.
    pub(super) fn asked_again(&self) -> usize {
        let state = self.state();
        let is_split = |id: &&String| {
            let number = state.numbers.get(*id);
            number.is_some_and(|number| self.label(*number) == SPLIT.0)
        };
        let ids = state.before_change.keys().filter(is_split);
        ids.filter(|id| state.answers.contains_key(*id)).count()
    }

    /// Notes that the portal took a reviewer's answers to these questions.
    pub(super) fn answered(&self, reviewer: &str, ids: &[String]) {
        let mut state = self.state();
        for id in ids {
            let by_reviewer = state.answers.entry(id.clone()).or_default();
            *by_reviewer.entry(reviewer.to_owned()).or_default() += 1;
        }
    }

    /// Returns how many texts must be labelled.
    pub(super) fn expected(&self) -> usize {
        self.to_be_labelled(&self.state()).count()
    }

    /// Returns the texts that must be labelled: not those whose label is retired.
    fn to_be_labelled<'a>(&'a self, state: &'a State) -> impl Iterator<Item = usize> + 'a {
        let expected = state.expected.iter().copied();
        expected.filter(|number| self.label_at_end(*number).is_some())
    }

    /// Returns how many of these rows, of label and text, have a label that is not their text's.
    pub(super) fn mispaired(&self, exported: &[(String, String)]) -> usize {
        let wrong = exported.iter().filter(|(label, text)| {
            let number = self.state().numbers.get(&record_id(CLASSIFIER, text)).copied();
            number.is_none_or(|number| self.label_at_end(number) != Some(label))
        });
        wrong.count()
    }

    pub(super) fn progress(&self) -> String {
        let state = self.state();
        let answers: usize = state.answers.values().map(HashMap::len).sum();
        format!(
            "{} of {} acknowledged, {}",
            state.acknowledged.len(),
            self.records,
            counted(answers, "answer")
        )
    }

    /// Returns how many of the texts that must be labelled are not among these rows, of label and text.
    pub(super) fn missing(&self, exported: &[(String, String)]) -> usize {
        let texts: HashSet<&str> = exported.iter().map(|(_, text)| text.as_str()).collect();
        let expected: Vec<usize> = self.to_be_labelled(&self.state()).collect();
        expected
            .into_iter()
            .filter(|number| !texts.contains(self.text(*number).as_str()))
            .count()
    }

    /// Judges what was exported, rows of label and text.
    pub(super) fn verdict(&self, exported: &[(String, String)], dead_letters: usize) -> Verdict {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (_, text) in exported {
            *seen.entry(text).or_default() += 1;
        }
        let (lost, mispaired) = (self.missing(exported), self.mispaired(exported));
        let state = self.state();
        Verdict {
            acknowledged: state.acknowledged.len(),
            expected: self.to_be_labelled(&state).count(),
            labelled: seen.len(),
            lost,
            twice: seen.values().filter(|count| **count > 1).count(),
            mispaired,
            asked_twice: self.questions_asked_twice(&state).count(),
            dead_letters,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the part of the label that was split to which a text belongs.
fn part(number: usize) -> &'static str {
    SPLIT.1[number / LABELS_OF_CHANGES.len() % SPLIT.1.len()]
}

/// Returns the name that a label has at the end of a run.
fn name_now(label: &str) -> &str {
    match label == RENAMED.0 {
        true => RENAMED.1,
        false => label,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger_of(records: usize) -> Ledger {
        let ledger = Ledger::new(1, records, 1);
        for number in 0..records {
            ledger.will_send(number);
            ledger.acknowledge(number, ledger.kind(number) != Kind::Like);
        }
        ledger
    }

    fn exported(ledger: &Ledger) -> Vec<(String, String)> {
        (0..ledger.records())
            .filter(|number| ledger.kind(*number) != Kind::Like)
            .map(|number| (name_now(ledger.label(number)).to_owned(), ledger.text(number)))
            .collect()
    }

    #[test]
    fn a_run_in_which_every_text_came_back_once_is_clean() {
        let ledger = ledger_of(200);
        let exported = exported(&ledger);

        let verdict = ledger.verdict(&exported, 0);

        assert!(verdict.is_clean(), "{verdict:?}");
        assert_eq!((verdict.acknowledged, verdict.labelled), (200, exported.len()));
        assert!(exported.len() < 200);
    }

    #[test]
    fn no_client_contradicts_what_a_reviewer_answers_by_mistake() {
        // Where labels change in the middle, two of three would not be wrong until the end.
        let changing = Ledger::new(1, 2_000, 1).with_changes();
        for (ledger, least) in [(ledger_of(2_000), 50), (changing, 20)] {
            (0..2_000).for_each(|number| ledger.will_send(number));
            let mistakes: Vec<(usize, &str)> = (0..2_000)
                .filter_map(|number| {
                    let id = record_id(CLASSIFIER, &ledger.text(number));
                    Some((number, ledger.mistake(&id)?))
                })
                .collect();

            assert!(mistakes.len() > least, "{}", mistakes.len());
            for (number, wrong) in mistakes {
                assert_ne!(wrong, ledger.label(number));
                assert_ne!(wrong, ledger.disliked(number));
                assert!(!ledger.is_corrected_by_client(number), "{number}");
            }
        }
    }

    #[test]
    fn what_is_lost_doubled_or_falsified_is_counted() {
        let ledger = ledger_of(200);
        let mut exported = exported(&ledger);
        exported.remove(0);
        exported.push(exported[0].clone());
        exported[3].0 = "no label of these".to_owned();
        exported.push(("World".to_owned(), "a text of nobody".to_owned()));
        let id = record_id(CLASSIFIER, &exported[5].1);
        ledger.answered("bob", std::slice::from_ref(&id));
        ledger.answered("bob", &[id]);

        let verdict = ledger.verdict(&exported, 2);

        let counts = (verdict.lost, verdict.twice, verdict.mispaired);
        assert_eq!(counts, (1, 1, 2));
        assert_eq!((verdict.asked_twice, verdict.dead_letters), (1, 2));
        assert!(!verdict.is_clean());
    }

    #[test]
    fn what_is_merged_split_or_retired_has_its_label_of_the_end_and_is_asked_again_once() {
        let ledger = Ledger::new(1, 12, 1).with_changes();
        (0..12).for_each(|number| ledger.will_send(number));
        (0..12).for_each(|number| ledger.acknowledge(number, true));
        let id = |number| record_id(CLASSIFIER, &ledger.text(number));
        let all = LABELS_OF_CHANGES.map(str::to_owned);
        let labels = |number| ledger.label_at_end(number);

        let at_end: Vec<_> = [1, 7, 4, 3, 5].map(labels).to_vec();
        let answers = [(1, &all[..]), (1, &all[2..]), (5, &all[..]), (5, &all[..5])];
        let answers = answers.map(|(number, offered)| ledger.answer(&id(number), offered));
        ledger.answered_before_change("ann", &[id(1)]);
        ledger.answered("bob", &[id(1)]);
        let (again, twice) = (ledger.asked_again(), ledger.asked_twice());
        ledger.answered_before_change("ann", &[id(1)]);

        assert_eq!(
            at_end,
            [
                Some("Football"),
                Some("Tennis"),
                Some("Business"),
                Some(RENAMED.1),
                None
            ]
        );
        assert_eq!(
            answers,
            [Some("Sports"), Some("Football"), Some(RETIRED), Some(NONE_FITS)]
        );
        assert_eq!((again, twice.len(), ledger.asked_twice().len()), (1, 0, 1));
        assert!(ledger.is_before_change(&id(5), &all) && !ledger.is_before_change(&id(5), &all[..5]));
        assert!(!ledger.is_before_change(&id(0), &all));
        assert_eq!(ledger.expected(), 10);
        assert_eq!(ledger.mispaired(&[(RETIRED.to_owned(), ledger.text(5))]), 1);
    }

    #[test]
    fn two_reviewers_who_are_asked_what_one_is_to_answer_are_counted() {
        let ledger = ledger_of(200);
        let id = [record_id(CLASSIFIER, &ledger.text(7))];

        ledger.answered("ann", &id);
        let before = ledger.verdict(&[], 0).asked_twice;
        ledger.answered("bob", &id);

        assert_eq!((before, ledger.verdict(&[], 0).asked_twice), (0, 1));
        assert_eq!(ledger.asked_twice(), [format!("text 7, {:?}", ledger.kind(7))]);
    }

    #[test]
    fn of_two_who_are_to_be_asked_a_third_is_one_too_many_unless_one_was_mistaken() {
        let ledger = Ledger::new(1, 200, 2);
        (0..200).for_each(|number| ledger.will_send(number));
        let ids = (0..200).map(|number| record_id(CLASSIFIER, &ledger.text(number)));
        let (mistaken, right): (Vec<String>, Vec<String>) = ids.partition(|id| ledger.mistake(id).is_some());
        assert!(!mistaken.is_empty());

        for reviewer in ["ann", "bob"] {
            ledger.answered(reviewer, &mistaken);
            ledger.answered(reviewer, &right);
        }
        let of_two = ledger.verdict(&[], 0).asked_twice;
        ledger.answered("cid", &mistaken);
        let of_three = ledger.verdict(&[], 0).asked_twice;
        ledger.answered("cid", &right[..3]);
        ledger.answered("dan", &mistaken[..1]);

        assert_eq!((of_two, of_three), (0, 0));
        assert_eq!(ledger.verdict(&[], 0).asked_twice, 4);
    }
}
