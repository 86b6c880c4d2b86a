//! What an audit says of the labels.

use std::collections::BTreeMap;

use active_learning_aws::{bucket::MAX_DOCUMENT_BYTES, label_set::LabelSets};
use active_learning_core::labels::{
    label_audit::{ErrorRate, LabelAudit, SecondLooks},
    label_set::LabelSet,
};
use human_review::members::MemberPage;
use human_review::operations::Operation;
use human_review::stack_audit::{lines_left_out, unreadable_lines};
use serde_json::{Value, json};

use super::append::{Adjusted, Appended, adjusted, append, appended_before, name_as_now};
use super::{AFTER, BEFORE, Failure, Folder, control_plane};
use crate::{place::Place, portal_function::PortalFunction, wording::counted_as};

/// How a report is made.
pub(super) struct How {
    /// Whether the labels that the audit adjusted are appended to those of the stack.
    pub appends: bool,
    /// Whether JSON is printed.
    pub as_json: bool,
}

/// Prints the report of an audit, as far as it is, by the names that labels have now.
pub(super) async fn print(
    place: &Place,
    folder: &Folder,
    portal: &PortalFunction,
    name: &str,
    how: How,
) -> Result<(), Failure> {
    let (content, left_out) = output(folder, portal, name).await?;
    let lines = content
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let mut lines: Vec<Value> = lines.map(serde_json::from_slice).collect::<Result<_, _>>()?;
    let sets = LabelSets::new(place.training.clone()).with_several_labels(place.several_labels);
    let set = sets.current().await?;
    let names = names(portal).await?;
    let audit = audit_of(&lines, set.as_deref(), &names);
    if let Some(set) = &set {
        name_as_now(&mut lines, set);
    }
    let adjusted = adjusted(&lines);
    let appended = match how.appends {
        true => Box::pin(append((place, set.as_deref()), name, &adjusted, &names)).await?,
        false => appended_before(place, name, &adjusted).await?,
    };
    if how.as_json {
        let document = document(name, &audit, &adjusted, appended, left_out);
        println!("{}", serde_json::to_string_pretty(&document)?);
        return Ok(());
    }
    print!("{}{}", text(name, lines.len(), &audit), changes(&adjusted));
    if let Some(left_out) = unreadable_lines(left_out) {
        println!("\n{left_out}");
    }
    print!("{}", of_labels(appended));
    Ok(())
}

/// Reads the output of an audit; returns how many lines of labels were left out when it began, too.
async fn output(folder: &Folder, portal: &PortalFunction, name: &str) -> Result<(Vec<u8>, usize), Failure> {
    let job = control_plane(portal, "DescribeLabelingJob", json!({ "LabelingJobName": name })).await?;
    let status = job["LabelingJobStatus"].as_str().unwrap_or_default();
    let object = folder
        .bucket
        .read(
            &folder.key("manifests/output/output.manifest"),
            MAX_DOCUMENT_BYTES,
        )
        .await?;
    if let Some(object) = object {
        return Ok((object.bytes, lines_left_out(&job["Tags"])));
    }
    let reason = job["FailureReason"]
        .as_str()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    let count = |name: &str| job["LabelCounters"][name].as_u64().unwrap_or_default();
    let goes_to = job["OutputConfig"]["S3OutputPath"].as_str().unwrap_or_default();
    Err(format!(
        "the audit {name} is {status}{reason}: {} been looked at, {}; nothing of it is at --output yet, and it goes to \
         {goes_to}",
        counted_as(count("TotalLabeled"), "text has", "texts have"),
        counted_as(count("Unlabeled"), "waits", "wait")
    )
    .into())
}

/// Says what became of the adjusted labels, or how they become labels of the stack.
fn of_labels(appended: Appended) -> String {
    match appended.in_words() {
        words if words.is_empty() => words,
        words => format!("\nlabels\n{words}"),
    }
}

/// Returns the names of who may sign in, by worker id.
async fn names(portal: &PortalFunction) -> Result<BTreeMap<String, String>, Failure> {
    let (mut names, mut after) = (BTreeMap::new(), Some(String::new()));
    while let Some(from) = after {
        let answer = portal.call(&Operation::ListReviewers { after: from }).await?;
        let page: MemberPage = serde_json::from_value(answer)?;
        let reviewers = page.reviewers.into_iter();
        names.extend(reviewers.map(|listed| (listed.worker_id, listed.member.name)));
        after = page.next;
    }
    Ok(names)
}

/// Counts as the console does.
fn audit_of(lines: &[Value], set: Option<&LabelSet>, names: &BTreeMap<String, String>) -> LabelAudit {
    let mut looks = SecondLooks::default();
    lines.iter().for_each(|line| looks.add_line(line, BEFORE, AFTER));
    looks.audit(
        |label| set.map_or(label, |set| set.own_name(label)).to_owned(),
        names,
    )
}

