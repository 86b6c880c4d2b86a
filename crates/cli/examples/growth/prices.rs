//! What AWS asks for, and what a step costs by it.

use std::collections::BTreeMap;

use crate::{cost::Cost, stack::Shipped};

/// Memory at which a function has one whole processor, MB. Source: AWS Lambda Developer Guide, "Configure Lambda function
/// memory".
const MEMORY_OF_A_PROCESSOR: f64 = 1_769.0;

/// A price, or what else is taken for granted, with its name for the command line.
pub struct Price {
    pub name: &'static str,
    pub value: f64,
    pub of: &'static str,
}

/// List prices of us-east-1 in USD, without what is free; as of November 2026.
pub const LIST: [Price; 18] = [
    Price {
        name: "lambda-gb-second",
        value: 0.000_013_333_4,
        of: "Lambda, arm64: a GB-second",
    },
    Price {
        name: "lambda-requests",
        value: 0.20,
        of: "Lambda: a million invocations",
    },
    Price {
        name: "s3-get",
        value: 0.000_4,
        of: "S3 Standard: 1,000 GET or HEAD",
    },
    Price {
        name: "s3-put",
        value: 0.005,
        of: "S3 Standard: 1,000 PUT or LIST",
    },
    Price {
        name: "gateway",
        value: 3.50,
        of: "API Gateway, REST: a million requests",
    },
    Price {
        name: "firehose-gb",
        value: 0.029,
        of: "Data Firehose: a GB, each record rounded up to 5 kB",
    },
    Price {
        name: "events",
        value: 1.00,
        of: "EventBridge: a million events of one's own",
    },
    Price {
        name: "scheduler",
        value: 1.00,
        of: "EventBridge Scheduler: a million calls",
    },
    Price {
        name: "transitions",
        value: 25.0,
        of: "Step Functions, standard: a million transitions",
    },
    Price {
        name: "sns",
        value: 0.50,
        of: "SNS: a million messages",
    },
    Price {
        name: "alarm-metric",
        value: 0.10,
        of: "CloudWatch: a metric of an alarm, a month",
    },
    Price {
        name: "metric",
        value: 0.30,
        of: "CloudWatch: a metric of one's own, a month",
    },
    Price {
        name: "dashboard",
        value: 3.00,
        of: "CloudWatch: a dashboard, a month",
    },
    Price {
        name: "logs-gb",
        value: 0.50,
        of: "CloudWatch Logs: a GB that is taken in",
    },
    Price {
        name: "secret",
        value: 0.40,
        of: "Secrets Manager: a secret, a month",
    },
    Price {
        name: "comprehend-second",
        value: 0.000_5,
        of: "Comprehend: an inference unit of an endpoint, a second",
    },
    Price {
        name: "wait-ms",
        value: 20.0,
        of: "not a price: ms that a function waits for each call, one after another",
    },
    Price {
        name: "hours",
        value: 730.0,
        of: "not a price: hours of a month",
    },
];

/// The prices in use.
#[derive(Debug)]
pub struct Prices(BTreeMap<&'static str, f64>);

impl Prices {
    /// Takes the list, with what is given as `name=value` in its place.
    pub fn with(own: &[String]) -> Self {
        let mut prices: BTreeMap<_, _> = LIST.iter().map(|price| (price.name, price.value)).collect();
        for given in own {
            let (name, value) = given.split_once('=').expect("a price is given as name=value");
            let known = prices
                .get_mut(name)
                .unwrap_or_else(|| panic!("there is no price `{name}`"));
            *known = value.parse().expect("a price is a number");
        }
        Self(prices)
    }

    pub fn of(&self, name: &str) -> f64 {
        self.0[name]
    }

    /// Returns what one of the units of a step costs: what one counts by.
    pub fn of_unit(&self, cost: &Cost, shipped: &Shipped) -> f64 {
        self.of_all(cost, shipped) / cost.units.max(1) as f64
    }

    fn of_all(&self, cost: &Cost, shipped: &Shipped) -> f64 {
        let other = |name: &str| cost.others.get(name).copied().unwrap_or_default() as f64;
        let invocations = cost.invocations as f64;
        let gateway = if cost.is_of_client { invocations } else { 0.0 };
        self.gb_seconds(cost, shipped) * self.of("lambda-gb-second")
            + invocations * self.of("lambda-requests") / 1e6
            + gateway * self.of("gateway") / 1e6
            + cost.get as f64 * self.of("s3-get") / 1e3
            + (cost.put + cost.list) as f64 * self.of("s3-put") / 1e3
            + other("records") * 5e3 * self.of("firehose-gb") / 1e9
            + other("PutEvents") * self.of("events") / 1e6
            + other("SNS") * self.of("sns") / 1e6
            + cost.logged as f64 * self.of("logs-gb") / 1e9
    }

    /// Estimates what Lambda bills: CPU time at the share of a processor that the memory buys, and the wait for each call.
    pub fn gb_seconds(&self, cost: &Cost, shipped: &Shipped) -> f64 {
        let memory = shipped.memory[&cost.function] as f64;
        let share = (memory / MEMORY_OF_A_PROCESSOR).min(1.0);
        let waits = cost.calls() as f64 * self.of("wait-ms") / 1e3;
        memory / 1_024.0 * (cost.cpu.as_secs_f64() / share + waits)
    }
}
