//! Fields that one JSON object gives twice: which of the two is meant cannot be told, and parsers keep the last in silence.

use std::{collections::HashSet, fmt, io::Read};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A field that is given twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepeatedField {
    /// Its name. It may be a text: some documents name their texts so.
    pub name: String,
    /// Line of the document on which it comes again, from 1.
    pub line: usize,
    /// Column there, from 1.
    pub column: usize,
}

/// Returns the first field that an object of a JSON document gives twice, at any depth; `None` also where the document is
/// damaged before one.
pub fn repeated_field(json: impl Read) -> Option<RepeatedField> {
    read_once(json).err().flatten()
}

/// Reads a JSON document, and sees in the same pass whether an object gives a field twice.
///
/// # Errors
///
/// The first field that an object gives twice, at any depth; `None` where the document is damaged before one, or goes on
/// behind its end.
pub fn read_once(json: impl Read) -> Result<Value, Option<RepeatedField>> {
    let mut found = None;
    let mut deserializer = serde_json::Deserializer::from_reader(json);
    let read = Fields(&mut found).deserialize(&mut deserializer);
    match read.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) => Err(found.map(|name| RepeatedField {
            name,
            line: error.line(),
            column: error.column(),
        })),
    }
}

/// Reads a value, and notes the first name that comes twice.
struct Fields<'a>(&'a mut Option<String>);

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let (mut names, mut read) = (HashSet::new(), Map::new());
        while let Some(name) = fields.next_key::<String>()? {
            if !names.insert(name.clone()) {
                *self.0 = Some(name);
                return Err(A::Error::custom("a field is given twice"));
            }
            let value = fields.next_value_seed(Fields(&mut *self.0))?;
            read.insert(name, value);
        }
        Ok(Value::Object(read))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(element) = elements.next_element_seed(Fields(&mut *self.0))? {
            read.push(element);
        }
        Ok(Value::Array(read))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str) -> Option<(String, usize)> {
        repeated_field(json.as_bytes()).map(|field| (field.name, field.line))
    }

    #[test]
    fn a_field_that_one_object_gives_twice_is_found_at_any_depth_and_told_by_its_line() {
        assert_eq!(found("{\"a\": 1,\n \"b\": 2,\n \"a\": 3}"), Some(("a".into(), 3)));
        assert_eq!(
            found(r#"[{"a": [{"x": 1, "\u0078": null}]}]"#),
            Some(("x".into(), 1))
        );
    }

    #[test]
    fn fields_of_different_objects_and_damaged_documents_are_no_repetition() {
        for json in [
            r#"[{"a": 1}, {"a": 2, "b": {"a": true, "c": [1.5, -1, "a", null]}}]"#,
            r#""a""#,
            r#"{"a": 1, "a"#,
            "",
        ] {
            assert_eq!(found(json), None, "{json}");
        }
    }

    #[test]
    fn a_document_without_repetition_is_read_as_by_any_reader() {
        let json = r#" {"a": [1, -2, 2.5, 18446744073709551615], "b": {"c": "\u00e4", "d": [null, true]}} "#;

        assert_eq!(
            read_once(json.as_bytes()),
            Ok(serde_json::from_str(json).expect("JSON"))
        );
        assert_eq!(read_once(&b"{} {}"[..]), Err(None), "it goes on behind its end");
    }
}
