//! Fields that one JSON object gives twice: which of the two is meant cannot be told, and parsers keep the last in silence.

use std::{collections::HashSet, fmt, io::Read};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

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
    let mut found = None;
    let mut deserializer = serde_json::Deserializer::from_reader(json);
    let error = Fields(&mut found).deserialize(&mut deserializer).err()?;
    Some(RepeatedField {
        name: found?,
        line: error.line(),
        column: error.column(),
    })
}

/// Looks through a value, and notes the first name that comes twice.
struct Fields<'a>(&'a mut Option<String>);

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = fields.next_key::<String>()? {
            if !names.insert(name.clone()) {
                *self.0 = Some(name);
                return Err(A::Error::custom("a field is given twice"));
            }
            fields.next_value_seed(Fields(&mut *self.0))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(Fields(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
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
}
