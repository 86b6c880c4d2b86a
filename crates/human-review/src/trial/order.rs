//! Whether fields that are named by number stand beside the texts of these numbers.
//!
//! A template may show the items in another order than that of the input, or leave some out: a number that it counts itself is
//! then that of another item. What was rendered tells: each text is marked, and its mark is looked for on the page.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_core::labels::human_loop::HumanLoopOutput;
use active_learning_core::labels::label_set::LabelSet;
use active_learning_core::text::is_blank;
use serde_json::{Value, json};

use super::{Task, made_up::made_up_answers};
use crate::form::{Form, read_form};

/// Characters by whose beginning a text is found that the page shows cut.
const BEGINNING: usize = 20;

/// Fewest characters of such a beginning: less may stand anywhere.
const MIN_BEGINNING: usize = 8;

/// Returns an input whose texts are marked at their ends, so that each can be found on its page. What is sorted by its texts stays
/// sorted so.
pub(crate) fn marked(input: &Value) -> Value {
    let mut input = input.clone();
    let items = input["comprehendPredictions"].as_array_mut();
    for (number, item) in (1..).zip(items.into_iter().flatten()) {
        if let Some(text) = item["utterance"].as_str().filter(|text| !is_blank(text)) {
            item["utterance"] = json!(format!("{text}\n{}", mark(number)));
        }
    }
    input
}

/// A word without letters of two cases, that no text holds.
fn mark(number: usize) -> String {
    format!("0q{number:05}q0")
}

/// Returns why an answer of a page would be read as one to another text, if it would: the page is that of the [`marked`] input.
pub(crate) fn why_at_odds(html: &str, input: &Value, set: Option<&LabelSet>) -> Option<String> {
    let items = HumanLoopOutput::unanswered(input.clone()).ok()?;
    let form = read_form(html);
    let task = Task::new(items, set);
    let fields = numbered_fields(&form, &task);
    if fields.len() < 2 {
        return None;
    }
    let texts = texts_on(html, input, &form);
    let at_odds = at_odds(&fields, &texts)?;
    let name = &at_odds.name;
    Some(format!(
        "An answer would be read as one to another text: the field `{name}` is read as the answer to item {}, and stands at the text \
         of another. Where the items are sorted, filtered or reversed, a number that the page counts itself is not theirs: name the \
         field of an item by its id, as in name=\"{{{{ item.id }}}}\".",
        at_odds.item
    ))
}

/// Says of a page that its order could not be looked at, where a field is named by the number of an item whose text is not on
/// the page itself: the page is that of the [`marked`] input, and what scripts show nobody sees here.
pub(crate) fn told_of_unseen(html: &str, input: &Value, set: Option<&LabelSet>) -> Option<String> {
    let items = HumanLoopOutput::unanswered(input.clone()).ok()?;
    let form = read_form(html);
    let fields = numbered_fields(&form, &Task::new(items, set));
    let texts = texts_on(html, input, &form);
    let is_unseen = |field: &&Numbered| !texts.iter().any(|(_, item)| *item == field.item);
    let unseen = fields.iter().find(is_unseen).filter(|_| fields.len() > 1)?;
    let (name, item) = (&unseen.name, unseen.item);
    Some(format!(
        "The text of item {item} is not on the page itself: where a script shows it, look yourself that the field `{name}`, which is \
         read as its answer, stands at it. Fields that are named by ids, as in name=\"{{{{ item.id }}}}\", cannot be mistaken."
    ))
}

/// A field that answers an item by its number.
struct Numbered {
    /// Where it stands.
    place: usize,
    item: usize,
    name: String,
}

/// Returns the first field of each item that is answered by number, in the order of the page.
fn numbered_fields(form: &Form, task: &Task<'_>) -> Vec<Numbered> {
    let mut of_name: BTreeMap<String, usize> = BTreeMap::new();
    for answer in made_up_answers(&form.fields, &task.labels) {
        let by_number = task.read(&answer).by_number;
        of_name.extend(by_number.into_iter().map(|(item, name)| (name, item)));
    }
    let mut seen = BTreeSet::new();
    let fields = form.fields.iter().zip(&form.places);
    let numbered = fields.filter_map(|(field, place)| {
        let item = *of_name.get(&field.name)?;
        seen.insert(field.name.clone()).then(|| Numbered {
            place: *place,
            item,
            name: field.name.clone(),
        })
    });
    numbered.collect()
}

