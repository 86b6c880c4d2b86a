//! How each kind of object is rewritten. A test holds the rules against the list of all objects.

use active_learning_core::keys::BucketName::{self, Batch, Feedback, Review, Training};

use crate::rewrite::Shape;

/// What becomes of a kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It holds no text, or what is never changed.
    Stays,
    /// It is rewritten; deleted where nothing is left.
    Rewritten(Shape),
    /// It is rewritten; an empty one stays, since somebody knows its key.
    StaysEmpty(Shape),
    /// A delivered object: a function is told of it when it is written.
    Delivered,
    /// An uploaded file: a function is told of it when it is written.
    Upload,
    /// A training file: a function is told of it when it is written.
    TrainingFile,
    /// A part of a dataset version, which is rewritten as a whole.
    Dataset,
    /// It repeats what other objects hold: it is deleted in the end, and made anew from what is left of them.
    MadeAnew,
}

use Rule::{Dataset, Delivered, MadeAnew, Rewritten, Stays, StaysEmpty, TrainingFile, Upload};

/// What the keys of worker task templates end with.
const PAGES: [&str; 3] = [".html", ".htm", ".liquid"];

const JSON: Rule = Rewritten(Shape::Json);
const TASK: Rule = Rewritten(Shape::Task);

/// The rule of each kind, by bucket and key as [`OBJECTS`](active_learning_core::keys::OBJECTS) has them.
pub const RULES: &[(BucketName, &str, Rule)] = &[
    (Batch, "<path>", Upload),
    (Feedback, "asked/<human loop>.json", JSON),
    (Feedback, "aws/lambda/async/<function>/<invocation>", JSON),
    (Feedback, "backlog/1-audit/<turn>-<record>.json", JSON),
    (Feedback, "backlog/2-exploration/<turn>-<record>.json", JSON),
    (Feedback, "backlog/3-ranked/<turn>-<record>.json", JSON),
    (Feedback, "backlog/4-pool/<record>.json", JSON),
    (Feedback, "backlog/asked-before.json", Rewritten(Shape::Texts)),
    (Feedback, "backlog/budget.json", JSON),
    (Feedback, "backlog/selector.json", Stays),
    (
        Feedback,
        "backlog/vectors/<encoder>.bin",
        Rewritten(Shape::Vectors),
    ),
    (Feedback, "batch-reports/<file>.json", Stays),
    (Feedback, "claims/<record>", Stays),
    (Feedback, "claims/done-<object>", Stays),
    (Feedback, "claims/liked-<form>", JSON),
    (Feedback, "claims/plan-<object and records>", Stays),
    (Feedback, "claims/text-<form>", Stays),
    (Feedback, "claims/unknown-class/<class>/<record>", Stays),
    (Feedback, "copies/recent-texts.jsonl", JSON),
    (Feedback, "copies/recent/<part>.jsonl", JSON),
    (Feedback, "duplicates/<record>.json", Stays),
    (Feedback, "erased/texts.bin", Stays),
    (Feedback, "erasures/<erasure>.json", Stays),
    (
        Feedback,
        "feedback/<year>/<month>/<day>/<hour>/<delivery>.gz",
        Delivered,
    ),
    (
        Feedback,
        "feedback/direct/<year>/<month>/<day>/<hour>/<prediction>.jsonl",
        Delivered,
    ),
    (Feedback, "feedback/redriven/<human loop>-<part>.jsonl", Delivered),
    (Feedback, "feedback/relabel/<change>-<part>.jsonl", Delivered),
    (
        Feedback,
        "feedback/released/<question>-<content>.jsonl",
        Delivered,
    ),
    (Feedback, "firehose-errors/<delivery>", JSON),
    (Feedback, "predictions-of/<record>/<prediction>", Stays),
    (Feedback, "predictions/<prediction>.json", Stays),
    (Feedback, "questions/<record>.json", JSON),
    (Feedback, "questions/damaged/<record>-<content>.json", JSON),
    (Feedback, "rejected/a2i-trigger/<object>-<part>.jsonl", JSON),
    (Feedback, "rejected/batch-feedback/<file>-<part>.jsonl", JSON),
    (Feedback, "rejected/review-events/<event>-<part>.jsonl", JSON),
    (Feedback, "rejected/training-data/<human loop>-<part>.jsonl", JSON),
    (Feedback, "relabel/<change>-<part>.jsonl", StaysEmpty(Shape::Json)),
    (Feedback, "relabel/<change>.json", Stays),
    (Feedback, "stats/arrivals.json", Stays),
    (
        Review,
        "<flow definition>/<year>/<month>/<day>/<hour>/<minute>/<second>/<human loop>/output.json",
        TASK,
    ),
    (Review, "<worker task template>", Upload),
    (Review, "audit-log/<day>/<time>-<entry>.json", Stays),
    (Review, "guideline.json", JSON),
    (Review, "human-review/answers/<loop id>/<answer>.json", JSON),
    (Review, "human-review/audit-results/<job>.json", Stays),
    (Review, "human-review/damaged/<object>", Stays),
    (Review, "human-review/expiring/<mark>", Stays),
    (
        Review,
        "human-review/flow-definitions/<flow definition>.json",
        Stays,
    ),
    (
        Review,
        "human-review/flow-loops/<flow definition>/listing/ascending/<mark>",
        Stays,
    ),
    (
        Review,
        "human-review/flow-loops/<flow definition>/listing/descending/<mark>",
        Stays,
    ),
    (Review, "human-review/guidelines/<version>.json", JSON),
    (Review, "human-review/history/<worker>.json", Stays),
    (Review, "human-review/human-task-uis/<name>.json", Stays),
    (Review, "human-review/inputs/<loop id>.json", TASK),
    (
        Review,
        "human-review/labelling-job-input/<job>/<part>.jsonl",
        StaysEmpty(Shape::NumberedLines),
    ),
    (
        Review,
        "human-review/labelling-job-objects/<job>/<part>.json",
        Rewritten(Shape::JsonInPlace),
    ),
    (Review, "human-review/labelling-job-objects/<job>/model", Stays),
    (Review, "human-review/labelling-jobs-by-time/<time>-<job>", Stays),
    (
        Review,
        "human-review/labelling-jobs-newest-first/<time>-<job>",
        Stays,
    ),
    (
        Review,
        "human-review/labelling-jobs/<job>.json",
        Rewritten(Shape::JsonInPlace),
    ),
    (Review, "human-review/listing/ascending/<mark>", Stays),
    (Review, "human-review/listing/descending/<mark>", Stays),
    (
        Review,
        "human-review/loops/<human loop>.json",
        Rewritten(Shape::HumanLoop),
    ),
    (Review, "human-review/notices/<topic>.json", Stays),
    (Review, "human-review/open-labelling-jobs/<job>", Stays),
    (Review, "human-review/queue/<mark>", Stays),
    (Review, "human-review/remarks.json", Rewritten(Shape::Remarks)),
    (Review, "human-review/reviewers/<worker>.json", Stays),
    (Review, "human-review/template-trial.json", Stays),
    (Review, "human-review/ui-templates/<hash>.html", Stays),
    (Review, "human-review/used-sign-in-links/<link>", Stays),
    (Review, "human-review/workforce.json", Stays),
    (Review, "human-review/workteams/<team>.json", Stays),
    (Training, "automated-labelling/promises.json", Stays),
    (Training, "builds/<build>/approval.json", Stays),
    (Training, "builds/<build>/decision.json", Stays),
    (
        Training,
        "builds/<build>/evaluation/<job>/output/output.tar.gz",
        Stays,
    ),
    (
        Training,
        "builds/<build>/evaluation/known.json",
        StaysEmpty(Shape::Json),
    ),
    (
        Training,
        "builds/<build>/evaluation/texts.txt",
        StaysEmpty(Shape::Lines),
    ),
    (
        Training,
        "builds/<build>/flywheel/<file>.csv",
        StaysEmpty(Shape::Rows),
    ),
    (Training, "builds/<build>/record.json", Stays),
    (
        Training,
        "builds/<build>/training/<job>/output/output.tar.gz",
        Stays,
    ),
    (Training, "builds/confidence-warning-<model>.json", Stays),
    (Training, "builds/erasing.json", Stays),
    (Training, "builds/first-model.json", Stays),
    (Training, "builds/last.json", Stays),
    (Training, "builds/running.json", Stays),
    (Training, "builds/tally.json", Stays),
    (Training, "copies-new/<write>.json", Stays),
    (Training, "copies/<original>/<copy>-<occurrence>.json", JSON),
    (Training, "datasets/<version>/agreement.json", Dataset),
    (Training, "datasets/<version>/chosen.bin", Dataset),
    (Training, "datasets/<version>/machine-labelled.jsonl", Dataset),
    (Training, "datasets/<version>/manifest.json", Dataset),
    (Training, "datasets/<version>/test.csv", Dataset),
    (Training, "datasets/<version>/train-machine-labelled.csv", Dataset),
    (Training, "datasets/<version>/train.csv", Dataset),
    (Training, "datasets/copies.bin", MadeAnew),
    (Training, "datasets/labels.json", MadeAnew),
    (Training, "datasets/labels/<hash>.gz", MadeAnew),
    (Training, "datasets/machine-labels.json", MadeAnew),
    (Training, "datasets/machine-labels/<hash>.gz", MadeAnew),
    (Training, "datasets/newest.json", Stays),
    (Training, "datasets/split.json", Stays),
    (Training, "datasets/split/<list>.txt", StaysEmpty(Shape::Lines)),
    (Training, "deployments/<time>-<build>.json", Stays),
    (Training, "disputed/<record>.json", JSON),
    (Training, "encoder/<path>", Stays),
    (Training, "erased/models.json", Stays),
    (Training, "erased/texts.bin", Stays),
    (Training, "flywheels/<path>", Rewritten(Shape::Lake)),
    (Training, "initial-reports/<file>.json", Stays),
    (Training, "initial/<file>.csv", TrainingFile),
    (Training, "label-set.json", Stays),
    (Training, "label-sets/<version>.json", Stays),
    (Training, "labelled-new/<human loop>/<write>", Stays),
    // That it is there says that the output of its loop was worked off.
    (Training, "labelled/<human loop>.jsonl", StaysEmpty(Shape::Json)),
    (Training, "labelled/adjudication-<record>-<time>.jsonl", JSON),
    (Training, "labelled/import-<what it says>.jsonl", JSON),
    (Training, "labelled/vote-<record>-<occurrence>.jsonl", JSON),
    (Training, "machine-labelled/<object>-<part>.jsonl", JSON),
    (Training, "notices/<notice>.json", Stays),
    (Training, "text-classifier/<resource>.json", Stays),
    (
        Training,
        "text-classifier/document-classifier/<model>.json",
        Stays,
    ),
    (Training, "text-classifier/jobs/<resource>.json", Stays),
    (Training, "text-classifier/models/<resource>.bin", Stays),
    // Classes and scores, by number.
    (Training, "text-classifier/parts/<job>/<part>.jsonl", Stays),
    (
        Training,
        "text-classifier/vectors/<encoder>/<pack>.bin",
        Rewritten(Shape::Vectors),
    ),
];

