//! Which field of a submitted form answers which item: by id, then by number, and with one item the one field
//! whose value is a label.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    answer::{Answer, ExclusionCategories},
    fields::{Field, Resolve, Shape, fields_with},
    offered::OfferedLabels,
};

/// Beginnings of numbered names that count from 1: the reference sample's and the shipped template's.
const KNOWN_PREFIXES: [&str; 2] = ["textCategory", "item-"];

/// Ids of this length or longer are also found within a longer name.
const MIN_EMBEDDED_ID: usize = 8;

/// What one reviewer's form says about the items of a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    /// The answer to each item; none where it was left blank, or cannot be told.
    pub answers: Vec<Option<Answer>>,
    /// Names of the fields that gave an answer.
    pub read: BTreeSet<String>,
    /// By place of an item, from 0, the name of the field that answers it by its number alone.
    pub by_number: BTreeMap<usize, String>,
    /// Whether something was entered.
    pub is_filled: bool,
    /// Whether all that it says is that the prediction, which it repeats, is not right.
    pub is_denial: bool,
}

impl Reading {
    /// Returns whether something was entered of which no answer to any item could be read.
    pub fn is_unreadable(&self) -> bool {
        self.is_filled && self.answers.iter().all(Option::is_none)
    }
}

/// Returns what a form about one item says: the one answer that is a label, or else a proposal; none where it was left
/// blank, or cannot be told. Where an exclusion category is chosen, none fits.
pub fn answer_of_one(
    content: &Map<String, Value>,
    exclusions: &ExclusionCategories,
    offered: &OfferedLabels,
) -> Option<Answer> {
    let resolve = |name: &str| offered.resolve(name);
    let mut reading = read(&[Vec::new()], content, exclusions, &resolve);
    reading.answers.pop().flatten()
}

/// Reads a form about items that have these ids, one or several each.
///
/// With one item, the one answer that resolves to a label is its answer, whatever its name. With several, a
/// field belongs to the item whose id it is named by, or to that of its number: of several numbered fields
/// of an item those count whose values are labels. What is not plain is no answer.
pub(crate) fn read(
    items: &[Vec<&str>],
    content: &Map<String, Value>,
    exclusions: &ExclusionCategories,
    resolve: Resolve<'_>,
) -> Reading {
    let all = fields_with(content, exclusions);
    let mut filled: Vec<&Field> = all.iter().filter(|field| !field.is_blank()).collect();
    let by_id: Vec<Vec<&Field>> = items.iter().map(|ids| named_by(ids, &filled)).collect();
    let is_by_id = by_id.iter().any(|fields| !fields.is_empty());
    let by_number = numbered(&all, items, is_by_id, resolve);

    let mut reading = Reading {
        answers: Vec::new(),
        read: BTreeSet::new(),
        by_number: BTreeMap::new(),
        is_filled: !filled.is_empty(),
        is_denial: false,
    };
    for (place, mut fields) in by_id.into_iter().enumerate() {
        let shown = match items.len() {
            1 => all.iter().collect(),
            _ => named_by(&items[place], &all.iter().collect::<Vec<_>>()),
        };
        if is_left_blank(&shown, resolve) {
            fields.retain(|field| !field.is_typed_aside(resolve));
            filled.retain(|field| items.len() > 1 || !field.is_typed_aside(resolve));
        }
        let picked = match fields.as_slice() {
            [field] if items[place].contains(&field.name()) => field
                .answer_or_proposal(resolve)
                .map(|answer| (answer, vec![*field])),
            [_, ..] => pick(&fields, resolve),
            [] if items.len() == 1 => pick(&filled, resolve),
            [] => by_number.get(&place).and_then(|field| {
                let answer = field.answer_or_proposal(resolve)?;
                reading.by_number.insert(place, field.root().to_owned());
                Some((answer, vec![*field]))
            }),
        };
        let (answer, used) = picked.unzip();
        let used = used.into_iter().flatten();
        reading.read.extend(used.map(|field| field.root().to_owned()));
        reading.answers.push(answer);
    }
    reading
}

