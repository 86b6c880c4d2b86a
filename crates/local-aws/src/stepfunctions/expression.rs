//! Payload templates (`Parameters`, `ResultSelector`, `ItemSelector`) and intrinsic functions.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{
    failure::Failure,
    path::{Data, Path},
};

/// How deep calls of intrinsic functions may stand in one another; a field of AWS has no more of them in all.
///
/// Source: AWS Step Functions Developer Guide, "Intrinsic functions".
const MAX_NESTED: usize = 10;

/// A document some of whose members (`"name.$"`) are computed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) enum Template {
    Constant(Value),
    Object(Vec<(String, Template)>),
    List(Vec<Template>),
    Computed(Expression),
}

/// What computes a value.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum Expression {
    Path(Path),
    Constant(Value),
    /// A text between quotes, its escapes as they are written.
    Text(String),
    Call(Function, Vec<Expression>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Array,
    ArrayGetItem,
    ArrayLength,
    Base64Decode,
    Base64Encode,
    Format,
    Hash,
    JsonMerge,
    JsonToString,
    MathAdd,
    StringToJson,
    Uuid,
}

impl TryFrom<Value> for Template {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::Object(members) => {
                let members = members
                    .into_iter()
                    .map(|(key, value)| match key.strip_suffix(".$") {
                        None => Ok((key, Self::try_from(value)?)),
                        Some(name) => {
                            let text = value.as_str().ok_or(format!("`{key}` must be a text"))?;
                            Ok((name.to_owned(), Self::Computed(Expression::parse(text)?)))
                        }
                    });
                Ok(Self::Object(members.collect::<Result<_, String>>()?))
            }
            Value::Array(items) => {
                let items = items.into_iter().map(Self::try_from);
                Ok(Self::List(items.collect::<Result<_, _>>()?))
            }
            constant => Ok(Self::Constant(constant)),
        }
    }
}

impl Template {
    /// Computes the document.
    pub(super) fn fill(&self, data: Data<'_>) -> Result<Value, Failure> {
        match self {
            Self::Constant(value) => Ok(value.clone()),
            Self::Computed(expression) => expression.evaluate(data),
            Self::List(items) => items.iter().map(|item| item.fill(data)).collect(),
            Self::Object(members) => members
                .iter()
                .map(|(name, member)| Ok((name.clone(), member.fill(data)?)))
                .collect(),
        }
    }

    /// Returns the members of a template that is an object.
    pub(super) fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            Self::Constant(_) | Self::List(_) | Self::Computed(_) => &[],
        }
    }

    /// Returns whether the context object is used anywhere in it.
    pub(super) fn uses_context(&self) -> bool {
        match self {
            Self::Constant(_) => false,
            Self::Computed(expression) => expression.uses_context(),
            Self::List(items) => items.iter().any(Self::uses_context),
            Self::Object(members) => members.iter().any(|(_, member)| member.uses_context()),
        }
    }
}

impl TryFrom<String> for Expression {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl Expression {
    /// Parses a path or a call of an intrinsic function.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (expression, rest) = argument(text, MAX_NESTED)?;
        let is_constant = matches!(expression, Self::Constant(_) | Self::Text(_));
        if is_constant || !rest.trim().is_empty() {
            return Err(format!("`{text}` is neither a path nor an intrinsic function"));
        }
        Ok(expression)
    }

    /// Computes the value.
    pub(super) fn evaluate(&self, data: Data<'_>) -> Result<Value, Failure> {
        match self {
            Self::Path(path) => path.get(data, "States.ParameterPathFailure"),
            Self::Constant(value) => Ok(value.clone()),
            Self::Text(raw) => Ok(unescape(raw).into()),
            Self::Call(function, arguments) => {
                let mut values: Vec<Value> = arguments
                    .iter()
                    .map(|argument| argument.evaluate(data))
                    .collect::<Result<_, _>>()?;
                if let (Function::Format, Some(Self::Text(raw))) = (function, arguments.first()) {
                    values[0] = raw.clone().into();
                }
                call(*function, &values).ok_or_else(|| {
                    let cause = format!("The arguments of the intrinsic {function:?} do not fit it.");
                    Failure::new("States.IntrinsicFailure", cause)
                })
            }
        }
    }

