//! Personal data in texts: what is found by its form, and texts without it.
//!
//! Found are e-mail addresses, numbers of phones, of payment cards (with Luhn's checksum, ISO/IEC 7812-1) and of
//! bank accounts (IBAN, with its length by country and the checksum of ISO 7064 MOD 97-10; others after a word that
//! says so), IP addresses, and user names with passwords in addresses. Names, places and dates have no form of their
//! own and are not found.
//!
//! Full-width forms, digits of other scripts, invisible characters and the several kinds of spaces and dashes make no
//! difference. A number that a word before it calls another thing, such as an order or a version, is not taken for a
//! phone or an address.

mod context;
mod searched;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use self::{
    context::{is_id_of_a_thing, is_number_of_a_thing, is_version},
    searched::Searched,
};

/// A kind of personal data, by the names of Amazon Comprehend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PersonalData {
    /// An e-mail address.
    Email,
    /// An IBAN.
    InternationalBankAccountNumber,
    /// The number of a payment card.
    CreditDebitNumber,
    /// An IPv4 or IPv6 address.
    IpAddress,
    /// A phone number.
    Phone,
    /// The number of a bank account that is no IBAN.
    BankAccountNumber,
    /// User name and password in an address, such as `https://name:password@example.com`.
    Password,
}

impl PersonalData {
    /// Every kind, in the order in which they are searched.
    pub const ALL: [Self; 7] = [
        Self::Password,
        Self::Email,
        Self::InternationalBankAccountNumber,
        Self::CreditDebitNumber,
        Self::BankAccountNumber,
        Self::IpAddress,
        Self::Phone,
    ];

    /// Returns its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::InternationalBankAccountNumber => "INTERNATIONAL_BANK_ACCOUNT_NUMBER",
            Self::CreditDebitNumber => "CREDIT_DEBIT_NUMBER",
            Self::IpAddress => "IP_ADDRESS",
            Self::Phone => "PHONE",
            Self::BankAccountNumber => "BANK_ACCOUNT_NUMBER",
            Self::Password => "PASSWORD",
        }
    }

    /// Returns the patterns of its forms: what one has found no later one finds.
    fn patterns(self) -> &'static [Regex] {
        match self {
            Self::Email => &*EMAIL,
            Self::InternationalBankAccountNumber => std::slice::from_ref(&IBAN),
            Self::CreditDebitNumber => std::slice::from_ref(&CARD),
            Self::IpAddress => std::slice::from_ref(&IP),
            Self::Phone => &*PHONE,
            Self::BankAccountNumber => std::slice::from_ref(&ACCOUNT),
            Self::Password => std::slice::from_ref(&PASSWORD),
        }
    }

    /// Returns the part of what has the form that is the thing; `None` where a checksum, a length or what stands around it
    /// says that it is not.
    fn piece_of(self, text: &str, form: &Range<usize>) -> Option<Range<usize>> {
        let begin = form.start + self.words_before(&text[form.clone()]);
        let words = &text[form.start..begin];
        let (before, after) = (&text[..begin], &text[form.end..]);
        let form = &text[begin..form.end];
        let length = match self {
            // `git@github.com:name/project` is the address of a repository.
            Self::Email => {
                let is_rest = before.ends_with(|c: char| c.is_alphanumeric() && !is_written_on(c));
                let is_in_address = after.starts_with(':') || before.ends_with("://");
                let is_repository = form.starts_with("git@") && is_in_address;
                (!is_rest && !is_repository).then_some(form.len())
            }
            Self::InternationalBankAccountNumber => iban_length(form),
            Self::CreditDebitNumber => card_length(form).filter(|_| !is_id_of_a_thing(before)),
            Self::IpAddress => {
                let is_part = is_preceded_by_a_group(before) || is_followed_by_a_group(form, after);
                (is_ip(form) && !is_part && !is_version(before)).then_some(form.len())
            }
            Self::Phone => {
                let is_international = form.starts_with(['+', '(', '[']) || form.starts_with("00");
                let is_other = !is_international && (is_date(form) || is_number_of_a_thing(before));
                // Within a town a number may have 7, where more than a word says so: `Tel. 1234567`, `phone 555-1234`.
                let is_said = words.contains([':', '.', '#'])
                    || ["nummer", "number", "nr"]
                        .iter()
                        .any(|word| words.to_lowercase().contains(word))
                    || !words.is_empty() && form.contains('-');
                let least = if is_said { 7 } else { 8 };
                phone_length(form, least).filter(|_| !is_amount(form) && !is_year(form) && !is_other)
            }
            Self::BankAccountNumber => (!is_date(form) && !is_price(before, after)).then_some(form.len()),
            // The `@` after it is none of it.
            Self::Password => Some(form.len() - 1),
        };
        Some(begin..begin + length?)
    }

    /// Returns how many bytes of a form are the word that says what the rest is.
    fn words_before(self, form: &str) -> usize {
        match self {
            Self::Password => "://".len(),
            Self::BankAccountNumber => form.find(|c: char| c.is_ascii_digit()).unwrap_or_default(),
            Self::Phone if form.starts_with(char::is_alphabetic) => {
                form.find(|c: char| c.is_ascii_digit()).unwrap_or_default()
            }
            _ => 0,
        }
    }
}

