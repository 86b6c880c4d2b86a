//! The Liquid that templates may use: standard blocks, tags and filters, made lenient, and A2I's own filters.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex};

use liquid_core::error::ResultLiquidReplaceExt;
use liquid_core::model::{KString, KStringCow, KStringRef, ScalarCow, Value, ValueCow};
use liquid_core::parser::{FilterArguments, FilterChain, TagReflection};
use liquid_core::runtime::{PartialStore, Registers};
use liquid_core::{
    BlockReflection, Filter, FilterReflection, Language, ParseBlock, ParseFilter, ParseTag, Renderable,
    Result, Runtime, TagBlock, TagTokenIter, ValueView, parser,
};
use liquid_lib::stdlib;

use super::characters::{self, Truncate};
use super::limits::{RangeCheck, Spent, Turn};
use super::{Escaping, escape, placeholder, script_safe_json};

/// Returns the language of one rendering; S3 URIs that ask for a link are noted in `uris`.
pub fn language(nonce: &str, uris: &Arc<Mutex<Vec<String>>>, spent: &Spent) -> Language {
    let mut language = Language::empty();
    for tag in tags(spent) {
        let name = tag.reflection().tag().to_owned();
        language.tags.register(name, tag);
    }
    for block in blocks() {
        let name = block.reflection().start_tag().to_owned();
        language.blocks.register(name, Box::new(LenientBlock(block)));
    }
    for filter in filters() {
        let name = filter.reflection().name().to_owned();
        language
            .filters
            .register(name, Box::new(LenientFilter(filter, spent.clone())));
    }
    let nonce = nonce.to_owned();
    let uris = Arc::clone(uris);
    let ours = [
        OurFilter::new("escape", |value| escape(&value.to_kstr(), Escaping::Full)),
        OurFilter::new("escape_once", |value| escape(&value.to_kstr(), Escaping::Once)),
        OurFilter::new("skip_autoescape", |value| value.to_kstr().into_string()),
        OurFilter::new("to_json", |value| script_safe_json(&value.to_value())),
        OurFilter::of_value("size", characters::size),
        OurFilter::new("grant_read_access", move |value| {
            let mut uris = uris.lock().expect("no holder of the lock panics");
            uris.push(value.to_kstr().into_string());
            placeholder(&nonce, uris.len() - 1)
        }),
    ];
    for filter in ours {
        language
            .filters
            .register(filter.name.to_owned(), Box::new(filter));
    }
    language
}

fn blocks() -> Vec<Box<dyn ParseBlock>> {
    vec![
        Box::new(stdlib::RawBlock),
        Box::new(stdlib::CommentBlock),
        Box::new(stdlib::IfBlock),
        Box::new(stdlib::UnlessBlock),
        Box::new(stdlib::IfChangedBlock),
        Box::new(stdlib::ForBlock),
        Box::new(stdlib::TableRowBlock),
        Box::new(stdlib::CaptureBlock),
        Box::new(stdlib::CaseBlock),
    ]
}

fn tags(spent: &Spent) -> Vec<Box<dyn ParseTag>> {
    vec![
        Box::new(Print("print", Escaping::Full, spent.clone())),
        Box::new(Print("print_once", Escaping::Once, spent.clone())),
        Box::new(Print("print_raw", Escaping::None, spent.clone())),
        Box::new(Turn::new(spent)),
        Box::new(RangeCheck::new(spent)),
        Box::new(LenientTag(Box::new(stdlib::AssignTag))),
        Box::new(LenientTag(Box::new(stdlib::BreakTag))),
        Box::new(LenientTag(Box::new(stdlib::ContinueTag))),
        Box::new(LenientTag(Box::new(stdlib::CycleTag))),
        Box::new(LenientTag(Box::new(stdlib::IncrementTag))),
        Box::new(LenientTag(Box::new(stdlib::DecrementTag))),
    ]
}

