//! The field rules of the A2I runtime API, in the words AWS uses.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use crate::marks::{Mark, Order};

/// Longest `InputContent`, in characters: 3 MiB. Source: A2I runtime API.
pub const MAX_INPUT_CONTENT_CHARS: usize = 3_145_728;
/// Longest `HumanLoopName`, in characters. Source: A2I runtime API.
pub const MAX_LOOP_NAME_CHARS: usize = 63;
const MAX_ARN_CHARS: usize = 1_024;
const MAX_NEXT_TOKEN_CHARS: usize = 8_192;
const MAX_CLASSIFIERS: usize = 256;
const MAX_RESULTS: usize = 100;

const NAME_PATTERN: &str = "^[a-z0-9](-*[a-z0-9])*$";
const FLOW_ARN_PATTERN: &str = r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:flow-definition/.*";

/// The rules that a request breaks.
#[derive(Debug, Default)]
pub struct Violations(Vec<String>);

/// All broken rules, in the words AWS uses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BrokenRules(pub String);

impl Violations {
    /// Checks a loop name.
    pub fn loop_name(&mut self, name: Option<&str>) {
        let Some(name) = name else {
            return self.missing("humanLoopName");
        };
        if name.is_empty() {
            self.too_short("humanLoopName", name);
        }
        if name.chars().count() > MAX_LOOP_NAME_CHARS {
            self.too_long("humanLoopName", Some(name), MAX_LOOP_NAME_CHARS);
        } else if !is_loop_name(name) {
            self.pattern("humanLoopName", name, NAME_PATTERN);
        }
    }

    /// Checks the ARN of a flow definition.
    pub fn flow_definition_arn(&mut self, arn: Option<&str>) {
        let Some(arn) = arn else {
            return self.missing("flowDefinitionArn");
        };
        if arn.chars().count() > MAX_ARN_CHARS {
            self.too_long("flowDefinitionArn", Some(arn), MAX_ARN_CHARS);
        }
        if !is_flow_definition_arn(arn) {
            self.pattern("flowDefinitionArn", arn, FLOW_ARN_PATTERN);
        }
    }

    /// Checks the input content's presence and length; never quotes it.
    pub fn input_content(&mut self, content: Option<&str>) {
        match content {
            None => self.missing("humanLoopInput.inputContent"),
            Some(content) if content.chars().count() > MAX_INPUT_CONTENT_CHARS => {
                self.too_long("humanLoopInput.inputContent", None, MAX_INPUT_CONTENT_CHARS);
            }
            Some(_) => {}
        }
    }

    /// Checks the list of content classifiers.
    pub fn content_classifiers(&mut self, classifiers: Option<&[String]>) {
        const FIELD: &str = "dataAttributes.contentClassifiers";
        let Some(classifiers) = classifiers else {
            return self.missing(FIELD);
        };
        if classifiers.len() > MAX_CLASSIFIERS {
            self.too_long(FIELD, None, MAX_CLASSIFIERS);
        }
        let known = ["FreeOfPersonallyIdentifiableInformation", "FreeOfAdultContent"];
        if let Some(unknown) = classifiers.iter().find(|name| !known.contains(&name.as_str())) {
            self.not_in(FIELD, unknown, &known);
        }
    }

    /// Reads the sort order; newest first unless asked otherwise.
    pub fn sort_order(&mut self, value: Option<&String>) -> Order {
        match value.map(String::as_str) {
            Some("Ascending") => Order::Ascending,
            None | Some("Descending") => Order::Descending,
            Some(other) => {
                self.not_in("sortOrder", other, &["Ascending", "Descending"]);
                Order::Descending
            }
        }
    }

    /// Reads an ISO 8601 time.
    pub fn timestamp(&mut self, field: &str, value: Option<&String>) -> Option<DateTime<Utc>> {
        let value = value?;
        let time = DateTime::parse_from_rfc3339(value);
        if time.is_err() {
            self.add(
                Some(value),
                field,
                "Member must be a timestamp in ISO 8601 format",
            );
        }
        time.ok().map(|time| time.with_timezone(&Utc))
    }

    /// Reads the page size, 1 to 100; 100 unless asked otherwise.
    pub fn max_results(&mut self, value: Option<&String>) -> usize {
        let Some(value) = value else {
            return MAX_RESULTS;
        };
        match value.parse::<i64>() {
            Ok(number) if number < 1 => {
                self.add(
                    Some(value),
                    "maxResults",
                    "Member must have value greater than or equal to 1",
                );
            }
            Ok(number) if number > MAX_RESULTS as i64 => {
                let rule = format!("Member must have value less than or equal to {MAX_RESULTS}");
                self.add(Some(value), "maxResults", &rule);
            }
            Ok(number) => return number as usize,
            Err(_) => self.add(Some(value), "maxResults", "Member must be an integer"),
        }
        MAX_RESULTS
    }

