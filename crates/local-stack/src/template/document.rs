//! YAML or JSON text to one tree of JSON values, short tags written out (`!Ref X` as `{"Ref": "X"}`).

use std::collections::BTreeMap;

use saphyr::{ScalarStyle, Yaml, YamlLoader};
use saphyr_parser::{Event, Parser};
use serde_json::{Map, Number, Value, json};

use crate::problems::Problems;

/// Deepest nesting of lists and objects; that of JSON here as well.
const MAX_DEPTH: usize = 128;

/// Reads the text of a template. What cannot be read at all is reported and gives `Value::Null`.
pub(super) fn read(text: &str, problems: &Problems) -> Value {
    if text.trim_start().starts_with('{')
        && let Ok(value) = serde_json::from_str(text)
    {
        return value;
    }
    if is_too_deep(text) {
        let message =
            format!("Template format error: lists and objects are nested more than {MAX_DEPTH} deep");
        problems.report("", message);
        return Value::Null;
    }
    let mut loader = YamlLoader::<Yaml<'_>>::default();
    // A scalar stays as it is written: `0.50` and `000000000000` would not survive as numbers.
    loader.early_parse(false);
    let outcome = Parser::new_from_str(text).load(&mut loader, true);
    if let Some(error) = outcome.err().or_else(|| loader.error().cloned()) {
        problems.report(
            "",
            format!("Template format error: YAML not well-formed. ({error})"),
        );
        return Value::Null;
    }
    match loader.into_documents().as_slice() {
        [document] => convert(document, "", problems),
        documents => {
            problems.report(
                "",
                format!(
                    "Template format error: expected one YAML document, found {}",
                    documents.len()
                ),
            );
            Value::Null
        }
    }
}

/// Returns whether lists and objects are nested deeper than may be, before a tree is made of them. What an alias stands for
/// counts where it stands.
fn is_too_deep(text: &str) -> bool {
    // By anchor; and the anchor of each list and object that is open, with the levels found in it.
    let mut levels: BTreeMap<usize, usize> = BTreeMap::new();
    let mut open: Vec<(usize, usize)> = Vec::new();
    for event in Parser::new_from_str(text) {
        let inner = match event {
            Ok((Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _), _)) => {
                open.push((anchor, 1));
                0
            }
            Ok((Event::SequenceEnd | Event::MappingEnd, _)) => {
                let (anchor, inner) = open.pop().unwrap_or_default();
                levels.insert(anchor, inner);
                inner
            }
            Ok((Event::Alias(anchor), _)) => levels.get(&anchor).copied().unwrap_or_default(),
            Ok(_) => 0,
            // The loader says what is wrong.
            Err(_) => return false,
        };
        if open.len() + inner > MAX_DEPTH {
            return true;
        }
        if let Some((_, outer)) = open.last_mut() {
            *outer = (*outer).max(inner + 1);
        }
    }
    false
}

fn convert(node: &Yaml<'_>, path: &str, problems: &Problems) -> Value {
    match node {
        Yaml::Representation(text, style, tag) => match tag {
            Some(tag) if !tag.is_yaml_core_schema() => {
                write_out(&tag.suffix, Value::from(text.as_ref()), path, problems)
            }
            Some(_) => Value::from(text.as_ref()),
            None if *style == ScalarStyle::Plain => plain_scalar(text),
            None => Value::from(text.as_ref()),
        },
        Yaml::Sequence(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| convert(item, &format!("{path}.{index}"), problems))
            .collect(),
        Yaml::Mapping(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                let Yaml::Representation(key, _, None) = key else {
                    problems.report(path, "Template format error: a key is not a plain text");
                    continue;
                };
                let path = join(path, key);
                let value = convert(value, &path, problems);
                if object.insert(key.to_string(), value).is_some() {
                    problems.report(path, "Template format error: duplicate key");
                }
            }
            Value::Object(object)
        }
        Yaml::Tagged(tag, inner) => write_out(&tag.suffix, convert(inner, path, problems), path, problems),
        Yaml::Value(_) | Yaml::Alias(_) | Yaml::BadValue => {
            problems.report(path, "Template format error: unreadable YAML value");
            Value::Null
        }
    }
}

