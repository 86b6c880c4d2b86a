//! What an erasure says of itself: numbers and places, and neither a text nor a name.

use erasure::erase::Report;
use serde_json::json;

use crate::wording::counted;

/// Prints what was found, or what became of it; `earlier` is what was ended first, and `broken_off` what is not ended yet.
pub(super) fn print(report: &Report, earlier: &[Report], broken_off: usize, as_json: bool) {
    if as_json {
        let mut document = json!(report);
        if !earlier.is_empty() {
            document["earlier"] = json!(earlier);
        }
        if broken_off > 0 {
            document["brokenOff"] = json!(broken_off);
        }
        println!("{document:#}");
        return;
    }
    if broken_off > 0 {
        println!(
            "! {} not ended: the next run that erases ends them.",
            counted(broken_off, "earlier erasure")
        );
    }
    for report in earlier {
        println!("An earlier erasure was broken off, and is ended now:");
        print!("{}", in_words(report));
    }
    print!("{}", in_words(report));
}

/// Says what was found, or what became of it, without a text or a name.
fn in_words(report: &Report) -> String {
    let mut lines = Vec::new();
    let total = report.total();
    lines.push(format!(
        "{} of {}: {} in {}",
        counted(report.texts, "text"),
        counted(report.users, "user"),
        counted(number(total.pieces), "piece"),
        counted(number(total.objects), "object"),
    ));
    for (place, count) in &report.found {
        let (pieces, objects) = (number(count.pieces), number(count.objects));
        lines.push(format!(
            "  {place:<34} {pieces:>7} in {}",
            counted(objects, "object")
        ));
    }
    lines.extend(beside(report));
    lines.join("\n") + "\n"
}

/// Says what else is to be known.
fn beside(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if report.shared > 0 {
        let texts = counted(report.shared, "text");
        lines.push(format!(
            "  {texts} that others have sent by their names too stay, without the name of the user"
        ));
    }
    if report.masked > 0 {
        let texts = counted(report.masked, "text");
        lines.push(format!(
            "! {texts} also as the stack masks it, and stores it: others whose masked text is the same lose theirs too"
        ));
    }
    if report.loops > 0 {
        lines.push(format!(
            "  {} ended: all that was asked is gone",
            counted(number(report.loops), "human loop")
        ));
    }
    if report.asked_themselves > 0 {
        let texts = counted(number(report.asked_themselves), "near duplicate");
        lines.push(format!(
            "  {texts} of others had no answer of their own: asked by themselves"
        ));
    }
    if report.delivered_again > 0 {
        let objects = counted(number(report.delivered_again), "object");
        lines.push(format!(
            "  {objects} had not been worked off: what is left is delivered again"
        ));
    }
    if report.old_versions > 0 {
        lines.push(format!(
            "  {} deleted",
            counted(number(report.old_versions), "old version")
        ));
    }
    if report.in_old_versions > 0 {
        let versions = counted(number(report.in_old_versions), "old version");
        lines.push(format!("  {versions} of objects hold some of it too"));
    }
    if report.broken_lines > 0 {
        let broken = counted(number(report.broken_lines), "line");
        lines.push(format!(
            "  {broken} of no valid JSON held some of it, and went as a whole"
        ));
    }
    for name in &report.loops_elsewhere {
        lines.push(format!(
            "! the human loop {name} of Amazon A2I still shows it: stop and delete it there"
        ));
    }
    for uri in &report.elsewhere {
        lines.push(format!(
            "! {uri} holds some of it, in a bucket that is not the stack's: remove it there"
        ));
    }
    for uri in &report.of_earlier_elsewhere {
        lines.push(format!(
            "! {uri} still holds a text of an earlier erasure, in a bucket that is not the stack's: remove it there"
        ));
    }
    for (place, reason) in &report.unread_elsewhere {
        lines.push(format!(
            "! {place} could not be looked through ({reason}): outputs of the review service may hold some of it there; look \
             at it yourself"
        ));
    }
    for uri in &report.too_large {
        lines.push(format!(
            "! {uri} is too large to be read: look at it yourself; if it holds nothing of it, say so by --looked-at {uri}"
        ));
    }
    for (uri, reason) in &report.unread {
        lines.push(format!(
            "! {uri} was not looked through ({reason}): look at it yourself and delete it if it holds some of it; if it \
             does not, say so by --looked-at {uri}"
        ));
    }
    for (uri, reason) in &report.looked_at {
        lines.push(format!(
            "  {uri} was not looked through ({reason}): you have said that it holds nothing of it"
        ));
    }
    for version in &report.kept_versions {
        lines.push(format!(
            "! {version} holds some of it, and S3 does not let it go: an object lock keeps it, or you may not delete versions"
        ));
    }
    for (version, rows) in &report.learnt {
        let rows = counted(number(*rows), "row");
        lines.push(format!("! model version {version} has learnt from {rows} of it: `active-learning build` makes one without"));
    }
    lines
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use erasure::erase::Count;

    use super::*;

    #[test]
    fn a_report_names_places_and_numbers() {
        let count = Count {
            objects: 1,
            pieces: 2,
        };
        let report = Report {
            texts: 1,
            users: 1,
            found: [("feedback:questions/".to_owned(), count)].into(),
            learnt: [("v1".to_owned(), 1)].into(),
            unread: [("s3://b/x.zip".to_owned(), "it is a zip archive".to_owned())].into(),
            broken_lines: 3,
            elsewhere: ["s3://mine/out/output.json".to_owned()].into(),
            of_earlier_elsewhere: ["s3://mine/out/old.json".to_owned()].into(),
            unread_elsewhere: [("s3://theirs/out/".to_owned(), "AccessDenied".to_owned())].into(),
            ..Report::default()
        };

        let said = in_words(&report);

        assert!(
            said.starts_with("1 text of 1 user: 2 pieces in 1 object\n  feedback:questions/ "),
            "{said}"
        );
        assert!(
            said.contains("! model version v1 has learnt from 1 row of it"),
            "{said}"
        );
        assert!(
            said.contains("! s3://b/x.zip was not looked through (it is a zip archive): look at it yourself"),
            "{said}"
        );
        assert!(
            said.contains(
                "! s3://mine/out/output.json holds some of it, in a bucket that is not the stack's"
            ),
            "{said}"
        );
        assert!(
            said.contains("! s3://mine/out/old.json still holds a text of an earlier erasure, in a bucket"),
            "{said}"
        );
        assert!(
            said.contains("! s3://theirs/out/ could not be looked through (AccessDenied)"),
            "{said}"
        );
        assert!(
            said.contains("\n  3 lines of no valid JSON held some of it, and went as a whole\n"),
            "{said}"
        );
    }

    #[test]
    fn a_file_that_somebody_has_looked_at_is_named_and_fails_no_erasure() {
        let uri = "s3://b/scan.pdf".to_owned();
        let mut report = Report {
            unread: [
                (uri.clone(), "it is a PDF".to_owned()),
                ("s3://b/other.pdf".to_owned(), "it is a PDF".to_owned()),
            ]
            .into(),
            ..Report::default()
        };

        report.note_looked_at(std::slice::from_ref(&uri));
        let is_complete = report.is_complete();
        report.note_looked_at(&["s3://b/other.pdf".to_owned()]);

        assert!(!is_complete && report.is_complete());
        let said = in_words(&report);
        let named = "  s3://b/scan.pdf was not looked through (it is a PDF): you have said that it holds nothing of it\n";
        assert!(said.contains(named), "{said}");
    }
}