    fn uses_context(&self) -> bool {
        match self {
            Self::Path(path) => path.is_of_context(),
            Self::Constant(_) | Self::Text(_) => false,
            Self::Call(_, arguments) => arguments.iter().any(Self::uses_context),
        }
    }
}

/// Reads one argument, of so many nested calls at most; returns it and what is behind.
fn argument(text: &str, nested: usize) -> Result<(Expression, &str), String> {
    let text = text.trim_start();
    if let Some(quoted) = text.strip_prefix('\'') {
        let end = closing_quote(quoted).ok_or_else(|| format!("`{text}` lacks a closing quote"))?;
        return Ok((Expression::Text(quoted[..end].to_owned()), &quoted[end + 1..]));
    }
    if text.starts_with("States.") {
        return call_of(text, nested);
    }
    let (token, rest) = text.split_at(end_of_token(text));
    let token = token.trim_end();
    if token.starts_with('$') {
        return Ok((Expression::Path(Path::parse(token)?), rest));
    }
    match serde_json::from_str(token) {
        Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => {
            Ok((Expression::Constant(value), rest))
        }
        _ => Err(format!("`{token}` is no argument of an intrinsic function")),
    }
}

fn call_of(text: &str, nested: usize) -> Result<(Expression, &str), String> {
    let nested = nested
        .checked_sub(1)
        .ok_or_else(|| format!("more than {MAX_NESTED} intrinsic functions are nested"))?;
    let (name, mut rest) = text
        .split_once('(')
        .ok_or_else(|| format!("`{text}` lacks its arguments"))?;
    let function = Function::named(name.trim_end())
        .ok_or_else(|| format!("the intrinsic function {} is not supported", name.trim_end()))?;
    let mut arguments = Vec::new();
    if let Some(after) = rest.trim_start().strip_prefix(')') {
        rest = after;
    } else {
        loop {
            let (next, after) = argument(rest, nested)?;
            arguments.push(next);
            let after = after.trim_start();
            if let Some(after) = after.strip_prefix(',') {
                rest = after;
            } else if let Some(after) = after.strip_prefix(')') {
                rest = after;
                break;
            } else {
                return Err(format!("the arguments of {name} are not closed"));
            }
        }
    }
    if !function.takes(arguments.len()) {
        return Err(format!("{name} does not take {} arguments", arguments.len()));
    }
    if function == Function::Hash
        && let Expression::Text(algorithm) = &arguments[1]
        && hash("", algorithm).is_none()
    {
        return Err(format!("States.Hash with {algorithm} is not supported"));
    }
    Ok((Expression::Call(function, arguments), rest))
}

fn closing_quote(quoted: &str) -> Option<usize> {
    let mut escaped = false;
    quoted.char_indices().find_map(|(at, c)| {
        let found = c == '\'' && !escaped;
        escaped = c == '\\' && !escaped;
        found.then_some(at)
    })
}

/// Returns where a path or a constant ends: at a comma or bracket that is not inside quotes.
fn end_of_token(text: &str) -> usize {
    let mut quote = None;
    let end = text.char_indices().find(|(_, c)| match quote {
        Some(open) => {
            if *c == open {
                quote = None;
            }
            false
        }
        None => {
            if matches!(c, '\'' | '"') {
                quote = Some(*c);
            }
            matches!(c, ',' | ')')
        }
    });
    end.map_or(text.len(), |(at, _)| at)
}

fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut escaped = false;
    for c in raw.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            text.push(c);
            escaped = false;
        }
    }
    text
}