fn document(
    name: &str,
    audit: &LabelAudit,
    adjusted: &[Adjusted],
    appended: Appended,
    left_out: usize,
) -> Value {
    let mut document = audit.to_json();
    document["name"] = json!(name);
    document["unreadableLines"] = json!(left_out);
    let adjusted = adjusted.iter().map(
        |adjusted| json!({ "record": adjusted.record, "before": adjusted.before.to_json(), "after": adjusted.after.to_json() }),
    );
    document["adjusted"] = adjusted.collect();
    document["labels"] = appended.to_json();
    document
}

/// Names the texts whose labels are wrong, by record.
fn changes(adjusted: &[Adjusted]) -> String {
    if adjusted.is_empty() {
        return String::new();
    }
    let line = |adjusted: &Adjusted| {
        let Adjusted {
            record,
            before,
            after,
            ..
        } = adjusted;
        format!("  {record}  {before} -> {after}\n")
    };
    format!("\nrecord\n{}", adjusted.iter().map(line).collect::<String>())
}

fn text(name: &str, lines: usize, audit: &LabelAudit) -> String {
    let mut text = format!(
        "Audit {name}: {} of {} looked at again, {} wrong.\n\n",
        audit.all.audited,
        counted_as(lines, "text was", "texts were"),
        counted_as(audit.all.wrong, "label was", "labels were")
    );
    text.push_str(&row("", &audit.all, true));
    for (title, rates) in [("label", &audit.by_label), ("reviewer", &audit.by_reviewer)] {
        if !rates.is_empty() {
            text.push_str(&format!("\n{title}\n"));
        }
        for (name, rate) in rates {
            text.push_str(&row(name, rate, false));
        }
    }
    if !audit.changes.is_empty() {
        text.push_str("\nchanged\n");
    }
    for ((before, after), count) in &audit.changes {
        text.push_str(&format!("  {before} -> {after}: {count}\n"));
    }
    if let Some(divided) = audit.of_divided() {
        text.push_str(&format!("\n{divided}\n"));
    }
    text.push_str("\nThe ranges hold the true error rate with 95 % confidence (exact, Clopper-Pearson).\n");
    text
}

fn row(name: &str, rate: &ErrorRate, is_total: bool) -> String {
    let name = if is_total { "all labels" } else { name };
    let (percent, interval) = (|share: f64| 100.0 * share, rate.interval());
    format!(
        "  {name:<24} {:>5} of {:>5} wrong {:>6.1} %  ({:.1} % to {:.1} %)\n",
        rate.wrong,
        rate.audited,
        percent(rate.rate().unwrap_or_default()),
        percent(interval.low),
        percent(interval.high),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_the_exact_interval_by_label_and_reviewer() {
        let line = |before: &str, after: &str| {
            json!({
                "label-metadata": { "class-name": before }, "audited-metadata": { "class-name": after },
                "reviewers": ["w-1"],
            })
        };
        let mut lines = vec![line("World", "World"); 36];
        lines.extend(vec![line("World", "Sports"); 4]);
        lines.push(json!({ "label-metadata": { "class-name": "World" } }));

        let audit = audit_of(
            &lines,
            None,
            &BTreeMap::from([("w-1".to_owned(), "ann".to_owned())]),
        );

        let text = text("spring", lines.len(), &audit);
        assert!(
            text.contains("40 of 41 texts were looked at again, 4 labels were wrong"),
            "{text}"
        );
        assert!(text.contains("10.0 %  (2.8 % to 23.7 %)"), "{text}");
        assert!(text.contains("World -> Sports: 4"), "{text}");
        let document = document("spring", &audit, &[], Appended::default(), 3);
        assert_eq!(
            document["unreadableLines"], 3,
            "those that the audit left out when it began"
        );
        assert_eq!(document["byReviewer"]["ann"]["wrong"], 4);
        assert_eq!(document["labels"]["notAppended"], 0, "{document}");
    }

    #[test]
    fn errors_of_two_reviewers_of_one_name_are_told_apart_by_their_ids() {
        let line = |after: &str, worker: &str| {
            json!({
                "label-metadata": { "class-name": "World" }, "audited-metadata": { "class-name": after },
                "reviewers": [worker],
            })
        };
        let lines = [line("World", "w-1"), line("Sports", "w-2"), line("World", "w-3")];
        let names = [("w-1", "ann"), ("w-2", "ann"), ("w-3", "bob")];
        let names = names.map(|(id, name)| (id.to_owned(), name.to_owned()));

        let audit = audit_of(&lines, None, &names.into());

        let wrong = audit.by_reviewer.iter();
        let wrong: Vec<_> = wrong.map(|(name, rate)| (name.as_str(), rate.wrong)).collect();
        assert_eq!(wrong, [("bob", 0), ("w-1", 0), ("w-2", 1)]);
    }
}