/// A piece of personal data in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: PersonalData,
    /// First byte.
    pub begin: usize,
    /// Byte after the last one.
    pub end: usize,
}

/// A text without personal data, and which kinds it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masked<'a> {
    /// The text, with `[EMAIL]` and the like in the place of what was found.
    pub text: Cow<'a, str>,
    /// What was found.
    pub kinds: BTreeSet<PersonalData>,
}

/// What becomes of personal data before a text is stored (parameter `PersonalData`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Treatment {
    /// It is stored as it came.
    #[default]
    Keep,
    /// What has the form of personal data is replaced by its kind.
    Mask,
    /// What Amazon Comprehend finds is replaced by its kind.
    Comprehend,
}

impl std::str::FromStr for Treatment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "keep" => Ok(Self::Keep),
            "mask" => Ok(Self::Mask),
            "comprehend" => Ok(Self::Comprehend),
            other => Err(format!("expected `keep`, `mask` or `comprehend`, got `{other}`")),
        }
    }
}

/// E-mail addresses: first those of which words, quotation marks or brackets hide a part. Then those of letters that words
/// with blanks between are written in, since in other scripts the sentence goes on before and after an address; then those
/// with such a domain, and in the end those in any script.
static EMAIL: LazyLock<[Regex; 6]> = LazyLock::new(|| {
    let any = r"\p{L}\p{N}".to_owned();
    let spaced = format!("[{any}]--[{}]", written_on());
    let local_part = |local: &str| {
        let (end, middle) = (format!(r"[[{local}][_%+\-]]"), format!(r"[[{local}][._%+\-'’]]"));
        format!("{end}(?:{middle}*{end})?")
    };
    let host = |domain: &str, dot: &str| {
        let (label, top) = (format!(r"[[{domain}][\-]]"), format!(r"[\p{{L}}&&[{domain}]]"));
        format!(r"{label}+(?:{dot}{label}+)*{dot}{top}{{2,24}}")
    };
    let email = |local: &str, domain: &str| {
        let (local, host) = (local_part(local), host(domain, r"\."));
        regex(&format!(r"{local}(?:@|%40){host}"))
    };
    let in_brackets = |words: &str| format!(r"\x20?[(\[{{]\x20?(?i:{words})\x20?[)\]}}]\x20?");
    let dot = format!(r"(?:\.|{})", in_brackets("dot|punkt|point|punto"));
    [
        regex(&format!(
            r#""(?:[^"\\\r\n]|\\.){{1,64}}"(?:@|%40){}"#,
            host(&spaced, r"\.")
        )),
        regex(&format!(
            r"{}(?:@|%40)\[(?i:ipv6:)?[0-9a-fA-F.:]+\]",
            local_part(&spaced)
        )),
        regex(&format!(
            "{}{}{}",
            local_part(&spaced),
            in_brackets("at|ät|@"),
            host(&spaced, &dot)
        )),
        email(&spaced, &spaced),
        email(&any, &spaced),
        email(&any, &any),
    ]
});
/// User name and password as they stand in addresses. Source: RFC 3986, section 3.2.1.
/// People write `@` and `#` in them, which that has only as `%40` and `%23`.
static PASSWORD: LazyLock<Regex> =
    LazyLock::new(|| regex(r"://[A-Za-z0-9._~!$&'()*+,;=%@\-]*:[A-Za-z0-9._~!$&'()*+,;=%:@#^\-]+@"));