fn filters() -> Vec<Box<dyn ParseFilter>> {
    vec![
        Box::new(stdlib::Abs),
        Box::new(stdlib::Append),
        Box::new(stdlib::AtLeast),
        Box::new(stdlib::AtMost),
        Box::new(stdlib::Capitalize),
        Box::new(stdlib::Ceil),
        Box::new(stdlib::Compact),
        Box::new(stdlib::Concat),
        Box::new(stdlib::Date),
        Box::new(stdlib::Default),
        Box::new(stdlib::DividedBy),
        Box::new(stdlib::Downcase),
        Box::new(stdlib::First),
        Box::new(stdlib::Floor),
        Box::new(stdlib::Join),
        Box::new(stdlib::Last),
        Box::new(stdlib::Lstrip),
        Box::new(stdlib::Map),
        Box::new(stdlib::Minus),
        Box::new(stdlib::Modulo),
        Box::new(stdlib::NewlineToBr),
        Box::new(stdlib::Plus),
        Box::new(stdlib::Prepend),
        Box::new(stdlib::Remove),
        Box::new(stdlib::RemoveFirst),
        Box::new(stdlib::Replace),
        Box::new(stdlib::ReplaceFirst),
        Box::new(stdlib::Reverse),
        Box::new(stdlib::Round),
        Box::new(stdlib::Rstrip),
        Box::new(stdlib::Slice),
        Box::new(stdlib::Sort),
        Box::new(stdlib::SortNatural),
        Box::new(stdlib::Split),
        Box::new(stdlib::Strip),
        Box::new(stdlib::StripHtml),
        Box::new(stdlib::StripNewlines),
        Box::new(stdlib::Times),
        Box::new(Truncate),
        Box::new(stdlib::TruncateWords),
        Box::new(stdlib::Uniq),
        Box::new(stdlib::Upcase),
        Box::new(stdlib::UrlDecode),
        Box::new(stdlib::UrlEncode),
        Box::new(stdlib::Where),
    ]
}

/// A runtime in which an unknown variable is nil.
pub struct Lenient<'r>(pub &'r dyn Runtime);

impl Runtime for Lenient<'_> {
    fn get(&self, path: &[ScalarCow<'_>]) -> Result<ValueCow<'_>> {
        Ok(self.try_get(path).unwrap_or(ValueCow::Owned(Value::Nil)))
    }

    fn partials(&self) -> &dyn PartialStore {
        self.0.partials()
    }

    fn name(&self) -> Option<KStringRef<'_>> {
        self.0.name()
    }

    fn roots(&self) -> BTreeSet<KStringCow<'_>> {
        self.0.roots()
    }

    fn try_get(&self, path: &[ScalarCow<'_>]) -> Option<ValueCow<'_>> {
        characters::found(self.0, path)
    }

    fn set_global(&self, name: KString, value: Value) -> Option<Value> {
        self.0.set_global(name, value)
    }

    fn set_index(&self, name: KString, value: Value) -> Option<Value> {
        self.0.set_index(name, value)
    }

    fn get_index<'a>(&'a self, name: &str) -> Option<ValueCow<'a>> {
        self.0.get_index(name)
    }

    fn registers(&self) -> &Registers {
        self.0.registers()
    }
}

/// A parsed element that sees a lenient runtime, also within the scope of a loop.
#[derive(Debug)]
struct LenientElement(Box<dyn Renderable>);

impl Renderable for LenientElement {
    fn render_to(&self, writer: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        self.0.render_to(writer, &Lenient(runtime))
    }
}

#[derive(Clone)]
struct LenientBlock(Box<dyn ParseBlock>);

impl ParseBlock for LenientBlock {
    fn parse(
        &self,
        arguments: TagTokenIter<'_>,
        block: TagBlock<'_, '_>,
        options: &Language,
    ) -> Result<Box<dyn Renderable>> {
        Ok(Box::new(LenientElement(self.0.parse(arguments, block, options)?)))
    }

    fn reflection(&self) -> &dyn BlockReflection {
        self.0.reflection()
    }
}

/// A standard tag; what it writes (`cycle` does) is escaped.
#[derive(Clone)]
struct LenientTag(Box<dyn ParseTag>);

impl ParseTag for LenientTag {
    fn parse(&self, arguments: TagTokenIter<'_>, options: &Language) -> Result<Box<dyn Renderable>> {
        Ok(Box::new(EscapedElement(self.0.parse(arguments, options)?)))
    }

    fn reflection(&self) -> &dyn TagReflection {
        self.0.reflection()
    }
}

