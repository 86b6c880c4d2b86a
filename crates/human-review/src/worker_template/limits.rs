//! How much a template may do: so many turns of loops, so much text.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use liquid_core::model::ValueView;
use liquid_core::parser::TagReflection;
use liquid_core::runtime::Expression;
use liquid_core::{Error, Language, ParseTag, Renderable, Result, Runtime, TagTokenIter};

use super::source::{RANGE_CHECK, TURN};

/// Most turns of all loops of a page.
const MAX_TURNS: usize = 100_000;
/// Most bytes that the bodies of loops, outputs and filters make of a page in all.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Longest page that is rendered, bytes; one that fits into a response is shorter.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

/// What a page may still cost. A clone is the same budget.
#[derive(Debug, Clone, Default)]
pub struct Spent(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    turns: AtomicUsize,
    bytes: AtomicUsize,
}

impl Spent {
    /// Counts one turn of a loop whose body has this many bytes.
    pub fn turn(&self, body_bytes: usize) -> Result<()> {
        if self.0.turns.fetch_add(1, Ordering::Relaxed) >= MAX_TURNS {
            return Err(too_many_turns());
        }
        self.bytes(body_bytes)
    }

    /// Checks the turns that a loop over a range of numbers is to have, before they are made.
    pub fn range(&self, start: i64, end: i64) -> Result<()> {
        let turns = end
            .checked_sub(start)
            .map_or(usize::MAX, |turns| turns.max(0) as usize);
        match turns < MAX_TURNS {
            true => Ok(()),
            false => Err(too_many_turns()),
        }
    }

    /// Counts a value that a filter has made.
    pub fn value(&self, value: &dyn ValueView) -> Result<()> {
        match value.as_array() {
            Some(array) => self.bytes(16 * array.size().max(0) as usize),
            None if value.is_scalar() => self.bytes(value.to_kstr().len()),
            None => Ok(()),
        }
    }

    /// Counts bytes of text.
    pub fn bytes(&self, bytes: usize) -> Result<()> {
        let before = self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        match before.saturating_add(bytes) <= MAX_BYTES {
            true => Ok(()),
            false => Err(Error::with_msg("The template makes too much text")),
        }
    }
}

fn too_many_turns() -> Error {
    Error::with_msg(format!(
        "The loops of the template have more than {MAX_TURNS} turns"
    ))
}

/// The tag that begins the body of a loop and counts its turns; its argument is the body's length.
#[derive(Clone)]
pub struct Turn(Spent);

impl Turn {
    /// Returns the tag that counts into a budget.
    pub fn new(spent: &Spent) -> Self {
        Self(spent.clone())
    }
}

impl TagReflection for Turn {
    fn tag(&self) -> &str {
        TURN
    }

    fn description(&self) -> &str {
        "counts a turn of a loop"
    }
}

impl ParseTag for Turn {
    fn parse(&self, mut arguments: TagTokenIter<'_>, _options: &Language) -> Result<Box<dyn Renderable>> {
        let length = arguments.expect_next("a length is expected")?;
        let length = length.expect_value().into_result()?;
        arguments.expect_nothing()?;
        Ok(Box::new(TurnElement(length, self.0.clone())))
    }

    fn reflection(&self) -> &dyn TagReflection {
        self
    }
}

#[derive(Debug)]
struct TurnElement(Expression, Spent);

impl Renderable for TurnElement {
    fn render_to(&self, _writer: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        self.1
            .turn(integer(&self.0, runtime).unwrap_or(0).max(0) as usize)
    }
}

/// The tag before a loop over a range, whose numbers would be made before its first turn.
#[derive(Clone)]
pub struct RangeCheck(Spent);

impl RangeCheck {
    /// Returns the tag that checks against a budget.
    pub fn new(spent: &Spent) -> Self {
        Self(spent.clone())
    }
}

impl TagReflection for RangeCheck {
    fn tag(&self) -> &str {
        RANGE_CHECK
    }

    fn description(&self) -> &str {
        "checks the length of a range"
    }
}

impl ParseTag for RangeCheck {
    fn parse(&self, mut arguments: TagTokenIter<'_>, _options: &Language) -> Result<Box<dyn Renderable>> {
        let start = arguments.expect_next("a start is expected")?;
        let start = start.expect_value().into_result()?;
        let end = arguments.expect_next("an end is expected")?;
        let end = end.expect_value().into_result()?;
        arguments.expect_nothing()?;
        Ok(Box::new(RangeCheckElement(start, end, self.0.clone())))
    }

    fn reflection(&self) -> &dyn TagReflection {
        self
    }
}

#[derive(Debug)]
struct RangeCheckElement(Expression, Expression, Spent);

impl Renderable for RangeCheckElement {
    fn render_to(&self, _writer: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        // What is no number is an error of the loop itself.
        match (integer(&self.0, runtime), integer(&self.1, runtime)) {
            (Some(start), Some(end)) => self.2.range(start, end),
            _ => Ok(()),
        }
    }
}

fn integer(expression: &Expression, runtime: &dyn Runtime) -> Option<i64> {
    let value = expression.try_evaluate(runtime)?;
    value.as_scalar()?.to_integer()
}

/// A page that is being written, up to its limit.
#[derive(Default)]
pub struct Page(Vec<u8>);

impl Page {
    /// Returns the text.
    pub fn into_text(self) -> Result<String> {
        String::from_utf8(self.0).map_err(|_| Error::with_msg("The page is not text"))
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Page").field(&self.0.len()).finish()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_PAGE_BYTES {
            return Err(io::Error::other("the page is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
