//! Decides conditions, each when it is first needed.

use serde_json::{Map, Value};

use super::{
    document::join,
    resolver::{Reported, Resolver},
};

impl<'a> Resolver<'a> {
    /// Returns whether the `Condition` of a resource or output holds; without one it does.
    pub(super) fn holds(&mut self, settings: &'a Map<String, Value>, path: &str) -> bool {
        let path = join(path, "Condition");
        match settings.get("Condition") {
            None => true,
            Some(Value::String(name)) => self.condition(name, &path).unwrap_or(true),
            Some(_) => {
                self.problems.report(path, "must name a condition");
                true
            }
        }
    }

    pub(super) fn condition(&mut self, name: &str, path: &str) -> Result<bool, Reported> {
        match self.decided.get(name) {
            Some(Some(decided)) => return *decided,
            Some(None) => {
                return self.report(path, format!("the condition {name} depends on itself"));
            }
            None => {}
        }
        let Some(rule) = self.conditions.get(name) else {
            return self.report(path, format!("the condition {name} is not in the template"));
        };
        self.decided.insert(name.to_owned(), None);
        let decided = self.decide(rule, &join("Conditions", name));
        self.decided.insert(name.to_owned(), Some(decided));
        decided
    }

    pub(super) fn decide(&mut self, rule: &'a Value, path: &str) -> Result<bool, Reported> {
        let object = self.object(rule, path)?;
        let (Some((name, argument)), 1) = (object.iter().next(), object.len()) else {
            return self.report(path, "must be one condition function");
        };
        let path = &join(path, name);
        match name.as_str() {
            "Condition" => match argument.as_str() {
                Some(name) => self.condition(name, path),
                None => self.report(path, "must name a condition"),
            },
            "Fn::Equals" => {
                let [left, right] = self.arguments(argument, path)?;
                Ok(self.required_text(left, path)? == self.required_text(right, path)?)
            }
            "Fn::Not" => {
                let [rule] = self.arguments(argument, path)?;
                Ok(!self.decide(rule, path)?)
            }
            "Fn::And" | "Fn::Or" => {
                let Some(rules) = argument.as_array().filter(|it| (2..=10).contains(&it.len())) else {
                    return self.report(path, "takes 2 to 10 conditions");
                };
                let decided: Vec<_> = rules.iter().map(|rule| self.decide(rule, path)).collect();
                let decided = decided.into_iter().collect::<Result<Vec<_>, _>>()?;
                Ok(if name == "Fn::And" {
                    decided.iter().all(|it| *it)
                } else {
                    decided.iter().any(|it| *it)
                })
            }
            "Fn::Contains" if is_in_rules(path) => {
                let [list, value] = self.arguments(argument, path)?;
                let value = self.required_text(value, path)?;
                Ok(self.texts(list, path)?.contains(&value))
            }
            _ => self.report(path, "is not a condition function"),
        }
    }
}

/// CloudFormation has `Fn::Contains` for rules alone.
fn is_in_rules(path: &str) -> bool {
    path.starts_with("Rules.")
}
