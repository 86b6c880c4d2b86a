//! The advice in words and a table.

use std::fmt::Write as _;

use active_learning_core::model::threshold::{Advice, OperatingPoint, PerClass, Verdict};

/// Parameter of the template that the advice is about.
const PARAMETER: &str = "ComprehendClassificationScoreThreshold";

/// Why there are no thresholds for each class.
const SEVERAL: &str = "There is no threshold for each label: predictions name several labels, and one threshold decides about \
                       all labels of a prediction together.";

/// Why rows of the table have no bound.
const NOT_TESTED: &str =
    "Not tested: a safer threshold did not keep the promise, and the 5 % that all tests share are used up.";

/// Writes the whole report.
///
/// `is_doubtful` says that only predictions were judged of which the model was not sure.
pub fn write(advice: &Advice, is_doubtful: bool, target: f64, max_review: f64) -> String {
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes all");
    let accuracy = percent(advice.accuracy);
    line(match is_doubtful {
        true => format!(
            "Of these predictions, of all of which the model was in doubt, {accuracy} are right. None was an audit: of those \
             that it is sure of nothing is known here, and all shares below are shares of the doubtful ones."
        ),
        false => format!("Without people {accuracy} of all predictions are right."),
    });
    if advice.sampled < advice.judged {
        line(format!(
            "Bounds rest on {} of them, thinned to an equal chance; shares are weighted estimates.",
            advice.sampled
        ));
    }
    line(String::new());
    line(row(
        "threshold",
        [
            "accepted",
            "right",
            "at least",
            "to people",
            "errors caught",
            "promise",
        ],
    ));
    let mut points = advice.points.clone();
    let found = match advice.verdict {
        Verdict::Met(point) => Some(point),
        Verdict::TooLittleData { .. } | Verdict::NotGoodEnough { .. } => advice.beyond_max_review,
    };
    points.extend(found.filter(|found| points.iter().all(|point| point.threshold != found.threshold)));
    points.sort_by(|a, b| b.threshold.total_cmp(&a.threshold));
    points
        .iter()
        .for_each(|point| line(point_row(&point.threshold.to_string(), point)));
    if points.iter().any(|point| point.accuracy_at_least.is_none()) {
        line(NOT_TESTED.to_owned());
    }
    line(String::new());
    line(match &advice.per_class {
        Some(found) => per_class(found, target),
        None => format!("{SEVERAL}\n"),
    });
    line(verdict(advice, target, max_review));
    text
}

fn row(first: &str, others: [&str; 6]) -> String {
    let [accepted, right, at_least, to_people, caught, promise] = others;
    format!("{first:<14}{accepted:>9}{right:>9}{at_least:>10}{to_people:>11}{caught:>15}  {promise}")
}

fn point_row(first: &str, point: &OperatingPoint) -> String {
    let or_dash = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), percent);
    row(
        first,
        [
            &point.accepted.to_string(),
            &or_dash(point.accuracy),
            &point
                .accuracy_at_least
                .map_or_else(|| "-".to_owned(), percent_at_least),
            &percent(point.review_share),
            &or_dash(point.errors_caught),
            match point.accuracy_at_least {
                None => "not tested",
                Some(_) if point.keeps_promise => "kept",
                Some(_) => "no",
            },
        ],
    )
}

fn per_class(per_class: &PerClass, target: f64) -> String {
    let mut text = format!(
        "To promise {} within every class (a promise of its own):\n",
        percent(target)
    );
    for (class, point) in &per_class.classes {
        let line = match point {
            Some(point) => point_row(&format!("  {class} {}", point.threshold), point),
            None => format!("  {class}: all to people, {} cannot be shown", percent(target)),
        };
        writeln!(text, "{line}").expect("a string takes all");
    }
    let caught = per_class.errors_caught.map_or_else(String::new, |caught| {
        format!(" They would see {} of all errors.", percent(caught))
    });
    text + &format!(
        "  In all {} go to people.{caught}\n",
        percent(per_class.review_share)
    )
}

