//! What was measured, as tables.

use std::collections::BTreeSet;

use crate::{
    cost::Cost,
    prices::{LIST, Prices},
    stack::Shipped,
    steps::TEXTS_A_LOOP,
};

/// What was measured over each history.
pub struct Measured {
    pub prices: Prices,
    pub shipped: Shipped,
    /// By the number of its records.
    pub histories: Vec<(u64, Vec<Cost>)>,
}

/// A step, and how often it is done for one text.
type Share = (&'static str, f64);

/// The step that chooses from the pool.
const CHOSEN: &str = "50 texts of the pool are chosen, by text";

/// Steps from a classification to a label of people.
const OF_A_QUESTION: [Share; 9] = [
    ("delivery of 100 texts, by text", 1.0),
    ("`ExplainDocuments`, by text", 1.0),
    ("`StartHumanLoop`, of 10 texts", 1.0 / TEXTS_A_LOOP as f64),
    ("a reviewer's answer to 10 texts", 1.0 / TEXTS_A_LOOP as f64),
    ("labels of a loop of 10 texts", 1.0 / TEXTS_A_LOOP as f64),
    ("new labels are seen", 1.0 / TEXTS_A_LOOP as f64),
    ("a loop is done with", 1.0 / TEXTS_A_LOOP as f64),
    ("a new question: nothing to tell", 1.0),
    ("the answer to a text is told", 1.0),
];

impl Measured {
    /// Prints all tables.
    pub fn print(&self) {
        self.print_numbers("CPU ms", |cost| {
            format!("{:.2}", cost.cpu.as_secs_f64() * 1e3 / cost.units as f64)
        });
        self.print_numbers("requests", |cost| {
            format!("{:.1}", cost.calls() as f64 / cost.units as f64)
        });
        self.print_last();
        self.print_ways();
        self.print_idle();
        self.print_prices();
    }

    fn head(&self, what: &str) {
        let counts: Vec<String> = self
            .histories
            .iter()
            .map(|(count, _)| thousands(*count))
            .collect();
        println!(
            "\n| {what} | {} |\n|---|{}",
            counts.join(" | "),
            "---|".repeat(counts.len())
        );
    }

    fn print_numbers(&self, what: &str, number: impl Fn(&Cost) -> String) {
        self.head(what);
        let (_, first) = &self.histories[0];
        for (index, cost) in first.iter().enumerate() {
            let numbers: Vec<String> = self
                .histories
                .iter()
                .map(|(_, costs)| number(&costs[index]))
                .collect();
            println!("| {} | {} |", cost.step, numbers.join(" | "));
        }
    }

    /// Prints what each step asks for over the longest history.
    fn print_last(&self) {
        let (count, costs) = self.histories.last().expect("a history");
        println!(
            "\n| over {} records | GET | PUT | LIST | DELETE | others | GB-s | USD per 1,000 |",
            thousands(*count)
        );
        println!("|---|---|---|---|---|---|---|---|");
        for cost in costs {
            let units = cost.units as f64;
            let each = |number: u64| format!("{:.1}", number as f64 / units);
            let of_s3 = cost.get + cost.put + cost.list + cost.delete;
            println!(
                "| {} | {} | {} | {} | {} | {} | {:.4} | {:.5} |",
                cost.step,
                each(cost.get),
                each(cost.put),
                each(cost.list),
                each(cost.delete),
                each(cost.calls() - of_s3),
                self.prices.gb_seconds(cost, &self.shipped) / units,
                self.prices.of_unit(cost, &self.shipped) * 1e3,
            );
        }
    }

    /// Prints what 1,000 texts cost by the way that they go.
    fn print_ways(&self) {
        self.head("USD per 1,000 texts");
        let model = ("`ClassifyDocument`", 1.0);
        let doubtful = [("classify, in doubt", 1.0), model];
        let (_, costs) = &self.histories[0];
        let chosen = find(costs, CHOSEN);
        let judged = chosen.others.get("ClassifyDocument").copied().unwrap_or_default();
        let file = [
            ("a file of 1,000 sentences", 1e-3),
            (CHOSEN, 1.0),
            ("`EncodeDocuments`, by text", 1.0),
            ("`ClassifyDocument`", judged as f64 / chosen.units as f64),
        ];
        let question = OF_A_QUESTION.as_slice();
        let ways = [
            (
                "classified, and trusted",
                vec![("classify, confident", 1.0), model],
            ),
            ("classified in doubt, until it is queued", doubtful.to_vec()),
            (
                "classified in doubt, answered and told",
                [doubtful.as_slice(), question].concat(),
            ),
            (
                "disliked, answered and told",
                [&[("feedback", 1.0)], question].concat(),
            ),
            (
                "of a file, chosen, answered and told",
                [file.as_slice(), question].concat(),
            ),
        ];
        for (way, steps) in ways {
            let of_history = |costs: &[Cost]| {
                let one =
                    |(step, times): &Share| times * self.prices.of_unit(find(costs, step), &self.shipped);
                format!("{:.4}", steps.iter().map(one).sum::<f64>() * 1e3)
            };
            let numbers: Vec<String> = self
                .histories
                .iter()
                .map(|(_, costs)| of_history(costs))
                .collect();
            println!("| {way} | {} |", numbers.join(" | "));
        }
    }

    /// Prints what a month costs in which nothing happens.
    fn print_idle(&self) {
        self.head("USD a month, idle");
        let metrics: BTreeSet<&String> = self
            .histories
            .iter()
            .flat_map(|(_, costs)| idle_metrics(self, costs))
            .collect();
        let clock = |costs: &[Cost]| -> f64 {
            let of = |((_, operation), calls): (&(String, String), &f64)| {
                let call = self.prices.of_unit(find(costs, operation), &self.shipped);
                calls * (call + self.prices.of("scheduler") / 1e6)
            };
            self.shipped.schedules.iter().map(of).sum()
        };
        let calls: f64 = self.shipped.schedules.values().sum();
        let fixed = [
            (
                format!("{} metrics of alarms", self.shipped.alarm_metrics),
                self.shipped.alarm_metrics,
                "alarm-metric",
            ),
            (
                format!("{} metrics that schedules count", metrics.len()),
                metrics.len(),
                "metric",
            ),
            (
                format!("{} dashboard", self.shipped.dashboards),
                self.shipped.dashboards,
                "dashboard",
            ),
            (
                format!("{} secret", self.shipped.secrets),
                self.shipped.secrets,
                "secret",
            ),
        ];
        let row = |what: &str, number: &dyn Fn(&[Cost]) -> f64| {
            let numbers: Vec<String> = self
                .histories
                .iter()
                .map(|(_, costs)| format!("{:.2}", number(costs)))
                .collect();
            println!("| {what} | {} |", numbers.join(" | "));
        };
        row(
            &format!("{calls:.0} calls of {} schedules", self.shipped.schedules.len()),
            &clock,
        );
        let mut sum = 0.0;
        for (what, number, price) in fixed {
            let usd = number as f64 * self.prices.of(price);
            sum += usd;
            row(&what, &|_| usd);
        }
        row("all of it, with the built-in classifier", &|costs| {
            sum + clock(costs)
        });
        let endpoint = self.prices.of("comprehend-second") * 3_600.0 * self.prices.of("hours");
        row("all of it, with an endpoint of Comprehend", &|costs| {
            sum + clock(costs) + endpoint
        });
        let (_, last) = self.histories.last().expect("a history");
        self.print_bend(sum + clock(last), endpoint);
    }

    /// Prints where the sum bends: up to how many texts a month what is idle is most of it, and from how many on the
    /// built-in classifier costs as much as an endpoint.
    fn print_bend(&self, idle: f64, endpoint: f64) {
        let (_, costs) = self.histories.last().expect("a history");
        let one = |step: &str| self.prices.of_unit(find(costs, step), &self.shipped);
        let model = one("`ClassifyDocument`");
        let question: f64 = OF_A_QUESTION.iter().map(|(step, times)| times * one(step)).sum();
        let texts = |usd: f64| thousands(usd.round() as u64);
        println!("\n| over the longest history | texts a month |\n|---|---|");
        let trusted = model + one("classify, confident");
        println!(
            "| trusted ones that cost as much as an idle month | {} |",
            texts(idle / trusted)
        );
        let answered = model + one("classify, in doubt") + question;
        println!(
            "| answered ones that cost as much as an idle month | {} |",
            texts(idle / answered)
        );
        println!(
            "| for which the built-in classifier costs as much as an endpoint | {} |",
            texts(endpoint / model)
        );
    }

    fn print_prices(&self) {
        println!("\n| name | price, USD | of |\n|---|---|---|");
        for price in &LIST {
            println!(
                "| `{}` | {} | {} |",
                price.name,
                self.prices.of(price.name),
                price.of
            );
        }
    }
}

fn idle_metrics<'a>(measured: &'a Measured, costs: &'a [Cost]) -> impl Iterator<Item = &'a String> {
    let operations = measured
        .shipped
        .schedules
        .keys()
        .map(|(_, operation)| operation.as_str());
    operations.flat_map(|operation| &find(costs, operation).metrics)
}

fn find<'a>(costs: &'a [Cost], step: &str) -> &'a Cost {
    let found = costs.iter().find(|cost| cost.step == step);
    found.unwrap_or_else(|| panic!("{step} was not measured"))
}

/// Writes a number with commas.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