/// Returns the fields about the item of a place, from 0: all of them where there is no other item; else those that are named
/// by one of its ids, or by its number, from 1, or from 0 where a field has that.
pub(super) fn fields_about<'a>(items: &[Vec<&str>], place: usize, fields: &'a [Field]) -> Vec<&'a Field> {
    let all: Vec<&Field> = fields.iter().collect();
    if items.len() == 1 {
        return all;
    }
    let is_id = |field: &Field| items.iter().any(|ids| !named_by(ids, &[field]).is_empty());
    let numbered: Vec<(usize, &Field)> = (all.iter().filter(|field| !is_id(field)))
        .filter_map(|field| Some((cut_number(&field.path.join("."))?.1, *field)))
        .collect();
    let first = usize::from(numbered.iter().all(|(number, _)| *number > 0));
    let of_number = numbered
        .into_iter()
        .filter(|(number, _)| *number == first + place);
    let by_id = named_by(&items[place], &all).into_iter();
    by_id.chain(of_number.map(|(_, field)| field)).collect()
}

/// Returns whether labels could be chosen and none was.
fn is_left_blank(fields: &[&Field], resolve: Resolve<'_>) -> bool {
    let mut choices = fields.iter().filter(|field| field.is_choice_of_labels(resolve));
    let is_blank = choices.next().is_some_and(|first| first.is_blank());
    is_blank && choices.all(|field| field.is_blank())
}

/// Returns the fields that are named by an id, whole or, if it is long, as part of a name.
fn named_by<'a>(ids: &[&str], fields: &[&'a Field]) -> Vec<&'a Field> {
    let is_whole = |field: &&&Field| field.path.iter().any(|name| ids.contains(&name.as_str()));
    let whole: Vec<&Field> = fields.iter().filter(is_whole).copied().collect();
    if !whole.is_empty() {
        return whole;
    }
    let holds = |field: &&&Field| {
        ids.iter()
            .any(|id| field.path.iter().any(|name| embeds(name, id)))
    };
    fields.iter().filter(holds).copied().collect()
}

fn embeds(name: &str, id: &str) -> bool {
    let is_end = |next: Option<char>| next.is_none_or(|next| !next.is_alphanumeric());
    id.len() >= MIN_EMBEDDED_ID
        && name.match_indices(id).any(|(start, _)| {
            is_end(name[..start].chars().next_back()) && is_end(name[start + id.len()..].chars().next())
        })
}

/// Returns the one answer that the fields give about one item, and the fields that give it.
fn pick<'a>(fields: &[&'a Field], resolve: Resolve<'_>) -> Option<(Answer, Vec<&'a Field>)> {
    let answered = |field: &&'a Field| Some((field.answer(resolve)?, *field));
    let given: Vec<(Answer, &Field)> = fields.iter().filter_map(answered).collect();
    for with_texts in [false, true] {
        let is_ranked =
            |field: &Field| (with_texts || field.shape != Shape::Text) && !field.is_comment(resolve);
        let ranked: Vec<_> = given
            .iter()
            .filter(|(_, field)| is_ranked(field))
            .cloned()
            .collect();
        if !ranked.is_empty() {
            return agreed(ranked, resolve);
        }
    }

    let meant = |field: &&&Field| field.is_for_answer(resolve);
    let proposals = fields.iter().filter(meant);
    let proposals = proposals.filter_map(|field| Some((field.answer_or_proposal(resolve)?, *field)));
    let proposals: Vec<_> = proposals.collect();
    if proposals.is_empty() {
        return agreed(given, resolve);
    }
    agreed(proposals, resolve)
}

/// Returns the answer that all fields give, or the labels of boxes that are named by them.
fn agreed<'a>(given: Vec<(Answer, &'a Field)>, resolve: Resolve<'_>) -> Option<(Answer, Vec<&'a Field>)> {
    let (first, _) = given.first()?;
    let used = given.iter().map(|(_, field)| *field).collect();
    if given.iter().all(|(answer, _)| answer == first) {
        return Some((first.clone(), used));
    }
    let names: Option<Vec<String>> = given
        .iter()
        .map(|(answer, field)| {
            let label = resolve(field.name()).filter(|_| field.shape == Shape::Marks)?;
            (*answer == Answer::labels([label.clone()])).then_some(label)
        })
        .collect();
    Some((Answer::labels(names?), used))
}