/// A number after a word that says that it is of a bank account.
static ACCOUNT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?x) \b(?i: (?:(?:bank|giro|spar)?konto|kto)(?:(?:[.\-]|\.?\x20|\.-)?(?:nr|nummer))?
            | bank\x20account(?:\x20(?:number|no|nr))? | compte\x20bancaire | cuenta\x20bancaria
            | num[ée]ro\x20de\x20compte | n[úu]mero\x20de\x20(?:cuenta|conta) | conto\x20corrente
            | (?:bank)?rekeningnummer | numer\x20konta )
        \x20?[.:\#]{0,2} \x20? (?i:(?:is|ist|n°|nº|no\.?):?\x20)? [0-9](?:[\x20\-/]?[0-9]){4,13}\b",
    )
});
/// Numbers of accounts and cards may go on in the next line.
static IBAN: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"\b[A-Za-z]{2}\x20?[0-9]{2}(?:(?:\x20{1,2}|\x20?[\-./]\x20?|\r?\n)?[A-Za-z0-9]){11,30}")
});
static CARD: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\b[2-6][0-9](?:(?:\x20{1,2}|\x20?[\-./]\x20?|\r?\n)?[0-9]){11,17}\b"));
/// No longer than an address can be, or a long text of colons would be read again from each of them.
static IP: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?x) \b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b
        | (?:\b[0-9A-Fa-f]{1,4}|:):[0-9A-Fa-f:]{0,39}[0-9A-Fa-f](?:(?:\.[0-9]{1,3}){3})?\b",
    )
});
/// International numbers begin with `+` or `00`, and their country may stand in brackets; others with an area code in brackets
/// or with 0, or are grouped as in France, Russia or North America. Any other number is one after a word that says so.
static PHONE: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    let called_so = regex(
        r"(?x) \b(?i: (?:tel|tél|telefon|telephone|t[ée]l[ée]phone|tel[eé]fono|phone|fon|fax|handy|mobile?|m[oó]vil
            |celular|whatsapp|ruf)(?:s?nummer|-?nr|\.?\x20?(?:number|no|nr|n°|nº))? )
        \x20?[.:\#]{0,2} \x20? (?i:(?:is|ist):?\x20)? [0-9](?:[\x20\-./]?[0-9]){6,14}\b",
    );
    let by_form = regex(
        r"(?x)
        (?: [\(\[]\x20?(?:\+|00)\x20?[1-9][0-9]{0,3}(?:[\x20\-./]?[0-9]{1,5})?\x20?[\)\]]
            | (?:\+|\b00)\x20?[\(\[]\x20?[1-9][0-9]{0,3}\x20?[\)\]]
            | (?:\+|\b00)[1-9][0-9]{0,3} )
            (?:[\x20\-./]|\x20[\-/]\x20)? (?:\([0-9]{1,5}\)(?:[\x20\-./]|\x20[\-/]\x20)?)?
            [0-9]{1,5} (?:(?:[\x20\-./]|\x20[\-/]\x20)?[0-9]{2,5}){1,4} (?:-[0-9]{1,4})? \b
        | \([0-9]{2,5}\) (?:[\x20\-./]|\x20[\-/]\x20)? [0-9]{2,8} (?:[\x20\-./]?[0-9]{2,5}){0,4} (?:-[0-9]{1,4})? \b
        | \b0[0-9]{2,4} (?:[\x20\-/]|\x20[\-/]\x20|/\x20) [0-9]{2,8} (?:[\x20\-][0-9]{2,5}){0,4} (?:-[0-9]{1,4})? \b
        | \b0[0-9] (?:[\x20\-/]|\x20[\-/]\x20) [0-9]{3,8} (?:[\x20\-][0-9]{2,5}){0,3} \b
        | \b0\x20[1-9][0-9]{1,4}/[0-9]{2,8} (?:\x20[0-9]{2,5}){0,3} \b
        | \b0[1-9](?:[\x20.\-][0-9]{2}){4} \b
        | \b0[1-9][0-9]{8,10} \b
        | \b(?:1[\-.\x20])? [2-9][0-9]{2} (?:[\-.][0-9]{3}[\-.]|\x20[2-9][0-9]{2}[\x20\-]) [0-9]{4} \b
        | \b8[\x20\-]? (?:\([3489][0-9]{2}\)|[3489][0-9]{2}) [\x20\-]? [0-9]{3} [\x20\-] [0-9]{2} [\x20\-] [0-9]{2} \b",
    );
    [by_form, called_so]
});