/// Appends a key to a path.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Types a plain scalar: a number only if it is written back the way it was read.
fn plain_scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" => Value::Null,
        "true" | "True" => Value::Bool(true),
        "false" | "False" => Value::Bool(false),
        _ => serde_json::from_str::<Number>(text)
            .ok()
            .filter(|number| number.to_string() == text)
            .map_or_else(|| Value::from(text), Value::Number),
    }
}

fn write_out(tag: &str, argument: Value, path: &str, problems: &Problems) -> Value {
    match (tag, &argument) {
        ("Ref" | "Condition", _) => json!({ tag: argument }),
        ("GetAtt", Value::String(text)) => match text.split_once('.') {
            Some((resource, attribute)) => json!({ "Fn::GetAtt": [resource, attribute] }),
            None => json!({ "Fn::GetAtt": argument }),
        },
        (
            "And" | "Base64" | "Cidr" | "Equals" | "FindInMap" | "GetAZs" | "GetAtt" | "If" | "ImportValue"
            | "Join" | "Not" | "Or" | "Select" | "Split" | "Sub" | "Transform",
            _,
        ) => json!({ format!("Fn::{tag}"): argument }),
        _ => {
            problems.report(path, format!("the tag !{tag} is not known"));
            Value::Null
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_well(text: &str) -> Value {
        let problems = Problems::default();
        let value = read(text, &problems);
        problems.or(value).expect("the text is well-formed")
    }

    fn read_badly(text: &str) -> String {
        let problems = Problems::default();
        let value = read(text, &problems);
        problems.or(value).expect_err("the text is refused").to_string()
    }

    #[test]
    fn short_tags_are_written_out() {
        let value = read_well(
            "{a: !Ref X, b: !GetAtt X.Y.Z, c: !Sub [t, {v: !Ref W}], d: !If [C, 1, !Ref 'AWS::NoValue'], e: !Condition C, f: !GetAtt [X, Y]}",
        );

        assert_eq!(
            value,
            json!({
                "a": {"Ref": "X"},
                "b": {"Fn::GetAtt": ["X", "Y.Z"]},
                "c": {"Fn::Sub": ["t", {"v": {"Ref": "W"}}]},
                "d": {"Fn::If": ["C", 1, {"Ref": "AWS::NoValue"}]},
                "e": {"Condition": "C"},
                "f": {"Fn::GetAtt": ["X", "Y"]},
            })
        );
    }

    #[test]
    fn scalars_that_would_change_as_numbers_stay_text() {
        let value = read_well(
            "{account: 000000000000, version: 2012-10-17, rate: 0.50, half: 0.5, ten: 10, quoted: '10', yes: true, none: }",
        );

        assert_eq!(
            value,
            json!({
                "account": "000000000000", "version": "2012-10-17", "rate": "0.50", "half": 0.5,
                "ten": 10, "quoted": "10", "yes": true, "none": null,
            })
        );
    }

    #[test]
    fn json_text_is_read_as_it_is() {
        assert_eq!(
            read_well(r#"{"a": {"Fn::Sub": "\ud83d\ude00"}}"#),
            json!({"a": {"Fn::Sub": "😀"}})
        );
    }

    #[test]
    fn anchors_are_expanded() {
        assert_eq!(
            read_well("a: &x [1, 2]\nb: *x\n"),
            json!({"a": [1, 2], "b": [1, 2]})
        );
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused_whatever_way_it_is() {
        let lists = "- ".repeat(100_000);
        let objects: String = (0..2_000).map(|depth| " ".repeat(depth) + "a:\n").collect();
        let mut aliases = "a0: &a0 x\n".to_owned();
        for number in 1..40 {
            let inner = format!("{}*a{}{}", "[".repeat(100), number - 1, "]".repeat(100));
            aliases += &format!("a{number}: &a{number} {inner}\n");
        }

        for deep in [lists, objects, aliases] {
            assert!(
                read_badly(&deep).contains("nested more than 128 deep"),
                "{}",
                &deep[..40]
            );
        }
    }

    #[test]
    fn unreadable_text_is_refused_with_its_place() {
        assert!(read_badly("a: [1, 2").contains("YAML not well-formed"));
        assert!(read_badly("a: 1\n---\nb: 2\n").contains("found 2"));
        assert!(read_badly("").contains("found 0"));
        assert!(read_badly("a: {b: 1, 'b': 2}").contains("a.b: Template format error: duplicate key"));
        assert!(read_badly("a: {b: !Reff X}").contains("a.b: the tag !Reff is not known"));
    }
}