/// Fields that differ by a number only.
#[derive(Default)]
struct Series<'a> {
    /// Whether the number is a place in a list.
    is_list: bool,
    fields: BTreeMap<usize, &'a Field>,
}

impl Series<'_> {
    /// Returns how well the values answer for the items; nothing where they do not.
    ///
    /// No name but the known ones counts: a hidden field that repeats the prediction may be called anything.
    fn rank(&self, is_known: bool, resolve: Resolve<'_>) -> Option<Rank> {
        let filled = self.fields.values().filter(|field| !field.is_blank());
        let answers = filled
            .clone()
            .filter(|field| field.answer(resolve).is_some())
            .count();
        let is_chosen = self.fields.values().any(|field| field.shape != Shape::Text);
        let is_meant = is_known || self.fields.values().any(|field| field.is_for_answer(resolve));
        let rank = (answers > 0, is_known, answers == filled.count(), is_chosen);
        (answers > 0 || is_meant).then_some(rank)
    }

    fn is_comment(&self, resolve: Resolve<'_>) -> bool {
        self.fields.values().any(|field| field.is_comment(resolve))
    }

    fn has_choice_of_labels(&self, resolve: Resolve<'_>) -> bool {
        (self.fields.values()).any(|field| field.is_choice_of_labels(resolve))
    }

    fn is_typed_aside(&self, resolve: Resolve<'_>) -> bool {
        (self.fields.values()).all(|field| field.is_typed_aside(resolve))
    }

    fn says_the_same(&self, other: &Self, resolve: Resolve<'_>) -> bool {
        let say = |series: &Self, number| series.fields.get(number)?.answer_or_proposal(resolve);
        let mut numbers = self.fields.keys().chain(other.fields.keys());
        numbers.all(|number| say(self, number) == say(other, number))
    }
}

/// Whether labels are among the values, the name is a known one, every value is a label, and it comes from a
/// choice.
type Rank = (bool, bool, bool, bool);

