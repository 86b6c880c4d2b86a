//! Many objects of one pattern, made when they are asked for: a million take no memory.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// Shortest run of hex digits that is taken for an identity.
const SHORTEST_ID: usize = 16;
/// The largest number of 13 digits: what sorts the latest first counts down from it.
const LAST_MILLISECOND: i64 = 9_999_999_999_999;
/// Times that are so near to that of the pattern are times of the pattern.
const NEAR: TimeDelta = TimeDelta::days(1);

/// Objects that differ in their identities and times alone.
#[derive(Debug)]
pub struct Series {
    key: Template,
    body: Template,
    count: u64,
    /// When the first of them was written.
    first: DateTime<Utc>,
    /// Time between two of them.
    step: TimeDelta,
    /// Whether a higher number has a lower key.
    is_descending: bool,
    kind: u8,
}

/// An object that was really written, as the pattern of others.
#[derive(Clone, Copy, Debug)]
pub struct Pattern<'a> {
    /// Its bucket and key.
    pub path: &'a str,
    /// Its content.
    pub body: &'a str,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// Identities that stay as they are.
    pub fixed: &'a [String],
    /// What tells the identities of its series from those of another one.
    pub kind: u8,
}

impl Series {
    /// Makes so many objects of a pattern, from one time to another. `None` if their keys would be the same.
    pub fn like(pattern: Pattern<'_>, count: u64, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<Self> {
        let key = Template::of(pattern.path, pattern);
        if count == 0 || key.0.iter().all(|part| matches!(part, Part::Text(_))) {
            return None;
        }
        let step = TimeDelta::milliseconds((to - from).num_milliseconds() / i64::try_from(count).ok()?);
        let mut series = Self {
            key,
            body: Template::of(pattern.body, pattern),
            count,
            first: from,
            step: step.max(TimeDelta::milliseconds(1)),
            is_descending: false,
            kind: pattern.kind,
        };
        series.is_descending = series.written(&series.key, 0) > series.written(&series.key, 1);
        Some(series)
    }

    /// Returns how many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns what all keys begin with.
    fn beginning(&self) -> &str {
        match self.key.0.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// Returns the path of the object at a place, in the order of the paths.
    pub fn path(&self, place: u64) -> String {
        self.written(&self.key, self.number(place))
    }

    /// Returns the content of the object at a place.
    pub fn body(&self, place: u64) -> Vec<u8> {
        self.written(&self.body, self.number(place)).into_bytes()
    }

    /// Returns ETag, time and size of the object at a place.
    pub fn head(&self, place: u64) -> (String, DateTime<Utc>, usize) {
        let number = self.number(place);
        let size = self.body.0.iter().map(Part::length).sum();
        (format!("\"{number:032x}\""), self.time(number), size)
    }

    /// Returns the first place whose path is not before this one.
    pub fn place_of(&self, path: &str) -> u64 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            if self.path(middle).as_str() < path {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Returns the place of an object of this path.
    pub fn find(&self, path: &str) -> Option<u64> {
        let differing = path.strip_prefix(self.beginning())?;
        let place = match self.key.0.get(1) {
            Some(Part::Id(_) | Part::Uuid) => self.place_of_identity(differing)?,
            _ => self.place_of(path),
        };
        (place < self.count && self.path(place) == path).then_some(place)
    }

    /// Returns at which place this identity would be.
    fn place_of_identity(&self, text: &str) -> Option<u64> {
        let digits = text
            .chars()
            .filter(|character| *character != '-')
            .take(SHORTEST_ID);
        let digits: String = digits.collect();
        let high = u64::from_str_radix(&digits, 16).ok()?;
        // The digits behind are not known: between two identities there are more than these tell apart.
        let step = u128::MAX / (u128::from(self.count) + 1);
        let identity = (u128::from(high) << 64).saturating_add(step / 512);
        let number = identity.checked_sub(step / 256 * u128::from(self.kind))? / step;
        u64::try_from(number).ok()
    }

    /// Returns whether any path may begin so.
    pub fn may_begin_with(&self, prefix: &str) -> bool {
        let beginning = self.beginning();
        beginning.starts_with(prefix) || prefix.starts_with(beginning)
    }

    fn number(&self, place: u64) -> u64 {
        match self.is_descending {
            true => self.count - 1 - place,
            false => place,
        }
    }

    fn time(&self, number: u64) -> DateTime<Utc> {
        let step = self.step.num_milliseconds();
        let passed = step.saturating_mul(i64::try_from(number).unwrap_or(i64::MAX));
        self.first + TimeDelta::milliseconds(passed)
    }

    /// Spreads identities evenly, as digests are.
    fn identity(&self, number: u64) -> u128 {
        let step = u128::MAX / (u128::from(self.count) + 1);
        u128::from(number) * step + step / 256 * u128::from(self.kind)
    }

    fn written(&self, template: &Template, number: u64) -> String {
        let mut text = String::with_capacity(template.0.iter().map(Part::length).sum());
        let time = self.time(number);
        for part in &template.0 {
            match part {
                Part::Text(written) => text.push_str(written),
                Part::Id(length) => {
                    let id = format!("{:032x}", self.identity(number));
                    let digits = id.chars().cycle().take(*length);
                    text.extend(digits);
                }
                Part::Uuid => {
                    let id = format!("{:032x}", self.identity(number));
                    for range in [0..8, 8..12, 12..16, 16..20, 20..32] {
                        text.push_str(if range.start > 0 { "-" } else { "" });
                        text.push_str(&id[range]);
                    }
                }
                Part::Milliseconds => text.push_str(&format!("{:013}", time.timestamp_millis())),
                Part::MillisecondsLeft => {
                    text.push_str(&format!("{:013}", LAST_MILLISECOND - time.timestamp_millis()));
                }
                Part::Time => text.push_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true)),
            }
        }
        text
    }
}