impl Rule {
    /// Returns whether people have put the object there, or nobody knows who: what of it cannot be read is told.
    pub fn is_of_people(self) -> bool {
        matches!(self, Upload | TrainingFile | Rewritten(Shape::Upload))
    }

    /// Returns how an object of this rule is read; none where it holds no text.
    pub fn shape(self, key: &str) -> Option<Shape> {
        match self {
            Stays | MadeAnew => None,
            Rewritten(shape) | StaysEmpty(shape) => Some(shape),
            Delivered => Some(Shape::Json),
            Upload => Some(Shape::Upload),
            TrainingFile => Some(Shape::Rows),
            Dataset if key.ends_with(".csv") => Some(Shape::DatasetRows),
            Dataset if key.ends_with(".bin") => Some(Shape::Ids),
            Dataset => Some(Shape::Json),
        }
    }
}

/// Returns the rule of an object: that of the kind whose key says most of its own; of what is no kind, such as the output of
/// a labelling job that somebody put into a bucket of the stack, that of an uploaded file. A page is no table of texts.
pub fn rule(bucket: BucketName, key: &str) -> Rule {
    if bucket == Review && PAGES.iter().any(|end| key.ends_with(end)) {
        return Stays;
    }
    let fits = RULES
        .iter()
        .filter(|(of, pattern, _)| *of == bucket && fits(pattern, key));
    let best = fits.max_by_key(|(_, pattern, _)| literal(pattern));
    best.map_or(Rewritten(Shape::Upload), |(_, _, rule)| *rule)
}