/// Compiles a pattern. Its `\b` is between an ASCII letter or digit and anything else: letters that are written on
/// without blanks, as in Chinese, begin and end a number as blanks do.
fn regex(pattern: &str) -> Regex {
    Regex::new(&pattern.replace(r"\b", r"(?-u:\b)")).expect("the patterns are valid")
}

/// Letters of scripts whose words stand beside one another without blanks, or whose endings stand beside foreign words:
/// Thai, Lao, Burmese, Khmer, Korean, Japanese, Chinese.
const WRITTEN_ON: [(char, char); 12] = [
    ('\u{e00}', '\u{eff}'),
    ('\u{1000}', '\u{109f}'),
    ('\u{1100}', '\u{11ff}'),
    ('\u{1780}', '\u{17ff}'),
    ('\u{3005}', '\u{3007}'),
    ('\u{3040}', '\u{318f}'),
    ('\u{31a0}', '\u{31ff}'),
    ('\u{3400}', '\u{9fff}'),
    ('\u{ac00}', '\u{d7ff}'),
    ('\u{f900}', '\u{faff}'),
    ('\u{ff66}', '\u{ffdc}'),
    ('\u{20000}', '\u{3ffff}'),
];

fn is_written_on(c: char) -> bool {
    (WRITTEN_ON.iter()).any(|(first, last)| (*first..=*last).contains(&c))
}

/// Returns these letters as the inside of a class of a pattern.
fn written_on() -> String {
    (WRITTEN_ON.iter())
        .map(|(first, last)| format!("{first}-{last}"))
        .collect()
}

/// What stands in the place of each byte that was found. Like the bracket that ends `[PHONE]` it is part of no form.
const FOUND: &str = "}";

/// Finds personal data in a text, in order, without overlaps. What is found is the same after it was masked: a masked
/// text has none.
pub fn find(text: &str) -> Vec<Found> {
    let searched = Searched::of(text);
    let text = searched.text();
    let mut found: Vec<Found> = Vec::new();
    // What has a digit or one of these only: most texts are through at once.
    if !text
        .bytes()
        .any(|byte| byte.is_ascii_digit() || b"@:([{".contains(&byte))
    {
        return found;
    }
    // What was found ends what stands beside it, so that the rest may have a form that the whole had not: it is searched
    // until nothing more is found, as if the text were masked and came again.
    let mut rest = text.to_owned();
    loop {
        let known = found.len();
        for kind in PersonalData::ALL {
            for pattern in kind.patterns() {
                find_all(kind, pattern, &mut rest, &mut found);
            }
        }
        if found.len() == known {
            break;
        }
    }
    found.sort_unstable_by_key(|found| found.begin);
    for piece in &mut found {
        (piece.begin, piece.end) = searched.given(piece.begin..piece.end);
    }
    found
}