/// Returns where texts stand on a page, and of which items they are.
fn texts_on(html: &str, input: &Value, form: &Form) -> Vec<(usize, usize)> {
    // A template may change the case.
    let page = lower(html);
    let items = input["comprehendPredictions"].as_array();
    let texts: Vec<&str> = items
        .into_iter()
        .flatten()
        .map(|item| item["utterance"].as_str().unwrap_or_default().trim())
        .collect();
    let is_seen = |place: &usize| !form.unseen.iter().any(|unseen| unseen.contains(place));
    let find = |words: &str| -> Vec<usize> {
        let found = page.match_indices(words).map(|(place, _)| place);
        found.filter(is_seen).collect()
    };
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (number, text) in (1..).zip(&texts) {
        let mut places = find(&mark(number));
        let beginning: String = text.chars().take(BEGINNING).collect();
        let is_own = texts.iter().filter(|other| other.contains(&beginning)).count() == 1;
        if places.is_empty() && is_own && beginning.chars().count() >= MIN_BEGINNING {
            let words = lower(&htmlize::escape_all_quotes(&beginning));
            places = find(&words.replace("&apos;", "&#39;"));
        }
        found.extend(places.into_iter().map(|place| (place, number)));
    }
    found.sort_unstable();
    found
}

/// Returns a text in lower case, of which every byte keeps its place.
fn lower(text: &str) -> String {
    let one = |char: char| {
        let mut lower = char.to_lowercase();
        match (lower.next(), lower.next()) {
            (Some(one), None) if one.len_utf8() == char.len_utf8() => one,
            _ => char,
        }
    };
    text.chars().map(one).collect()
}

