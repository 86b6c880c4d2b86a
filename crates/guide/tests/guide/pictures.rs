//! Pictures are small, shown, and can be made again.

use std::fs;

use crate::markdown::{files_under, links, pages, read, root};

const FOLDER: &str = "crates/guide/pictures";
const MAX_BYTES: u64 = 200_000;

#[test]
fn every_picture_is_small_and_shown_on_a_page() {
    let mut wrong = Vec::new();
    let shown: Vec<String> = (pages().iter())
        .flat_map(|page| links(&page.prose()))
        .map(|(_, target)| target)
        .collect();
    for picture in ["png", "svg"].into_iter().flat_map(|it| files_under(FOLDER, it)) {
        let bytes = fs::metadata(root().join(&picture)).expect("it is there").len();
        let name = picture
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if bytes > MAX_BYTES {
            wrong.push(format!("{name} has {bytes} bytes, more than {MAX_BYTES}"));
        }
        if !shown
            .iter()
            .any(|target| target.ends_with(&format!("pictures/{name}")))
        {
            wrong.push(format!("{name} is on no page"));
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_screenshot_is_made_by_the_script() {
    let script = read(format!("{FOLDER}/make.mjs"));

    let unmade: Vec<_> = (files_under(FOLDER, "png").into_iter())
        .filter(|path| {
            !path
                .file_name()
                .is_some_and(|name| script.contains(&format!("'{}'", name.to_string_lossy())))
        })
        .collect();

    assert!(unmade.is_empty(), "make.mjs does not make {unmade:?}");
}