/// Adds what has a form, and leaves marks in its place in the rest of the text.
fn find_all(kind: PersonalData, pattern: &Regex, rest: &mut String, found: &mut Vec<Found>) {
    let text = std::mem::take(rest);
    // In a pattern `_` is a letter, but nobody's number goes on with it.
    let haystack = match kind != PersonalData::Email && text.contains('_') {
        true => Cow::Owned(text.replace('_', ";")),
        false => Cow::Borrowed(text.as_str()),
    };
    let known = found.len();
    let mut from = 0;
    while let Some(form) = pattern.find_at(&haystack, from) {
        let next = form.start() + text[form.start()..].chars().next().map_or(1, char::len_utf8);
        // What was found already is no part of a number that goes on.
        let last = found[known..].last().map_or(0, |found| found.end);
        let is_whole = |piece: &Range<usize>| {
            kind != PersonalData::Phone
                || !is_rest_of_a_number(&text[last..piece.start], &text[piece.clone()])
        };
        let Some(Range { start: begin, end }) = kind.piece_of(&text, &form.range()).filter(is_whole) else {
            from = next;
            continue;
        };
        from = end.max(next);
        found.push(Found { kind, begin, end });
    }
    *rest = without(text, &found[known..]);
}

/// Returns a text with marks that are part of no form in the place of what was found in it, byte for byte.
fn without(mut text: String, found: &[Found]) -> String {
    for Found { begin, end, .. } in found {
        text.replace_range(*begin..*end, &FOUND.repeat(end - begin));
    }
    text
}

/// Replaces personal data in a text by its kind in square brackets.
pub fn mask(text: &str) -> Masked<'_> {
    let found = find(text);
    let pieces: Vec<_> = found
        .iter()
        .map(|found| (found.begin..found.end, found.kind.as_str()))
        .collect();
    Masked {
        text: replace(text, &pieces),
        kinds: found.iter().map(|piece| piece.kind).collect(),
    }
}

/// Replaces pieces of a text, ranges of bytes in order, by their kinds in square brackets. What overlaps the piece
/// before it is taken for a part of that.
pub fn replace<'a>(text: &'a str, pieces: &[(Range<usize>, &str)]) -> Cow<'a, str> {
    if pieces.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    for (range, kind) in pieces {
        if let (true, Some(before)) = (range.end > range.start, text.get(from..range.start)) {
            masked.push_str(before);
            masked.push('[');
            masked.push_str(kind);
            masked.push(']');
        }
        from = from.max(range.end.min(text.len()));
    }
    masked.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(masked)
}

/// Lengths of IBANs by country. Source: SWIFT, IBAN Registry, release 99.
const IBAN_LENGTHS: &str = "\
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 \
    DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 \
    IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 \
    MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 \
    SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30";

/// Returns how many bytes of a form are an IBAN: what follows without a letter or digit in between is none.
fn iban_length(form: &str) -> Option<usize> {
    let country = form.get(..2)?.to_ascii_uppercase();
    let length: usize = IBAN_LENGTHS
        .split_ascii_whitespace()
        .find_map(|entry| entry.strip_prefix(country.as_str()))?
        .parse()
        .ok()?;
    let characters = form.char_indices().filter(|(_, c)| c.is_ascii_alphanumeric());
    let (last, _) = characters.clone().nth(length - 1)?;
    let is_whole = !form[last + 1..].starts_with(|c: char| c.is_ascii_alphanumeric());
    let iban: Vec<u8> = characters.take(length).map(|(_, c)| c as u8).collect();
    let turned = iban[4..].iter().chain(&iban[..4]);
    let remainder = turned.fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        letter => (rest * 100 + u32::from(letter.to_ascii_uppercase() - b'A') + 10) % 97,
    });
    (is_whole && remainder == 1).then_some(last + 1)
}

