//! The lengths of texts in characters, as Liquid has them: the library counts bytes, so that a text of other letters than
//! Latin ones would be cut although it fits.

use std::fmt;

use liquid_core::model::{ScalarCow, Value, ValueCow};
use liquid_core::parser::{FilterArguments, ParameterReflection};
use liquid_core::runtime::Expression;
use liquid_core::{Error, Filter, FilterReflection, ParseFilter, Result, Runtime, ValueView};

/// Default length of `truncate`. Source: Liquid.
const DEFAULT_LENGTH: i64 = 50;
/// What a text that is cut ends with by default. Source: Liquid.
const DEFAULT_ELLIPSIS: &str = "...";
/// Member of texts, lists and objects that says how long they are.
const SIZE: &str = "size";

/// Returns what the filter `size` says: characters of a text, or members of what has members.
pub fn size(value: &dyn ValueView) -> Value {
    let size = match (value.as_scalar(), value.as_array(), value.as_object()) {
        (Some(text), _, _) => characters(&text.to_kstr()),
        (_, Some(items), _) => items.size(),
        (_, _, Some(members)) => members.size(),
        (None, None, None) => 0,
    };
    Value::scalar(size)
}

/// Returns what a path finds; of a text its `size` in characters.
pub fn found<'r>(runtime: &'r dyn Runtime, path: &[ScalarCow<'_>]) -> Option<ValueCow<'r>> {
    let found = runtime.try_get(path)?;
    let [.., of, last] = path else {
        return Some(found);
    };
    // Of a size no size is asked for, so that a long path of them costs no more than another.
    if last.to_kstr() != SIZE || of.to_kstr() == SIZE {
        return Some(found);
    }
    let whole = runtime.try_get(&path[..path.len() - 1]);
    match whole.as_ref().and_then(|whole| whole.as_scalar()) {
        Some(text) => Some(ValueCow::Owned(Value::scalar(characters(&text.to_kstr())))),
        None => Some(found),
    }
}

fn characters(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

/// The filter `truncate`.
#[derive(Debug, Clone)]
pub struct Truncate;

impl FilterReflection for Truncate {
    fn name(&self) -> &str {
        "truncate"
    }

    fn description(&self) -> &str {
        "cuts a text that has more characters"
    }

    fn positional_parameters(&self) -> &'static [ParameterReflection] {
        &[]
    }

    fn keyword_parameters(&self) -> &'static [ParameterReflection] {
        &[]
    }
}

impl ParseFilter for Truncate {
    fn parse(&self, mut arguments: FilterArguments<'_>) -> Result<Box<dyn Filter>> {
        let (length, ellipsis) = (arguments.positional.next(), arguments.positional.next());
        if arguments.positional.next().is_some() || arguments.keyword.next().is_some() {
            return Err(Error::with_msg("truncate takes a length and an ellipsis"));
        }
        Ok(Box::new(Cut { length, ellipsis }))
    }

    fn reflection(&self) -> &dyn FilterReflection {
        self
    }
}

/// `truncate` with its arguments.
#[derive(Debug)]
struct Cut {
    length: Option<Expression>,
    ellipsis: Option<Expression>,
}

impl fmt::Display for Cut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("truncate")
    }
}

impl Filter for Cut {
    fn evaluate(&self, input: &dyn ValueView, runtime: &dyn Runtime) -> Result<Value> {
        let length = match &self.length {
            None => DEFAULT_LENGTH,
            Some(length) => {
                let length = length.evaluate(runtime)?;
                let number = length.as_scalar().and_then(|length| length.to_integer());
                number.ok_or_else(|| Error::with_msg("The length of truncate must be a whole number"))?
            }
        };
        let ellipsis = match &self.ellipsis {
            None => DEFAULT_ELLIPSIS.to_owned(),
            Some(ellipsis) => ellipsis.evaluate(runtime)?.to_kstr().into_string(),
        };
        let text = input.to_kstr();
        if characters(&text) <= length {
            return Ok(input.to_value());
        }
        let kept = length.saturating_sub(characters(&ellipsis));
        let kept = usize::try_from(kept).unwrap_or_default();
        let cut: String = text.chars().take(kept).collect();
        Ok(Value::scalar(cut + &ellipsis))
    }
}
