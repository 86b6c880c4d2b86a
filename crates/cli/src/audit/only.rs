//! Which of the labelled texts an audit is about, as the command line says it.

use clap::Args;
use human_review::stack_audit;

/// What all texts of an audit have in common; everything where nothing is said.
#[derive(Debug, Default, Args)]
pub(super) struct Only {
    /// Only texts with this label; may be given several times
    #[arg(long, value_name = "NAME")]
    label: Vec<String>,
    /// Only texts to which this reviewer gave the label; may be given several times
    #[arg(long = "given-by", value_name = "NAME")]
    given_by: Vec<String>,
    /// Only texts for which a model predicted this label; may be given several times
    #[arg(long, value_name = "NAME")]
    predicted: Vec<String>,
    /// Only texts that were labelled on this day or later, in UTC, as 2026-11-30
    #[arg(long, value_name = "DATE", value_parser = date)]
    since: Option<String>,
}

impl From<Only> for stack_audit::Only {
    fn from(only: Only) -> Self {
        Self {
            label: only.label,
            given_by: only.given_by,
            predicted: only.predicted,
            since: only.since,
        }
    }
}

/// Reads a day; as it is written it stands before all times of it.
fn date(argument: &str) -> Result<String, String> {
    let is_date = chrono::NaiveDate::parse_from_str(argument, "%Y-%m-%d").is_ok() && argument.len() == 10;
    match is_date {
        true => Ok(argument.to_owned()),
        false => Err("expected a day such as 2026-11-30".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_day_is_refused() {
        assert!(date("2026-11-30").is_ok());
        for wrong in [
            "2026-11-31",
            "2026-11-3",
            "30.11.2026",
            "2026-11-30T10:00:00Z",
            "",
        ] {
            assert!(date(wrong).is_err(), "{wrong}");
        }
    }
}