/// Returns how many bytes of a form are the number of a card. Groups that follow it, such as a date of expiry or a
/// security code, are none of it.
fn card_length(form: &str) -> Option<usize> {
    let groups = groups(form);
    (1..=groups.len()).rev().find_map(|count| {
        let number = &groups[..count];
        let length = number.last()?.end;
        let lengths: Vec<usize> = number.iter().map(|group| group.len()).collect();
        // The whole may be written in any way but with slashes, as dates are, or with several signs, as from one date or price
        // to the next; a part of it as cards are, so that it is not one by chance.
        let signs: BTreeSet<char> = form.chars().filter(|c| matches!(c, '.' | '-')).collect();
        let is_whole = count == groups.len() && !form.contains('/') && signs.len() < 2 && !is_date(form);
        let is_number = is_whole || is_grouped_as_cards(&lengths);
        (is_number && is_card(&form[..length])).then_some(length)
    })
}

/// Returns where the groups of digits of a form stand.
fn groups(form: &str) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (at, _) in form.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit()) {
        match groups.last_mut() {
            Some(group) if group.end == at => group.end = at + 1,
            _ => groups.push(at..at + 1),
        }
    }
    groups
}

/// Returns whether digits are in one group, or in those in which they stand on cards.
fn is_grouped_as_cards(lengths: &[usize]) -> bool {
    matches!(
        lengths,
        [_] | [4, 4, 4, 1..=4] | [4, 4, 4, 4, 1..=3] | [4, 6, 4 | 5] | [4, 3, 3, 3]
    )
}

fn is_card(form: &str) -> bool {
    let digits: Vec<u32> = form.chars().filter_map(|c| c.to_digit(10)).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => *digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10) && is_of_a_network(&digits)
}

/// Returns whether a network of payment cards has numbers of this length that begin so. Numbers of devices, SIM cards and goods
/// have the same checksum.
///
/// Source: Wikipedia, "Payment card number", issuer identification numbers; ISO/IEC 7812-1.
fn is_of_a_network(digits: &[u32]) -> bool {
    let begins = |count: usize| {
        digits
            .iter()
            .take(count)
            .fold(0, |number, digit| number * 10 + digit)
    };
    match digits.len() {
        13 => begins(1) == 4,
        14 => matches!(begins(2), 30 | 36 | 38 | 39),
        15 => matches!(begins(2), 34 | 37) || begins(4) == 2_131,
        16 => matches!(begins(1), 2..=6),
        17..=19 => matches!(begins(1), 4..=6),
        _ => false,
    }
}

fn is_ip(form: &str) -> bool {
    match form.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => true,
        // `::1` is nobody's, `12::30` is rather a time, and `face::bed` a name in a program.
        Ok(IpAddr::V6(address)) => {
            let is_long = form.split(':').any(|group| group.len() > 2);
            let has_digit = form.contains(|c: char| c.is_ascii_digit());
            address != Ipv6Addr::LOCALHOST && has_digit && (form.matches(':').count() > 2 || is_long)
        }
        Err(_) => false,
    }
}