#[derive(Debug)]
struct EscapedElement(Box<dyn Renderable>);

impl Renderable for EscapedElement {
    fn render_to(&self, writer: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        let text = self.0.render(&Lenient(runtime))?;
        write!(writer, "{}", escape(&text, Escaping::Full)).replace("cannot write")
    }
}

/// The tag that stands for an output `{{ … }}`.
#[derive(Clone)]
struct Print(&'static str, Escaping, Spent);

impl TagReflection for Print {
    fn tag(&self) -> &str {
        self.0
    }

    fn description(&self) -> &str {
        "writes the value of an expression"
    }
}

impl ParseTag for Print {
    fn parse(&self, mut arguments: TagTokenIter<'_>, options: &Language) -> Result<Box<dyn Renderable>> {
        let expression = arguments.expect_next("an expression is expected")?;
        let expression = expression.expect_filter_chain(options).into_result()?;
        arguments.expect_nothing()?;
        Ok(Box::new(PrintElement(expression, self.1, self.2.clone())))
    }

    fn reflection(&self) -> &dyn TagReflection {
        self
    }
}

#[derive(Debug)]
struct PrintElement(FilterChain, Escaping, Spent);

impl Renderable for PrintElement {
    fn render_to(&self, writer: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        let runtime = Lenient(runtime);
        let value = self.0.evaluate(&runtime)?;
        let text = escape(&value.to_kstr(), self.1);
        self.2.bytes(text.len())?;
        write!(writer, "{text}").replace("cannot write")
    }
}

/// A standard filter that gives nil for nil where it would fail.
#[derive(Clone)]
struct LenientFilter(Box<dyn ParseFilter>, Spent);

impl ParseFilter for LenientFilter {
    fn parse(&self, arguments: FilterArguments<'_>) -> Result<Box<dyn Filter>> {
        Ok(Box::new(NilForNil(self.0.parse(arguments)?, self.1.clone())))
    }

    fn reflection(&self) -> &dyn FilterReflection {
        self.0.reflection()
    }
}

#[derive(Debug)]
struct NilForNil(Box<dyn Filter>, Spent);

impl fmt::Display for NilForNil {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Filter for NilForNil {
    fn evaluate(&self, input: &dyn ValueView, runtime: &dyn Runtime) -> Result<Value> {
        match self.0.evaluate(input, runtime) {
            Err(_) if input.is_nil() => Ok(Value::Nil),
            Ok(value) => {
                self.1.value(&value)?;
                Ok(value)
            }
            Err(error) => Err(error),
        }
    }
}

type Apply = dyn Fn(&dyn ValueView) -> Value + Send + Sync;

/// A filter without arguments.
#[derive(Clone)]
struct OurFilter {
    name: &'static str,
    apply: Arc<Apply>,
}

impl OurFilter {
    /// Returns one from a value to a text.
    fn new(name: &'static str, apply: impl Fn(&dyn ValueView) -> String + Send + Sync + 'static) -> Self {
        Self::of_value(name, move |value| Value::scalar(apply(value)))
    }

    fn of_value(name: &'static str, apply: impl Fn(&dyn ValueView) -> Value + Send + Sync + 'static) -> Self {
        Self {
            name,
            apply: Arc::new(apply),
        }
    }
}

impl fmt::Debug for OurFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

impl fmt::Display for OurFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

impl Filter for OurFilter {
    fn evaluate(&self, input: &dyn ValueView, _runtime: &dyn Runtime) -> Result<Value> {
        Ok((self.apply)(input))
    }
}

impl FilterReflection for OurFilter {
    fn name(&self) -> &str {
        self.name
    }

    fn description(&self) -> &str {
        self.name
    }

    fn positional_parameters(&self) -> &'static [parser::ParameterReflection] {
        &[]
    }

    fn keyword_parameters(&self) -> &'static [parser::ParameterReflection] {
        &[]
    }
}

impl ParseFilter for OurFilter {
    fn parse(&self, _arguments: FilterArguments<'_>) -> Result<Box<dyn Filter>> {
        Ok(Box::new(self.clone()))
    }

    fn reflection(&self) -> &dyn FilterReflection {
        self
    }
}