/// Text with places for what differs.
#[derive(Debug, Default)]
struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    /// So many hex digits.
    Id(usize),
    Uuid,
    /// Since 1970, in 13 digits.
    Milliseconds,
    /// Until the last that 13 digits can tell.
    MillisecondsLeft,
    /// RFC 3339 in milliseconds.
    Time,
}

impl Part {
    fn length(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Id(length) => *length,
            Self::Uuid => 36,
            Self::Milliseconds | Self::MillisecondsLeft => 13,
            Self::Time => 24,
        }
    }
}

impl Template {
    fn of(text: &str, pattern: Pattern<'_>) -> Self {
        let mut template = Self::default();
        let (mut plain, mut rest, mut before) = (String::new(), text, ' ');
        while let Some(character) = rest.chars().next() {
            let found = (!before.is_ascii_alphanumeric()).then(|| part_at(rest, pattern));
            let (length, part) = found.flatten().unwrap_or((character.len_utf8(), None));
            match part {
                Some(part) => {
                    template.0.extend(
                        Some(std::mem::take(&mut plain))
                            .filter(|text| !text.is_empty())
                            .map(Part::Text),
                    );
                    template.0.push(part);
                }
                None => plain.push_str(&rest[..length]),
            }
            before = rest[..length].chars().last().unwrap_or(' ');
            rest = &rest[length..];
        }
        template
            .0
            .extend(Some(plain).filter(|text| !text.is_empty()).map(Part::Text));
        template
    }
}

/// Returns the length of what a text begins with, if it is an identity or a time, and what takes its place, if anything.
fn part_at(text: &str, pattern: Pattern<'_>) -> Option<(usize, Option<Part>)> {
    let is_near = |time: DateTime<Utc>| (time - pattern.at).abs() < NEAR;
    let token = identity_at(text)?;
    let length = token.len();
    if pattern.fixed.iter().any(|fixed| fixed == token) {
        return Some((length, None));
    }
    let part = match length {
        36 => Part::Uuid,
        24 if token.ends_with('Z') => {
            let time: DateTime<Utc> = token.parse().ok()?;
            return Some((length, is_near(time).then_some(Part::Time)));
        }
        13 => {
            let number: i64 = token.parse().ok()?;
            let is_time = |milliseconds| DateTime::from_timestamp_millis(milliseconds).is_some_and(is_near);
            let left = is_time(LAST_MILLISECOND - number).then_some(Part::MillisecondsLeft);
            return Some((length, is_time(number).then_some(Part::Milliseconds).or(left)));
        }
        length => Part::Id(length),
    };
    Some((length, Some(part)))
}

/// Returns the identity or time that a text begins with: a UUID, a time of RFC 3339, 13 digits, or many hex digits.
pub fn identity_at(text: &str) -> Option<&str> {
    let fits = |shape: &str| {
        let head = text.get(..shape.len())?;
        let fit = |(character, wanted): (char, char)| match wanted {
            'x' => character.is_ascii_hexdigit() && !character.is_ascii_uppercase(),
            '0' => character.is_ascii_digit(),
            wanted => character == wanted,
        };
        head.chars().zip(shape.chars()).all(fit).then_some(head)
    };
    if let Some(found) =
        fits("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx").or_else(|| fits("0000-00-00T00:00:00.000Z"))
    {
        return Some(found);
    }
    let is_digit = |character: char| character.is_ascii_hexdigit() && !character.is_ascii_uppercase();
    let end = text.find(|character| !is_digit(character)).unwrap_or(text.len());
    let is_word = text[end..].starts_with(|next: char| next.is_ascii_alphanumeric());
    let run = &text[..end];
    let is_time = end == 13 && run.bytes().all(|byte| byte.is_ascii_digit());
    (!is_word && (end >= SHORTEST_ID || is_time)).then_some(run)
}

/// Returns all identities of a text.
pub fn identities(text: &str) -> Vec<&str> {
    let (mut found, mut rest, mut before) = (Vec::new(), text, ' ');
    while let Some(character) = rest.chars().next() {
        let token = identity_at(rest).filter(|_| !before.is_ascii_alphanumeric());
        let length = token.map_or(character.len_utf8(), str::len);
        found.extend(token);
        before = rest[..length].chars().last().unwrap_or(' ');
        rest = &rest[length..];
    }
    found
}
