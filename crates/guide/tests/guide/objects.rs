//! The page of objects names what functions may write.

use std::collections::BTreeSet;

use crate::markdown::{Kind, code_spans, guide_page, read};

#[test]
fn every_prefix_that_a_role_names_is_on_the_page() {
    let page = guide_page("reference/objects.md");
    let keys: Vec<String> = (page.blocks().iter())
        .filter_map(|block| match &block.kind {
            Kind::Row(cells) => Some(&cells[0]),
            _ => None,
        })
        .flat_map(|cell| code_spans(cell).into_iter().map(str::to_owned))
        .collect();

    let missing: Vec<String> = (prefixes_of_roles().into_iter())
        .filter(|prefix| !keys.iter().any(|key| key.starts_with(prefix.as_str())))
        .collect();

    assert!(missing.is_empty(), "no object of the page is under {missing:?}");
}

#[test]
fn what_expires_in_the_template_has_its_lifetime_on_the_page() {
    let rows: Vec<Vec<String>> = (guide_page("reference/objects.md").blocks().into_iter())
        .filter_map(|block| match block.kind {
            Kind::Row(cells) => Some(cells),
            _ => None,
        })
        .collect();
    let expiring = expiring_prefixes();

    let wrong: Vec<_> = (expiring.iter())
        .filter(|(prefix, parameter)| {
            let mut described = rows
                .iter()
                .filter(|cells| cells[0].starts_with(&format!("`{prefix}")))
                .peekable();
            described.peek().is_none() || described.any(|cells| !cells[4].contains(parameter.as_str()))
        })
        .collect();

    assert!(!expiring.is_empty(), "no rule was found in the template");
    assert!(wrong.is_empty(), "the page does not say of {wrong:?}");
}

/// Returns the prefixes with a rule of expiry and the parameters that say when.
fn expiring_prefixes() -> Vec<(String, String)> {
    let template = read("infra/template.yaml");
    let lines: Vec<&str> = template.lines().map(str::trim).collect();
    let rules = lines.windows(2).filter_map(|pair| {
        let prefix = pair[0].strip_prefix("Prefix: ")?;
        let parameter = pair[1].strip_prefix("ExpirationInDays: !Ref ")?;
        Some((prefix.to_owned(), parameter.to_owned()))
    });
    rules.collect()
}

/// Returns the first parts of the keys in the roles' policies.
fn prefixes_of_roles() -> BTreeSet<String> {
    let template = read("infra/template.yaml");
    let quoted = template.split('\'').skip(1).step_by(2).map(str::to_owned);
    let substituted = template
        .split("Bucket.Arn}")
        .skip(1)
        .map(|rest| rest.split('\'').next().unwrap_or_default().to_owned());
    let keys = quoted.chain(substituted).filter_map(|text| {
        let key = text.strip_prefix('/')?;
        let folder = key.split_once('/')?.0;
        let is_name = folder
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        (is_name && !folder.is_empty() && key.len() > folder.len() + 1).then(|| format!("{folder}/"))
    });
    let known = keys.filter(|prefix| !["dev/", "aws/"].contains(&prefix.as_str()));
    known.collect()
}