/// Names a kind of object for people: what its key begins with.
pub fn folder(key: &str) -> &str {
    let end = key.find('/').map_or(key.len(), |at| at + 1);
    &key[..end]
}

/// Returns how many letters of a pattern stand for themselves.
fn literal(pattern: &str) -> usize {
    let named = pattern
        .split('<')
        .skip(1)
        .map(|part| part.find('>').map_or(0, |at| at + 2));
    pattern.len() - named.sum::<usize>()
}

/// Returns whether a key is one of a pattern, whose names in angle brackets stand for anything.
fn fits(pattern: &str, key: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('<') else {
        return pattern == key;
    };
    let end = pattern.rsplit('>').next().unwrap_or_default();
    if !key.ends_with(end) {
        return false;
    }
    let rest = rest.split_once('>').map_or("", |(_, rest)| rest);
    let Some(key) = key.strip_prefix(start) else {
        return false;
    };
    (0..=key.len()).any(|end| key.is_char_boundary(end) && fits(rest, &key[end..]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use active_learning_core::keys::OBJECTS;

    use super::*;

    #[test]
    fn every_kind_of_object_has_a_rule_and_every_rule_a_kind() {
        let kinds: BTreeSet<_> = OBJECTS.iter().map(|kind| (kind.bucket, kind.key)).collect();
        let rules: BTreeSet<_> = RULES.iter().map(|(bucket, key, _)| (*bucket, *key)).collect();

        let without: Vec<_> = kinds.difference(&rules).collect();
        let unknown: Vec<_> = rules.difference(&kinds).collect();

        assert!(without.is_empty(), "say what `erase` does with {without:?}");
        assert!(unknown.is_empty(), "{unknown:?}");
        assert_eq!(rules.len(), RULES.len(), "a rule is given twice");
    }

    #[test]
    fn an_object_is_of_the_kind_whose_key_says_most() {
        for kind in OBJECTS {
            let (bucket, key) = (kind.bucket, kind.example("x-1"));
            let own = RULES
                .iter()
                .find(|(of, pattern, _)| *of == bucket && *pattern == kind.key);

            assert_eq!(Some(rule(bucket, &key)), own.map(|(_, _, rule)| *rule), "{key}");
        }
        assert_eq!(rule(Feedback, "feedback/2026/11/29/10/a-1-2026.gz"), Delivered);
        assert_eq!(rule(Feedback, "questions/damaged/a-b.json"), JSON);
        assert_eq!(rule(Training, "output/job/manifest"), Rewritten(Shape::Upload));
        assert_eq!(rule(Review, "templates/own.liquid.html"), Stays);
        assert_eq!(
            rule(Review, "output/job/manifests/output/output.manifest"),
            Upload
        );
    }
}