    /// Reads the mark that a token of the same order names.
    pub fn next_token(&mut self, order: Order, token: Option<&String>) -> Option<String> {
        let token = token?;
        if token.chars().count() > MAX_NEXT_TOKEN_CHARS {
            self.too_long("nextToken", None, MAX_NEXT_TOKEN_CHARS);
            return None;
        }
        let mark = URL_SAFE_NO_PAD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let mark = mark.and_then(|text| Some(text.strip_prefix(order.folder())?.to_owned()));
        let mark = mark.filter(|mark| Mark::parse_listing(order, mark).is_some());
        if mark.is_none() {
            self.add(
                Some(token),
                "nextToken",
                "Member must be a token that an earlier page of this listing returned",
            );
        }
        mark
    }

    /// Notes a required member that is not there.
    pub fn missing(&mut self, field: &str) {
        self.0.push(format!(
            "Value null at '{field}' failed to satisfy constraint: Member must not be null"
        ));
    }

    /// Returns the error that names all broken rules, or nothing if there are none.
    ///
    /// # Errors
    ///
    /// [`BrokenRules`].
    pub fn into_result(self) -> Result<(), BrokenRules> {
        let plural = if self.0.len() == 1 { "" } else { "s" };
        match self.0.len() {
            0 => Ok(()),
            count => Err(BrokenRules(format!(
                "{count} validation error{plural} detected: {}",
                self.0.join("; ")
            ))),
        }
    }

    fn too_short(&mut self, field: &str, value: &str) {
        self.add(
            Some(value),
            field,
            "Member must have length greater than or equal to 1",
        );
    }

    fn too_long(&mut self, field: &str, value: Option<&str>, limit: usize) {
        self.add(
            value,
            field,
            &format!("Member must have length less than or equal to {limit}"),
        );
    }

    fn pattern(&mut self, field: &str, value: &str, pattern: &str) {
        self.add(
            Some(value),
            field,
            &format!("Member must satisfy regular expression pattern: {pattern}"),
        );
    }

    fn not_in(&mut self, field: &str, value: &str, known: &[&str]) {
        let rule = format!("Member must satisfy enum value set: [{}]", known.join(", "));
        self.add(Some(value), field, &rule);
    }

    fn add(&mut self, value: Option<&str>, field: &str, rule: &str) {
        let value = value.map(|value| format!(" '{value}'")).unwrap_or_default();
        self.0.push(format!(
            "Value{value} at '{field}' failed to satisfy constraint: {rule}"
        ));
    }
}

/// Returns the token of the page after a mark.
pub fn next_token(order: Order, mark: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}{mark}", order.folder()))
}

/// Returns whether a text matches `^[a-z0-9](-*[a-z0-9])*$` and is at most 63 characters long.
pub fn is_loop_name(name: &str) -> bool {
    is_name(name, false)
}

/// Returns whether a text has letters, digits and inner hyphens, at least one and at most 63; upper case where that is
/// allowed.
pub fn is_name(name: &str, upper_case: bool) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || upper_case && byte.is_ascii_uppercase()
    };
    let bytes = name.as_bytes();
    bytes.len() <= MAX_LOOP_NAME_CHARS
        && bytes.first().copied().is_some_and(plain)
        && bytes.last().copied().is_some_and(plain)
        && bytes.iter().all(|byte| plain(*byte) || *byte == b'-')
}

/// Returns whether a text has the form of a flow definition's ARN.
pub fn is_flow_definition_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [scheme, partition, service, region, account, resource] = parts.as_slice() else {
        return false;
    };
    let lower = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    *scheme == "arn"
        && partition.strip_prefix("aws").is_some_and(lower)
        && *service == "sagemaker"
        && region
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && resource.starts_with("flow-definition/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loop_names_are_lower_case_letters_digits_and_inner_hyphens() {
        let longest = "a".repeat(63);
        for good in ["a", "0", "tc-0f3a9c", "a--b", longest.as_str()] {
            assert!(is_loop_name(good), "{good}");
        }
        let too_long = "a".repeat(64);
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "Comprehend-Text1",
            "a_b",
            "ä",
            "a b",
            "a\n",
            too_long.as_str(),
        ] {
            assert!(!is_loop_name(bad), "{bad}");
        }
    }

    #[test]
    fn all_broken_rules_are_named_at_once() {
        let mut violations = Violations::default();
        violations.loop_name(Some("Bad_Name"));
        violations.flow_definition_arn(None);

        let error = violations.into_result().expect_err("both are wrong").to_string();

        assert_eq!(
            error,
            "2 validation errors detected: Value 'Bad_Name' at 'humanLoopName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: ^[a-z0-9](-*[a-z0-9])*$; \
             Value null at 'flowDefinitionArn' failed to satisfy constraint: Member must not be null"
        );
    }

    #[test]
    fn a_token_of_the_other_order_is_refused() {
        let mark = format!("1790000000123-{}-tc-1", "0f".repeat(16));
        let token = next_token(Order::Ascending, &mark);

        let mut violations = Violations::default();
        assert_eq!(violations.next_token(Order::Ascending, Some(&token)), Some(mark));
        assert!(violations.into_result().is_ok());
        let mut violations = Violations::default();
        assert_eq!(violations.next_token(Order::Descending, Some(&token)), None);
        assert!(violations.into_result().is_err());
    }
}