/// Returns the first field that stands at the text of another item. A field belongs to the text before it, or all of them do to
/// the text behind them; where all texts stand apart from all fields, both are in one order.
fn at_odds<'a>(fields: &'a [Numbered], texts: &[(usize, usize)]) -> Option<&'a Numbered> {
    let is_shown = |field: &&Numbered| texts.iter().any(|(_, item)| *item == field.item);
    let (first, last) = (fields.first()?, fields.last()?);
    let fields: Vec<&Numbered> = fields.iter().filter(is_shown).collect();
    let before = |field: &Numbered| texts.iter().rev().find(|(place, _)| *place < field.place);
    let behind = |field: &Numbered| texts.iter().find(|(place, _)| *place >= field.place);
    let is_of =
        |field: &Numbered, text: Option<&(usize, usize)>| text.is_some_and(|text| text.1 == field.item);

    let wrong = fields.iter().find(|field| !is_of(field, before(field)));
    let wrong = wrong.filter(|_| !fields.iter().all(|field| is_of(field, behind(field))))?;
    let are_apart = !texts
        .iter()
        .any(|(place, _)| (first.place..last.place).contains(place));
    let mut seen = BTreeSet::new();
    let own = |item: &usize| fields.iter().any(|field| field.item == *item);
    let in_order: Vec<usize> = texts
        .iter()
        .map(|(_, item)| *item)
        .filter(own)
        .filter(|item| seen.insert(*item))
        .collect();
    let is_in_order = fields.iter().map(|field| field.item).eq(in_order);
    (!(are_apart && is_in_order)).then_some(*wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker_template::render_html;

    fn tried(template: &str) -> Option<String> {
        on_page_of(template, why_at_odds)
    }

    /// Looks at a page about three items, which lists them as the template says.
    fn on_page_of(
        template: &str,
        look: impl Fn(&str, &Value, Option<&LabelSet>) -> Option<String>,
    ) -> Option<String> {
        let item = |(number, text, confidence): (usize, &str, f64)| {
            json!({ "id": format!("record-{number}"), "classifier": "news", "utterance": text,
                "prediction": "World", "confidence": confidence })
        };
        let items = [
            (1, "Zebra & Co are <b>late</b> again today", 0.3),
            (2, "Alpaka wool arrived in time", 0.9),
            (3, "Medvěd came \"home\" for the winter", 0.6),
        ];
        let items: Vec<Value> = items.into_iter().map(item).collect();
        let input = json!({ "comprehendPredictions": items, "labels": ["World", "Sports"] });
        let (html, _) = render_html(template, &marked(&input), "n0").expect("HTML");
        look(&html, &input, None)
    }

    const LIST: &str = "{% assign ps = task.input.comprehendPredictions %}";
    const CHOICE: &str = "<option value=''></option><option>World</option><option>Sports</option></select>";

    #[test]
    fn fields_that_are_numbered_in_another_order_than_the_texts_are_found() {
        for (order, item) in [
            ("task.input.comprehendPredictions | sort: \"utterance\"", 1),
            (
                "task.input.comprehendPredictions | sort: \"confidence\" | reverse",
                1,
            ),
            ("task.input.comprehendPredictions | reverse", 1),
            ("task.input.comprehendPredictions | sort: \"confidence\"", 2),
        ] {
            for page in [
                "<p>{{ p.utterance }}</p><select name=item-{{ forloop.index }}>",
                "<p>{{ p.utterance | upcase | truncate: 26 }}</p><select name=label_{{ forloop.index }}>",
                "<select title=\"{{ p.utterance }}\" name=item-{{ forloop.index }}>",
            ] {
                let template = format!(
                    "<script>var all = {{{{ task.input | to_json }}}};</script>{{% assign ps = {order} %}}\
                     {{% for p in ps %}}{page}{CHOICE}{{% endfor %}}"
                );
                let why = tried(&template).expect(&template);
                assert!(why.contains(&format!("item {item},")), "{template}: {why}");
                assert!(why.contains("{{ item.id }}"), "{why}");
            }
        }
        let filtered = format!(
            "{{% for p in task.input.comprehendPredictions offset: 1 %}}{{{{ p.utterance }}}}\
             <select name=item-{{{{ forloop.index }}}}>{CHOICE}{{% endfor %}}"
        );
        assert!(tried(&filtered).is_some());
    }

    #[test]
    fn fields_beside_the_texts_of_their_numbers_or_named_by_ids_are_left_alone() {
        let reversed = "{% assign ps = task.input.comprehendPredictions | reverse %}";
        let each = |list: &str, page: &str| format!("{list}{{% for p in ps %}}{page}{{% endfor %}}");
        let field = format!("<select name=item-{{{{ forloop.index }}}}>{CHOICE}");
        let counted_down = format!("<select name=item-{{{{ forloop.rindex }}}}>{CHOICE}");
        let by_id = format!("<select name=\"{{{{ p.id }}}}\">{CHOICE}");
        for template in [
            each(LIST, &format!("{{{{ p.utterance }}}}{field}")),
            each(LIST, &format!("{field}{{{{ p.utterance }}}}")),
            each(LIST, "{{ p.utterance }}") + &each(LIST, &field),
            each(LIST, "{{ p.utterance }}") + &each(LIST, &format!("{{{{ p.utterance }}}}{field}")),
            each(reversed, &format!("{{{{ p.utterance }}}}{counted_down}")),
            each(reversed, &format!("{{{{ p.utterance }}}}{by_id}")),
        ] {
            assert_eq!(tried(&template), None, "{template}");
        }
    }

    #[test]
    fn texts_that_only_a_script_shows_are_told_where_fields_are_numbered() {
        let script = "<script>var all = {{ task.input | to_json }};</script>";
        let each = |page: &str| format!("{LIST}{{% for p in ps %}}{page}{CHOICE}{{% endfor %}}");
        let by_number = each("<p class=text></p><select name=item-{{ forloop.index }}>");
        let by_id = each("<p class=text></p><select name=\"{{ p.id }}\">");
        let shown = each("<p>{{ p.utterance }}</p><select name=item-{{ forloop.index }}>");

        let told = |page: &str| on_page_of(&format!("{script}{page}"), told_of_unseen);

        let why = told(&by_number).expect("told");
        assert!(why.contains("item 1 ") && why.contains("`item-1`"), "{why}");
        assert_eq!((told(&by_id), told(&shown)), (None, None));
    }
}
