//! What is wrong with a template: collected, so that one start reports all of it.

use std::{cell::RefCell, collections::BTreeSet, fmt};

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path in the template, for example `Resources.Bucket.Properties.BucketName`.
    pub path: String,
    /// What is wrong, in CloudFormation's words where it has some.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return formatter.write_str(&self.message);
        }
        write!(formatter, "{}: {}", self.path, self.message)
    }
}

/// Collects problems; shared by everything that reads one template.
#[derive(Debug, Default)]
pub struct Problems {
    all: RefCell<Vec<Problem>>,
    /// Parameters whose value is refused.
    parameters: RefCell<BTreeSet<String>>,
}

/// The refusal of a template, one line for each problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the template cannot be started:{}", .0.iter().map(|problem| format!("\n  {problem}")).collect::<String>())]
pub struct Refused(pub Vec<Problem>);

impl Problems {
    /// Adds a problem.
    pub fn report(&self, path: impl Into<String>, message: impl Into<String>) {
        let problem = Problem {
            path: path.into(),
            message: message.into(),
        };
        let mut problems = self.all.borrow_mut();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// Adds that the value of a parameter is refused.
    pub fn refuse_parameter(&self, name: &str, message: impl Into<String>) {
        self.parameters.borrow_mut().insert(name.to_owned());
        self.report("", message);
    }

    /// Returns whether the value of a parameter is refused already: what reads it need not say so again.
    pub fn is_parameter_refused(&self, name: &str) -> bool {
        self.parameters.borrow().contains(name)
    }

    /// Returns `value`, or everything that was reported.
    ///
    /// # Errors
    ///
    /// [`Refused`] when at least one problem was reported.
    pub fn or<T>(self, value: T) -> Result<T, Refused> {
        let problems = self.all.into_inner();
        if problems.is_empty() {
            Ok(value)
        } else {
            Err(Refused(problems))
        }
    }
}