/// Returns whether a form of a phone number is the rest of a longer number that is written in groups: one that joins it by
/// more than a blank, or of which two groups at least stand before it. A single number before it, a time and a date are
/// numbers of their own, and what begins with `+` or a bracket is no rest.
fn is_rest_of_a_number(before: &str, form: &str) -> bool {
    let rest = before.strip_suffix([' ', '-', '.', '/']);
    let Some(rest) = rest.filter(|rest| rest.ends_with(|c: char| c.is_ascii_digit())) else {
        return false;
    };
    if form.starts_with(['+', '(', '[']) {
        return false;
    }
    if !before.ends_with(' ') {
        return true;
    }
    let mut words = rest.rsplit(char::is_whitespace);
    let is_number = words
        .next()
        .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    let is_group = |word: &str| {
        word.ends_with(|c: char| c.is_ascii_digit()) && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    is_number && words.next().is_some_and(is_group)
}

/// Returns whether four numbers with dots between go on before the first.
fn is_preceded_by_a_group(before: &str) -> bool {
    let before = before.strip_suffix('.');
    before.is_some_and(|before| before.ends_with(|c: char| c.is_ascii_digit()))
}

/// Returns whether an address goes on with another group; a port behind four numbers is none.
fn is_followed_by_a_group(form: &str, after: &str) -> bool {
    let next = |sign: char| after.strip_prefix(sign).and_then(|rest| rest.chars().next());
    let is_hex = |c: char| c.is_ascii_hexdigit();
    next('.').is_some_and(|c| c.is_ascii_digit()) || form.contains(':') && next(':').is_some_and(is_hex)
}

/// Returns whether a form is a round number with blanks between its thousands: `1 000 000 000`, `+12 000 000`.
fn is_amount(form: &str) -> bool {
    let groups: Vec<&str> = groups(form).into_iter().map(|group| &form[group]).collect();
    let [first, thousands @ ..] = &groups[..] else {
        return false;
    };
    let may_begin = first.len() <= 3 && (!first.starts_with('0') || *first == "000");
    may_begin
        && thousands.len() > 1
        && thousands.iter().all(|group| group.len() == 3)
        && groups.ends_with(&["000", "000"])
}

/// Returns whether a form begins with a date: `2026-11-28`, `28.11.2026`, `01/2026`.
fn is_date(form: &str) -> bool {
    static DATE: LazyLock<Regex> = LazyLock::new(|| {
        let (year, month, day) = (
            "(?:19|20)[0-9]{2}",
            "(?:0?[1-9]|1[0-2])",
            "(?:0?[1-9]|[12][0-9]|3[01])",
        );
        regex(&format!(
            r"^(?:{year}[\-./]{month}[\-./]{day}|{day}[\-./]{month}[\-./]{year}|{month}[\-./]{day}[\-./]{year}|{month}/{year})\b"
        ))
    });
    DATE.is_match(form)
}

/// Returns whether the words around a number say that it is an amount of money: `12 000 EUR`.
fn is_price(before: &str, after: &str) -> bool {
    static CURRENCY: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?x) ^(?:[.,][0-9]{1,3})*(?:,[\-–—]+)?\x20? (?: \p{Sc} | (?i:zł|kč|руб)
                | (?i:eur(?:os?)?|usd|us\x20?dollars?|dollars?|chf|franken|francs?|gbp|pounds?|pln|sek|nok|dkk|kronor|kroner
                | rubel|rubles?|yen|jpy|cny|inr|rupees?|mxn|pesos?|brl|reais)\b )",
        )
    });
    before.ends_with(['$', '€', '£', '¥']) || CURRENCY.is_match(after)
}

/// Returns whether a form begins with a year in brackets: `(2025) 1200`.
fn is_year(form: &str) -> bool {
    let year = form.strip_prefix(['(', '[']).unwrap_or_default();
    (year.starts_with("19") || year.starts_with("20")) && year.find([')', ']']) == Some(4)
}

/// Returns how many bytes of a form are a phone number. E.164 allows 15 digits: groups beyond are none of it. With its
/// country a number may have as few as 7, otherwise as `least` says.
fn phone_length(form: &str, least: usize) -> Option<usize> {
    let is_international = form.trim_start_matches(['(', '[', ' ']).starts_with('+');
    let least = if is_international { 7 } else { least };
    let mut groups = groups(form);
    while let Some(last) = groups.last() {
        let digits: usize = groups.iter().map(|group| group.len()).sum();
        match digits {
            _ if digits < least => return None,
            _ if digits <= 15 => return Some(last.end),
            _ => groups.pop(),
        };
    }
    None
}

#[cfg(test)]
mod tests;
