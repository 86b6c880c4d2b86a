//! Whoever an alarm wakes finds what to do.

use std::collections::BTreeSet;

use crate::markdown::{Block, Kind, guide_page, read};

const PAGE: &str = "how-to/runbook.md";
/// What a section answers, in this order.
const ANSWERS: [&str; 4] = [
    "**What it means.**",
    "**Where to look.**",
    "**What to do.**",
    "**When it is over.**",
];

#[test]
fn every_alarm_of_the_template_has_its_section_and_no_other() {
    let alarms: BTreeSet<String> = alarms().into_iter().collect();

    let sections: BTreeSet<String> = (guide_page(PAGE).blocks().into_iter())
        .filter_map(|block| match block.kind {
            Kind::Heading(heading) => heading.strip_prefix('`')?.strip_suffix('`').map(str::to_owned),
            _ => None,
        })
        .collect();

    assert!(alarms.len() > 8, "{alarms:?}");
    assert_eq!(sections, alarms);
}

#[test]
fn every_section_says_what_it_means_where_to_look_what_to_do_and_when_it_is_over() {
    let page = guide_page(PAGE);

    for alarm in alarms() {
        let section = page.section(&format!("`{alarm}`")).expect("the section is there");
        let answers: Vec<&str> = section.iter().filter_map(answer).collect();
        let commands = section
            .iter()
            .filter(|block| matches!(&block.kind, Kind::Code { language, .. } if language == "sh"));

        assert_eq!(answers, ANSWERS, "{alarm}");
        assert!(commands.count() > 0, "{alarm} has no command to paste");
    }
}

/// Returns which of the answers a paragraph begins.
fn answer(block: &Block) -> Option<&'static str> {
    let Kind::Prose(text) = &block.kind else {
        return None;
    };
    ANSWERS.into_iter().find(|answer| text.starts_with(answer))
}

/// Returns the logical ids of the template's alarms.
fn alarms() -> Vec<String> {
    let template = read("infra/template.yaml");
    let lines: Vec<&str> = template.lines().collect();
    let pairs = lines
        .windows(2)
        .filter(|pair| pair[1].trim() == "Type: AWS::CloudWatch::Alarm");
    pairs
        .map(|pair| pair[0].trim().trim_end_matches(':').to_owned())
        .collect()
}