impl Function {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "States.Array" => Self::Array,
            "States.ArrayGetItem" => Self::ArrayGetItem,
            "States.ArrayLength" => Self::ArrayLength,
            "States.Base64Decode" => Self::Base64Decode,
            "States.Base64Encode" => Self::Base64Encode,
            "States.Format" => Self::Format,
            "States.Hash" => Self::Hash,
            "States.JsonMerge" => Self::JsonMerge,
            "States.JsonToString" => Self::JsonToString,
            "States.MathAdd" => Self::MathAdd,
            "States.StringToJson" => Self::StringToJson,
            "States.UUID" => Self::Uuid,
            _ => return None,
        })
    }

    fn takes(self, count: usize) -> bool {
        match self {
            Self::Array => true,
            Self::Format => count >= 1,
            Self::Uuid => count == 0,
            Self::ArrayLength
            | Self::Base64Decode
            | Self::Base64Encode
            | Self::JsonToString
            | Self::StringToJson => count == 1,
            Self::ArrayGetItem | Self::Hash | Self::MathAdd => count == 2,
            Self::JsonMerge => count == 3,
        }
    }
}

fn call(function: Function, arguments: &[Value]) -> Option<Value> {
    Some(match (function, arguments) {
        (Function::Array, items) => items.into(),
        (Function::ArrayGetItem, [list, index]) => {
            let index = usize::try_from(index.as_u64()?).ok()?;
            list.as_array()?.get(index)?.clone()
        }
        (Function::ArrayLength, [list]) => list.as_array()?.len().into(),
        (Function::Base64Decode, [text]) => {
            let bytes = BASE64_STANDARD.decode(text.as_str()?).ok()?;
            String::from_utf8(bytes).ok()?.into()
        }
        (Function::Base64Encode, [text]) => BASE64_STANDARD.encode(text.as_str()?).into(),
        (Function::Format, [template, values @ ..]) => format(template.as_str()?, values)?.into(),
        (Function::Hash, [data, algorithm]) => hash(&plain(data), algorithm.as_str()?)?.into(),
        // Only the shallow merge exists, on AWS too.
        (Function::JsonMerge, [first, second, Value::Bool(false)]) => {
            let mut merged = first.as_object()?.clone();
            merged.extend(second.as_object()?.clone());
            merged.into()
        }
        (Function::JsonToString, [value]) => value.to_string().into(),
        (Function::MathAdd, [first, second]) => integer(first)?.checked_add(integer(second)?)?.into(),
        (Function::StringToJson, [text]) => serde_json::from_str(text.as_str()?).ok()?,
        (Function::Uuid, []) => uuid::Uuid::new_v4().to_string().into(),
        _ => return None,
    })
}

/// Replaces each `{}` by the next value; `\{` and `\}` are braces.
fn format(template: &str, values: &[Value]) -> Option<String> {
    let mut values = values.iter();
    let mut text = String::new();
    let mut rest = template.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => text.push(rest.next()?),
            '{' => {
                (rest.next()? == '}').then_some(())?;
                text.push_str(&plain(values.next()?));
            }
            '}' => return None,
            c => text.push(c),
        }
    }
    values.next().is_none().then_some(text)
}

/// Returns a text as it is and anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn hash(data: &str, algorithm: &str) -> Option<String> {
    Some(match algorithm {
        "SHA-256" => hex::encode(Sha256::digest(data)),
        "SHA-384" => hex::encode(Sha384::digest(data)),
        "SHA-512" => hex::encode(Sha512::digest(data)),
        _ => return None,
    })
}

/// Returns a whole number; others are rounded, as Step Functions does.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let rounded = value.as_f64()?.round();
        (rounded.abs() < i32::MAX.into()).then_some(rounded as i64)
    })
}

/// Returns the text that a value computed for `Error` or `Cause` is.
pub(super) fn text_of(value: Value) -> Result<String, Failure> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(Failure::runtime(format!("{} is not a text", json!(other)))),
    }
}

#[cfg(test)]
mod tests;
