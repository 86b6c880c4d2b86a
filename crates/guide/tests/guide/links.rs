//! Links, anchors and paths lead somewhere.

use std::path::Path;

use crate::markdown::{Kind, Page, code_spans, guide_page, links, pages, read, root};

/// Folders whose files are named in code spans, by their path from the root.
const NAMED_FOLDERS: [&str; 4] = ["crates/", "infra/", "templates/", "events/"];

#[test]
fn every_relative_link_leads_to_a_file_and_every_anchor_to_a_heading() {
    let broken: Vec<String> = pages().iter().flat_map(broken_links).collect();

    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn every_page_of_the_guide_is_in_its_index() {
    let index = guide_page("README.md");
    let named: Vec<String> = links(&index.prose())
        .into_iter()
        .map(|(_, target)| target)
        .collect();

    let missing: Vec<_> = (pages().into_iter())
        .filter_map(|page| Some(page.path.strip_prefix("crates/guide").ok()?.to_owned()))
        .filter(|path| path != Path::new("README.md"))
        .filter(|path| !named.iter().any(|target| Path::new(target) == path))
        .collect();

    assert!(missing.is_empty(), "not in crates/guide/README.md: {missing:?}");
}

#[test]
fn every_file_that_a_page_names_is_there() {
    let mut missing = Vec::new();
    for page in pages() {
        for name in code_spans(&page.prose()) {
            let named = NAMED_FOLDERS.iter().any(|folder| name.starts_with(folder));
            let is_path = !name.contains([' ', '<', '*', '…']);
            if named && is_path && !root().join(name).exists() {
                missing.push(format!("{}: `{name}`", page.path.display()));
            }
        }
    }

    assert!(missing.is_empty(), "no such files:\n{}", missing.join("\n"));
}

#[test]
fn where_do_i_change_names_files_that_are_there() {
    let page = guide_page("explanation/architecture.md");
    let section = page
        .section("Where do I change …?")
        .expect("the section is there");
    let rows: Vec<Vec<String>> = (section.into_iter())
        .filter_map(|block| match block.kind {
            Kind::Row(cells) => Some(cells),
            _ => None,
        })
        .skip(2)
        .collect();

    let missing: Vec<&str> = (rows.iter())
        .flat_map(|cells| code_spans(&cells[1]))
        .filter(|path| !root().join("crates").join(path).exists())
        .collect();

    assert!(rows.len() >= 15, "only {} lines", rows.len());
    assert!(missing.is_empty(), "no such files below crates/: {missing:?}");
}

fn broken_links(page: &Page) -> Vec<String> {
    let folder = page.path.parent().unwrap_or(Path::new(""));
    let targets = links(&page.prose()).into_iter().map(|(_, target)| target);
    let relative = targets.filter(|target| !target.contains("://"));
    let broken = relative.filter(|target| {
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let file = if path.is_empty() {
            page.path.clone()
        } else {
            folder.join(path)
        };
        if !root().join(&file).exists() {
            return true;
        }
        let text = || Page {
            text: read(&file),
            path: file.clone(),
        };
        !anchor.is_empty() && !text().anchors().iter().any(|found| found == anchor)
    });
    broken
        .map(|target| format!("{}: {target}", page.path.display()))
        .collect()
}