/// Returns the field of each item by its place, from 0.
///
/// Where the template names fields by id, only the known names are read by number. Two series of labels that
/// say different things are not told apart, nor is a series that may begin at 0 as well as at 1.
fn numbered<'a>(
    fields: &'a [Field],
    items: &[Vec<&str>],
    is_by_id: bool,
    resolve: Resolve<'_>,
) -> BTreeMap<usize, &'a Field> {
    let mut series: BTreeMap<(String, String), Series<'a>> = BTreeMap::new();
    for field in fields {
        let is_id = items.iter().any(|ids| !named_by(ids, &[field]).is_empty());
        if let Some((before, number, after)) = cut_number(&field.path.join(".")).filter(|_| !is_id) {
            let is_list = before.ends_with('[') && after.starts_with(']');
            let same = series.entry((before, after)).or_default();
            same.is_list = is_list;
            same.fields.insert(number, field);
        }
    }
    let begins_at_zero = series
        .values()
        .any(|series| series.fields.len() > 1 && series.fields.contains_key(&0));

    let is_known = |name: &(String, String)| KNOWN_PREFIXES.contains(&name.0.as_str()) && name.1.is_empty();
    let has_choices = series.values().any(|series| series.has_choice_of_labels(resolve));
    let is_aside = |name: &(String, String), series: &Series<'_>| {
        series.is_comment(resolve) || has_choices && !is_known(name) && series.is_typed_aside(resolve)
    };
    let mut ranked: Vec<(Rank, Series<'a>)> = series
        .into_iter()
        .filter(|(name, series)| !is_aside(name, series) && (!is_by_id || is_known(name)))
        .filter_map(|(name, series)| Some((series.rank(is_known(&name), resolve)?, series)))
        .collect();
    ranked.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
    let Some((rank, best)) = ranked.first() else {
        return BTreeMap::new();
    };
    let mut rivals = ranked[1..].iter().take_while(|(other, _)| other == rank);
    if rivals.any(|(_, rival)| !best.says_the_same(rival, resolve)) {
        return BTreeMap::new();
    }

    let last = best.fields.keys().next_back().copied().unwrap_or_default();
    let first = match () {
        () if best.fields.contains_key(&0) => 0,
        () if rank.1 || last >= items.len() => 1,
        () if begins_at_zero => 0,
        () => return BTreeMap::new(),
    };
    // A list that is shorter than the items does not say which it leaves out.
    if best.is_list && last + 1 != first + items.len() {
        return BTreeMap::new();
    }
    let place = |(number, field): (&usize, &&'a Field)| Some((number.checked_sub(first)?, *field));
    best.fields.iter().filter_map(place).collect()
}

/// Cuts the number out of a name: a place in a list, or else the last digits.
fn cut_number(name: &str) -> Option<(String, usize, String)> {
    let in_list = name.match_indices('[').find_map(|(open, _)| {
        let close = open + name[open..].find(']')?;
        let digits = &name[open + 1..close];
        digits.parse().ok().map(|number| (open + 1, close, number))
    });
    let (start, end, number) = match in_list {
        Some(found) => found,
        None => {
            let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
            let start = name[..end].trim_end_matches(|c: char| c.is_ascii_digit()).len();
            (start, end, name[start..end].parse().ok()?)
        }
    };
    Some((name[..start].to_owned(), number, name[end..].to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::labels::label_key::label_key;

    fn resolve(name: &str) -> Option<String> {
        ["World", "Sports", "Sci / Tech"]
            .into_iter()
            .find(|label| label_key(label) == label_key(name))
            .map(str::to_owned)
    }

    fn label(name: &str) -> Option<Answer> {
        Some(Answer::labels([name]))
    }

    fn proposed(name: &str) -> Option<Answer> {
        Some(Answer::NewLabel { label: name.into() })
    }

    fn read(items: &[Vec<&str>], content: &Map<String, Value>, resolve: Resolve<'_>) -> Reading {
        super::read(items, content, &ExclusionCategories::new(), resolve)
    }

    /// Reads a form about that many items, whose ids are `id-a`, `id-b` and so on.
    fn answers(count: usize, content: Value) -> Vec<Option<Answer>> {
        let ids: Vec<String> = ('a'..).take(count).map(|letter| format!("id-{letter}")).collect();
        let items: Vec<Vec<&str>> = ids.iter().map(|id| vec![id.as_str()]).collect();
        read(&items, content.as_object().expect("an object"), &resolve).answers
    }

    #[test]
    fn with_one_item_the_one_answer_that_is_a_label_counts_whatever_its_name() {
        for content in [
            json!({"category": "World"}),
            json!({"anything": " wORLD "}),
            json!({"category": {"label": "World"}}),
            json!({"category": {"labels": ["World"]}}),
            json!({"topic": {"World": true, "Sports": false}}),
            json!({"World": {"World": true}, "Sports": {"Sports": false}}),
            json!({"World": {"on": true}, "Sports": {"on": false}}),
            json!({"World": true, "Sports": false}),
            json!({"category": "World", "comment": "Sports"}),
            json!({"comment": "about Sports", "topic": "World"}),
            json!({"category": {"label": "World"}, "text": "Sports"}),
            json!({"comment": "World", "sure": {"on": true}}),
            json!({"annotations": {"category": {"label": "World"}}}),
            json!({"annotations": [{"label": "World"}]}),
            json!({"annotations": {"result": [{"value": "World", "note": "Sports"}]}}),
            json!({"answer": "{\"category\":\"World\"}"}),
            json!({"category.label": "World"}),
            json!({"0": "World"}),
            json!({"label_7": "World"}),
        ] {
            assert_eq!(answers(1, content.clone()), [label("World")], "{content}");
        }
    }

    #[test]
    fn several_labels_of_one_item_are_its_answer() {
        let both = Some(Answer::labels(["World", "Sports"]));
        for content in [
            json!({"topics": {"labels": ["World", "Sports"]}}),
            json!({"topics": {"World": true, "Sports": true, "Sci / Tech": false}}),
            json!({"World": {"on": true}, "Sports": {"on": true}, "Sci / Tech": {"on": false}}),
            json!({"topics": ["World", "Sports"]}),
        ] {
            assert_eq!(
                answers(1, content.clone()),
                std::slice::from_ref(&both),
                "{content}"
            );
        }
    }

    #[test]
    fn boxes_are_read_by_the_labels_that_name_them_whatever_those_are_called() {
        let labels = ["Phone", "Notebook", "Feedback on service", "Note"];
        let resolve = |name: &str| labels.contains(&name).then(|| name.to_owned());
        let read = |content: Value| {
            let items = [vec!["id-a"]];
            read(&items, content.as_object().expect("an object"), &resolve).answers
        };
        let on = json!({"on": true});

        for chosen in [
            ["Phone", "Notebook"],
            ["Feedback on service", "Phone"],
            ["Note", "Notebook"],
        ] {
            let content = json!({chosen[0]: on, chosen[1]: on});
            assert_eq!(read(content), [Some(Answer::labels(chosen))], "{chosen:?}");
        }
        let commented = json!({"Phone": on, "note": "Notebook"});
        assert_eq!(read(commented), [Some(Answer::labels(["Phone"]))]);
    }

    #[test]
    fn two_fields_that_name_different_labels_are_no_answer() {
        for content in [
            json!({"first": "World", "second": "Sports"}),
            json!({"prediction": "World", "topic": "Sports"}),
            json!({"a": {"label": "World"}, "b": {"label": "Sports"}}),
        ] {
            assert_eq!(answers(1, content.clone()), [None], "{content}");
        }
        assert_eq!(
            answers(1, json!({"first": "World", "second": "world"})),
            [label("World")]
        );
    }

    #[test]
    fn a_choice_that_is_no_label_is_a_proposal_and_a_comment_is_not() {
        assert_eq!(
            answers(1, json!({"category": {"label": "Weather"}, "comment": "World"})),
            [proposed("Weather")]
        );
        assert_eq!(answers(1, json!({"category": "Weather"})), [proposed("Weather")]);
        assert_eq!(answers(1, json!({"id-a": "Weather"})), [proposed("Weather")]);
        assert_eq!(answers(1, json!({"comment": "Weather"})), [None]);
        assert_eq!(answers(1, json!({"whatever": "a long text"})), [None]);
        assert_eq!(
            answers(
                1,
                json!({"ans": {"World": false, "Other": true}, "words": "Weather"})
            ),
            [proposed("Other")],
            "a button beside those of labels"
        );
        assert_eq!(answers(1, json!({"World": {"yes": false, "no": true}})), [None]);
    }

    #[test]
    fn what_is_typed_beside_choices_that_were_left_blank_is_no_label() {
        for content in [
            json!({"World": {"World": false}, "Sports": {"Sports": false}, "why": "World"}),
            json!({"World": {"on": false}, "Sports": {"on": false}, "seen": "Sports"}),
            json!({"World": false, "Sports": false, "comment": "World"}),
            json!({"topics": {"World": false, "Sports": false}, "why": "World"}),
            json!({"topics": {"labels": []}, "why": "World"}),
            json!({"id-a": {"World": false, "Sports": false}, "why": "World"}),
        ] {
            assert_eq!(answers(1, content.clone()), [None], "{content}");
        }
        for content in [
            json!({"topics": {"World": false, "Sports": false}, "otherLabel": "World"}),
            json!({"sure": {"on": false}, "topic": "World"}),
        ] {
            assert_eq!(answers(1, content.clone()), [label("World")], "{content}");
        }
        for content in [
            json!({"id-record-a": {"World": true, "Sports": false}, "why-id-record-a": "Sports",
                "id-record-b": {"World": false, "Sports": false}, "why-id-record-b": "World"}),
            json!({"q_1": {"World": true, "Sports": false}, "why_1": "Sports",
                "q_2": {"World": false, "Sports": false}, "why_2": "World"}),
        ] {
            let items = [vec!["id-record-a"], vec!["id-record-b"]];
            let given = read(&items, content.as_object().expect("an object"), &resolve).answers;
            assert_eq!(given, [label("World"), None], "{content}");
        }
    }

    #[test]
    fn with_several_items_a_field_belongs_to_the_id_that_names_it() {
        for content in [
            json!({"id-b": "Sports", "id-a": {"label": "World"}}),
            json!({"annotations": {"id-b": {"category": "Sports", "comment": "World"}, "id-a": {"category": "World"}}}),
            json!({"annotations": [{"id": "id-b", "label": "Sports"}, {"id": "id-a", "label": "World"}]}),
            json!({"annotations": [{"item": "id-b", "label": "Sports"}, {"item": "id-a", "label": "World"}]}),
            json!({"annotations": [{"id": "row-1", "textId": "id-b", "label": "Sports"}, {"id": "row-2", "textId": "id-a", "label": "World"}]}),
            json!({"id-b": {"Sports": true, "World": false}, "id-a": {"World": true, "Sports": false}}),
        ] {
            assert_eq!(
                answers(2, content.clone()),
                [label("World"), label("Sports")],
                "{content}"
            );
        }
    }

    #[test]
    fn with_several_items_fields_are_matched_by_number() {
        for content in [
            json!({"0": "World", "1": "Sports"}),
            json!({"1": "World", "2": "Sports"}),
            json!({"item-1": "World", "item-2": "Sports"}),
            json!({"item-0001": {"label": "World"}, "item-0002": {"label": "Sports"}}),
            json!({"label_1": "World", "label_2": "Sports"}),
            json!({"predictions[0]": "World", "predictions[1]": "Sports"}),
            json!({"predictions[1].label": "World", "predictions[2].label": "Sports"}),
            json!({"items": [{"topic": "World"}, {"topic": "Sports"}]}),
            json!({"annotations": {"q1": {"World": true}, "q2": {"Sports": true}}}),
            json!({"label_1": "World", "comment_1": "Sports", "label_2": "Sports", "comment_2": ""}),
            json!({"hint_1": "long", "label_1": "World", "hint_2": "Sports", "label_2": "Sports"}),
            json!({"label_1": "World", "label_2": "Sports", "text_0": "one", "text_1": "two"}),
            json!({"answers": [{"id": 2, "label": "Sports"}, {"id": 1, "label": "World"}]}),
            json!({"answers": [{"item": 2, "label": "Sports"}, {"item": 1, "label": "World"}]}),
        ] {
            assert_eq!(
                answers(2, content.clone()),
                [label("World"), label("Sports")],
                "{content}"
            );
        }
    }

    #[test]
    fn of_several_items_what_cannot_be_told_is_refused() {
        for content in [
            json!({"category": "World"}),
            json!({"first_1": "World", "first_2": "World", "second_1": "Sports", "second_2": "World"}),
            json!({"World": {"on": true}}),
            json!({"answers": [{"label": "World"}]}),
        ] {
            assert_eq!(answers(2, content.clone()), [None, None], "{content}");
        }
        // The second and third of three, or the first and second.
        let unclear = json!({"q1": {"World": true}, "q2": {"Sports": true}});
        assert_eq!(answers(3, unclear), [None, None, None]);
    }

    #[test]
    fn a_blank_answer_leaves_the_others_of_its_page_as_they_are() {
        let content = json!({"label_1": "World", "label_2": "", "label_3": "sci / tech"});
        assert_eq!(answers(3, content), [label("World"), None, label("Sci / Tech")]);
        assert_eq!(answers(2, json!({"id-b": "Sports"})), [None, label("Sports")]);
        for content in [
            json!({"answers": [{"id": 2, "label": "Sports"}]}),
            json!({"answers": [{"id": "2", "label": "Sports"}]}),
        ] {
            assert_eq!(answers(2, content.clone()), [None, label("Sports")], "{content}");
        }
    }
}
