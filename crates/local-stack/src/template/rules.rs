//! Checks the rules of a template: what must hold before anything is made.

use serde_json::Value;

use super::{
    document::join,
    resolver::{Reported, Resolver},
};

impl<'a> Resolver<'a> {
    /// Reports every assertion of a rule that does not hold, in the words of its description.
    ///
    /// # Errors
    ///
    /// [`Reported`] when the rule cannot be decided.
    pub(super) fn check_rule(&mut self, rule: &'a Value, path: &str) -> Result<(), Reported> {
        let settings = self.object(rule, path)?;
        self.only_known(settings, &["RuleCondition", "Assertions"], path);
        if let Some(condition) = settings.get("RuleCondition")
            && !self.decide(condition, &join(path, "RuleCondition"))?
        {
            return Ok(());
        }

        let path = join(path, "Assertions");
        let Some(assertions) = settings.get("Assertions").and_then(Value::as_array) else {
            return self.report(&path, "must be a list");
        };
        for assertion in assertions {
            let assertion = self.object(assertion, &path)?;
            self.only_known(assertion, &["Assert", "AssertDescription"], &path);
            let Some(assert) = assertion.get("Assert") else {
                return self.report(&path, "Assert is missing");
            };
            if !self.decide(assert, &join(&path, "Assert"))? {
                let words = assertion.get("AssertDescription").and_then(Value::as_str);
                self.problems
                    .report(&path, words.unwrap_or("the assertion does not hold"));
            }
        }
        Ok(())
    }
}
