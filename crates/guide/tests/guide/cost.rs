//! The console's cost is that of the page that says how it was measured.

use active_learning_core::cost::{IDLE_MONTH, PER_THOUSAND};

use crate::markdown::read;

/// Returns the cells of the row that begins so, of the table whose columns are sizes of a stack.
fn row<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    let begin = format!("| {name} |");
    let line = page.lines().find(|line| line.starts_with(&begin));
    let line = line.unwrap_or_else(|| panic!("there is no row `{name}`"));
    line.split('|')
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect()
}

#[test]
fn the_cost_that_the_console_shows_is_what_was_measured_over_a_million_records() {
    let page = read("crates/guide/explanation/growth-and-cost.md");

    for (name, usd) in PER_THOUSAND {
        assert_eq!(
            row(&page, name).last(),
            Some(&format!("{usd:.4}").as_str()),
            "{name}"
        );
    }
    let idle = row(&page, "all of it, with the built-in classifier");
    assert_eq!(idle.last(), Some(&format!("{IDLE_MONTH:.2}").as_str()));
}