fn verdict(advice: &Advice, target: f64, max_review: f64) -> String {
    let target = percent(target);
    let reason = match advice.verdict {
        Verdict::Met(point) => {
            let caught = point.errors_caught.map_or_else(String::new, |caught| {
                format!(", who see {} of all errors", percent(caught))
            });
            return format!(
                "With 95 % confidence at least {target} of what is accepted above {} is right; {} go to people{caught}.\n\
                 Set {PARAMETER}={}",
                point.threshold,
                percent(point.review_share),
                point.threshold,
            );
        }
        Verdict::TooLittleData { labelled } => format!(
            "Too little data: about {labelled} judged predictions would show it, {} are there, if accuracy stays what it \
             looks like.",
            advice.sampled
        ),
        Verdict::NotGoodEnough {
            reachable: Some(reachable),
        } => format!(
            "The model is not good enough: about {} can be promised.",
            percent_at_least(reachable)
        ),
        Verdict::NotGoodEnough { reachable: None } => {
            "The model is not good enough: no accuracy can be promised.".to_owned()
        }
    };
    let price = advice.beyond_max_review.map_or_else(String::new, |point| {
        format!(
            "\nIt can with {} to people: {PARAMETER}={}",
            percent(point.review_share),
            point.threshold
        )
    });
    let max_review = percent(max_review);
    format!("{target} cannot be promised with at most {max_review} to people.\n{reason}{price}")
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Rounds down: a promise must not look better than it is.
fn percent_at_least(share: f64) -> String {
    percent((share * 1_000.0 + 1e-6).floor() / 1_000.0)
}

#[cfg(test)]
mod tests {
    use active_learning_core::model::threshold::{Judged, advise};

    use super::*;

    /// `groups`: how many, class, confidence, how many of them wrong.
    fn report(groups: &[(usize, &str, f32, usize)], target: f64, max_review: f64) -> String {
        let group = |&(count, class, confidence, wrong): &(usize, &str, f32, usize)| {
            let judged = move |number: usize| Judged {
                id: number.to_string(),
                class: class.to_owned(),
                several: class.contains('|'),
                confidence,
                right: number >= wrong,
                selection_probability: 1.0,
            };
            (0..count).map(judged).collect::<Vec<_>>()
        };
        let judged: Vec<Judged> = groups.iter().flat_map(group).collect();
        let advice = advise(&judged, target, max_review).expect("something judged");
        write(&advice, false, target, max_review)
    }

    #[test]
    fn a_report_on_doubtful_predictions_only_speaks_of_no_others() {
        let judged = |number: usize| Judged {
            id: number.to_string(),
            class: "World".to_owned(),
            several: false,
            confidence: 0.5,
            right: number > 8,
            selection_probability: 1.0,
        };
        let judged: Vec<Judged> = (0..45).map(judged).collect();
        let advice = advise(&judged, 0.95, 0.2).expect("something judged");

        let (doubtful, all) = (write(&advice, true, 0.95, 0.2), write(&advice, false, 0.95, 0.2));

        assert!(
            doubtful.starts_with(
                "Of these predictions, of all of which the model was in doubt, 80.0 % are right. None was an audit"
            ),
            "{doubtful}"
        );
        assert!(!doubtful.contains("all predictions are right"), "{doubtful}");
        assert!(
            all.starts_with("Without people 80.0 % of all predictions are right."),
            "{all}"
        );
    }

    #[test]
    fn a_target_that_is_met_names_the_parameter_to_set() {
        let report = report(
            &[(1_000, "World", 0.97, 20), (200, "Sports", 0.655, 100)],
            0.95,
            0.2,
        );

        assert!(
            report.ends_with("Set ComprehendClassificationScoreThreshold=0.66\n"),
            "{report}"
        );
        assert!(report.contains("0.66               1000   98.0 %"), "{report}");
        assert!(
            report.contains("16.7 % go to people, who see 83.3 % of all errors."),
            "{report}"
        );
        assert!(report.contains("Sports: all to people"), "{report}");
    }

    #[test]
    fn a_threshold_that_no_test_reaches_is_not_tested_and_has_no_bound() {
        let report = report(&[(60, "World", 0.55, 0), (140, "World", 0.45, 0)], 0.95, 0.2);

        let row = |threshold: &str| {
            report
                .lines()
                .find(|line| line.starts_with(threshold))
                .expect("a row")
        };
        assert!(row("0.5 ").ends_with("  no"), "{report}");
        assert!(row("0.4 ").ends_with("  not tested"), "{report}");
        assert!(row("0.4 ").contains("100.0 %         -      0.0 %"), "{report}");
        assert!(report.contains("Not tested: a safer threshold"), "{report}");
        assert!(
            report.contains("about 377 judged predictions would show it, 200 are there"),
            "{report}"
        );
    }

    #[test]
    fn predictions_of_several_labels_have_one_threshold_and_it_is_said_why() {
        let report = report(
            &[(1_000, "World", 0.97, 20), (200, "Sports|World", 0.655, 100)],
            0.95,
            0.2,
        );

        assert!(report.contains("predictions name several labels"), "{report}");
        assert!(
            !report.contains("every class") && !report.contains('|'),
            "{report}"
        );
        assert!(
            report.ends_with("Set ComprehendClassificationScoreThreshold=0.66\n"),
            "{report}"
        );
    }

    #[test]
    fn a_target_out_of_reach_says_what_is_and_what_it_takes() {
        let bad = report(
            &[(1_000, "World", 0.97, 20), (1_000, "World", 0.6, 500)],
            0.95,
            0.2,
        );
        let few = report(&[(40, "World", 0.97, 0)], 0.95, 0.2);
        let useless = report(&[(500, "World", 0.97, 500)], 0.95, 0.2);

        assert!(
            bad.contains("95.0 % cannot be promised with at most 20.0 % to people."),
            "{bad}"
        );
        assert!(bad.contains("about 72."), "{bad}");
        assert!(
            bad.contains("It can with 50.0 % to people: ComprehendClassificationScoreThreshold=0.6\n"),
            "{bad}"
        );
        assert!(
            few.contains("Too little data: about 86 judged predictions would show it, 40 are there"),
            "{few}"
        );
        assert!(useless.contains("no accuracy can be promised"), "{useless}");
    }
}
