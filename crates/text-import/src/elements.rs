//! The elements of one JSON document, one by one.

use std::{fmt, io::Read};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, value::RawValue};

use crate::encoding::holds_no_letter;

/// What a document says beside the array of its texts.
#[derive(Debug, Default)]
pub(crate) struct Head {
    /// Its fields but for arrays, in their order; the same name may come more than once.
    pub fields: Vec<(String, Value)>,
    /// The names of its arrays, in their order.
    pub arrays: Vec<String>,
    /// Whether it is an object.
    pub is_object: bool,
}

impl Head {
    /// Reads what a document says beside its arrays. A damaged one has what was found before.
    ///
    /// # Errors
    ///
    /// Those of the input, never for what it holds.
    pub(crate) fn read(input: impl Read) -> std::io::Result<Self> {
        let mut head = Self::default();
        let read = serde_json::Deserializer::from_reader(input).deserialize_any(HeadVisitor(&mut head));
        match read {
            Err(error) if error.is_io() => Err(error.into()),
            Ok(()) | Err(_) => Ok(head),
        }
    }

    /// Returns whether bytes were replaced in what it says.
    pub(crate) fn holds_no_letter(&self) -> bool {
        let is_in = |value: &Value| holds_no_letter(value.to_string().as_bytes());
        let mut fields = self.fields.iter();
        fields.any(|(name, value)| holds_no_letter(name.as_bytes()) || is_in(value))
    }
}

struct HeadVisitor<'a>(&'a mut Head);

impl<'de> Visitor<'de> for HeadVisitor<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a document")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        self.0.is_object = true;
        while let Some(name) = fields.next_key::<String>()? {
            match fields.next_value_seed(ValueSeed)? {
                Some(value) => self.0.fields.push((name, value)),
                None => self.0.arrays.push(name),
            }
        }
        Ok(())
    }
}

/// Reads a value; an array, which may be long, is passed over.
struct ValueSeed;

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Option<Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Value::from(value)))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(Value::from(value)))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(Value::from(value)))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(Value::from(value)))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(Value::from(value)))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(Some(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some((name, value)) = fields.next_entry::<String, Value>()? {
            object.insert(name, value);
        }
        Ok(Some(Value::Object(object)))
    }
}

/// Which elements of a document are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted<'a> {
    /// Those of the document, which is an array.
    Itself,
    /// Those of the array in this field.
    Field(&'a str),
}

/// Hands the elements of a document to `emit`, as they are written, with their number from 1, until it
/// returns false.
///
/// # Errors
///
/// What is wrong with the document, after the elements before.
pub(crate) fn elements(
    input: impl Read,
    wanted: Wanted<'_>,
    emit: &mut dyn FnMut(u64, &str) -> bool,
) -> Result<(), serde_json::Error> {
    let mut stopped = false;
    let mut number = 0;
    let mut deserializer = serde_json::Deserializer::from_reader(input);
    loop {
        let is_first = number == 0;
        let elements = Elements {
            wanted,
            emit: &mut *emit,
            stopped: &mut stopped,
            number: &mut number,
            is_first,
        };
        match deserializer.deserialize_any(elements) {
            Err(_) if stopped => return Ok(()),
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        match deserializer.end() {
            Ok(()) => return Ok(()),
            // Lists one behind another, as in files that were joined.
            Err(error) if !error.is_io() && matches!(wanted, Wanted::Itself) && number > 0 => {}
            Err(error) => return Err(error),
        }
    }
}

struct Elements<'a> {
    wanted: Wanted<'a>,
    emit: &'a mut dyn FnMut(u64, &str) -> bool,
    stopped: &'a mut bool,
    /// Of the last element.
    number: &'a mut u64,
    /// Whether no list stands before this one.
    is_first: bool,
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.wanted {
            Wanted::Itself => formatter.write_str("an object with `sentences`, or an array of objects"),
            Wanted::Field(name) => write!(formatter, "`{name}` to be an array"),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<Box<RawValue>>()? {
            *self.number += 1;
            if !(self.emit)(*self.number, element.get()) {
                *self.stopped = true;
                return Err(A::Error::custom("no more is wanted"));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let Wanted::Field(wanted) = self.wanted else {
            return Err(A::Error::custom(match self.is_first {
                true => "field `sentences` is missing",
                false => "an object stands behind a list; put each into a file of its own",
            }));
        };
        while let Some(name) = fields.next_key::<String>()? {
            if name == wanted {
                let inner = Inner(Elements {
                    wanted: self.wanted,
                    emit: &mut *self.emit,
                    stopped: &mut *self.stopped,
                    number: &mut *self.number,
                    is_first: self.is_first,
                });
                fields.next_value_seed(inner)?;
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Inner<'a>(Elements<'a>);

impl<'de> DeserializeSeed<'de> for Inner<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self.0)
    }
}
