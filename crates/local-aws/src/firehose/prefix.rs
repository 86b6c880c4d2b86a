//! Names of delivered objects.

use chrono::{DateTime, Datelike, Timelike, Utc};

use super::DeliveryStreamSpec;

/// Returns the key of an object whose oldest record arrived at `oldest`.
pub(super) fn object_key(spec: &DeliveryStreamSpec, oldest: DateTime<Utc>) -> Result<String, String> {
    let prefix = evaluate(&spec.prefix, oldest)?;
    let extension = match (&spec.file_extension, spec.gzip) {
        (Some(extension), _) => extension,
        (None, true) => ".gz",
        (None, false) => "",
    };
    Ok(format!(
        "{prefix}{}-1-{}-{}{extension}",
        spec.name,
        oldest.format("%Y-%m-%d-%H-%M-%S"),
        uuid::Uuid::new_v4(),
    ))
}

/// Replaces the expressions of a prefix, or, if it has none, appends the hour's folders.
///
/// Names the expression that is wrong or not implemented.
pub(super) fn evaluate(prefix: &str, time: DateTime<Utc>) -> Result<String, String> {
    if !prefix.contains("!{") {
        return Ok(format!("{prefix}{}", time.format("%Y/%m/%d/%H/")));
    }
    let mut key = String::new();
    let mut rest = prefix;
    while let Some((before, after)) = rest.split_once("!{") {
        let (expression, after) = after
            .split_once('}')
            .ok_or_else(|| format!("an expression of the prefix {prefix} does not end"))?;
        key.push_str(before);
        match expression.split_once(':') {
            Some(("timestamp", format)) => key.push_str(&java_format(format, time)?),
            Some(("firehose", "random-string")) => key.push_str(&random_string()),
            _ => {
                return Err(format!("the expression !{{{expression}}} is not implemented"));
            }
        }
        rest = after;
    }
    key.push_str(rest);
    Ok(key)
}

/// Formats by the letters of Java's `DateTimeFormatter` that make folders: y, M, d, H, m and s.
fn java_format(format: &str, time: DateTime<Utc>) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = format;
    while let Some(letter) = rest.chars().next() {
        if letter == '\'' {
            let (literal, after) = rest[1..]
                .split_once('\'')
                .ok_or_else(|| format!("a quote of the timestamp format {format} does not end"))?;
            text.push_str(if literal.is_empty() { "'" } else { literal });
            rest = after;
            continue;
        }
        let run = rest.len() - rest.trim_start_matches(letter).len();
        let width = run / letter.len_utf8();
        rest = &rest[run..];
        let number = match letter {
            'y' | 'u' => u32::try_from(time.year()).unwrap_or(0),
            'M' if width <= 2 => time.month(),
            'd' if width <= 2 => time.day(),
            'H' if width <= 2 => time.hour(),
            'm' if width <= 2 => time.minute(),
            's' if width <= 2 => time.second(),
            other if other.is_ascii_alphabetic() => {
                return Err(format!("the timestamp format {format} is not implemented"));
            }
            other => {
                text.extend(std::iter::repeat_n(other, width));
                continue;
            }
        };
        let number = if matches!(letter, 'y' | 'u') && width == 2 {
            number % 100
        } else {
            number
        };
        text.push_str(&format!("{number:0width$}"));
    }
    Ok(text)
}

fn random_string() -> String {
    const LENGTH: usize = 11;
    uuid::Uuid::new_v4().simple().to_string()[..LENGTH].to_owned()
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn evaluated(prefix: &str) -> Result<String, String> {
        let time = Utc
            .with_ymd_and_hms(2026, 3, 4, 5, 6, 7)
            .single()
            .expect("a time");
        evaluate(prefix, time)
    }

    #[test]
    fn a_plain_prefix_is_followed_by_the_folders_of_the_hour() {
        assert_eq!(evaluated("").as_deref(), Ok("2026/03/04/05/"));
        assert_eq!(evaluated("feedback/").as_deref(), Ok("feedback/2026/03/04/05/"));
        assert_eq!(evaluated("feedback").as_deref(), Ok("feedback2026/03/04/05/"));
    }

    #[test]
    fn expressions_stand_for_all_that_is_appended() {
        let hive = "f/year=!{timestamp:yyyy}/day=!{timestamp:MM-dd}/";
        assert_eq!(evaluated(hive).as_deref(), Ok("f/year=2026/day=03-04/"));
        let quoted = "!{timestamp:'year='yyyy'/h='H}/";
        assert_eq!(evaluated(quoted).as_deref(), Ok("year=2026/h=5/"));
        let random = evaluated("r/!{firehose:random-string}").expect("evaluates");
        assert_eq!(random.len(), "r/".len() + 11);
    }

    #[test]
    fn what_is_not_implemented_is_named() {
        for prefix in [
            "!{timestamp:EEE}/",
            "!{partitionKeyFromQuery:k}/",
            "!{timestamp:yyyy/",
            "!{x}/",
        ] {
            assert!(evaluated(prefix).is_err(), "{prefix}");
        }
    }
}
