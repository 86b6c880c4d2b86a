//! What the lines of an input manifest have labels for: so that a name that a request misspells is told, and not taken for
//! a label that no line has.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_core::labels::label_key::label_key;

use super::audits::is_chosen;
use super::categories::named;
use super::manifest::{Line, classes, first_state, is_among, is_labelled, metadata_of};
use super::record::{Audit, AuditKind, Filter, Job, ObjectState, Settings, Task};

/// Tag that names a label that objects must have, `<attribute>=<class>`.
pub const ONLY_WHERE_TAG: &str = "active-learning:only-where";
/// Tag that names an attribute whose label is shown.
pub const SHOW_TAG: &str = "active-learning:show";
/// Tag that names the label attribute that is verified or adjusted.
pub const AUDIT_TAG: &str = "active-learning:audit";
/// Tag of the share of the objects that is asked about.
pub const SHARE_TAG: &str = "active-learning:share";
/// Tag that names the label attribute of the level above.
pub const PARENT_TAG: &str = "active-learning:parent";
/// Tag that says whether a text that stands in several lines is asked once or for each.
pub const SAME_TEXT_TAG: &str = "active-learning:same-text";
/// Names that a reason lists.
const LISTED: usize = 20;

/// The labels that the lines seen so far have.
#[derive(Debug)]
pub struct Census<'a> {
    job: &'a Job,
    /// How many lines were looked at: the number of the next object.
    objects: usize,
    settings: &'a Settings,
    /// Where the label that is looked at is named.
    audit_member: &'static str,
    /// Label attributes, by their metadata.
    attributes: BTreeSet<String>,
    /// Classes of the attribute that the job filters on, as metadata name them.
    classes: BTreeSet<String>,
    /// Of the names that the request gives: whether some line has a label of it.
    has: [bool; 4],
    has_class: bool,
    /// The first line in which the new label's name is taken by something else.
    taken: Option<usize>,
    /// The first line that has several labels, where one is adjusted.
    several: Option<usize>,
    /// The keys of the labels that people choose from, by that of the label above, where one is adjusted. On the first level
    /// nothing is above.
    offered: BTreeMap<String, BTreeSet<String>>,
    /// The first line that is to be asked about with a label that is not offered, where one is adjusted.
    not_offered: Option<usize>,
    /// All such labels, as they are told.
    missing: BTreeSet<String>,
    /// The label keys of the tree of which a level is asked; none where there is no level above.
    tree: BTreeSet<String>,
    /// The first line that is to be asked about with a class of the level above that is nowhere in the tree.
    outside: Option<(usize, Option<String>)>,
}

impl<'a> Census<'a> {
    /// Begins to count for a job.
    pub fn of(job: &'a Job) -> Self {
        let tags = job.request["Tags"].as_array().into_iter().flatten();
        let mut audit_tags = tags.filter(|tag| tag["Key"] == AUDIT_TAG);
        let has_tag = audit_tags.any(|tag| tag["Value"].as_str().is_some_and(|it| !it.is_empty()));
        Self {
            job,
            objects: 0,
            settings: &job.settings,
            audit_member: if has_tag {
                AUDIT_TAG
            } else {
                "auditLabelAttributeName"
            },
            attributes: BTreeSet::new(),
            classes: BTreeSet::new(),
            has: [false; 4],
            has_class: false,
            taken: None,
            several: None,
            offered: match &job.settings.audit {
                Some(audit) if audit.kind == AuditKind::Adjustment => job.categories.keys_by_parent(),
                _ => BTreeMap::new(),
            },
            not_offered: None,
            missing: BTreeSet::new(),
            tree: match job.settings.parent {
                Some(_) => job.categories.keys_of_tree(),
                None => BTreeSet::new(),
            },
            outside: None,
        }
    }

    /// Looks at a line; its number is from 1.
    pub fn add(&mut self, number: usize, line: &Line) {
        let own = &self.settings.attribute;
        if self.taken.is_none() && line.has(own) && !line.has(&metadata_of(own)) {
            self.taken = Some(number);
        }
        if self.is_asked(line) {
            if self.several.is_none() && self.cannot_be_chosen(line) {
                self.several = Some(number);
            }
            self.look_for_choices(number, line);
            if self.outside.is_none() {
                self.outside = self.outside_of_tree(line).map(|class| (number, class));
            }
        }
        self.objects += 1;
        for name in line.names() {
            if let Some(attribute) = name.strip_suffix("-metadata")
                && line.has(attribute)
                && !self.attributes.contains(attribute)
            {
                self.attributes.insert(attribute.to_owned());
            }
        }

        let names = self.names();
        for (has, name) in self.has.iter_mut().zip(names) {
            *has |= name.is_some_and(|(_, name)| !*has && is_labelled(line, name));
        }
        if let Some(filter) = &self.settings.only_where {
            let found = classes(line, &filter.attribute);
            self.has_class |= is_among(&filter.class, &found);
            // A field without metadata may hold anything, a person's name as well.
            if line.has(&metadata_of(&filter.attribute)) {
                self.classes.extend(found);
            }
        }
    }

    /// Returns whether a line's label cannot be the one that is chosen already: it is several.
    fn cannot_be_chosen(&self, line: &Line) -> bool {
        let adjusts_one =
            |audit: &&Audit| audit.kind == AuditKind::Adjustment && self.settings.task == Task::SingleLabel;
        let audit = self.settings.audit.as_ref().filter(adjusts_one);
        audit.is_some_and(|Audit { attribute, .. }| classes(line, attribute).len() > 1)
    }

    /// Returns whether people are to be asked about the line that is looked at.
    fn is_asked(&self, line: &Line) -> bool {
        matches!(first_state(line, self.settings), ObjectState::Waiting { .. })
            && is_chosen(line, self.objects, self.job)
    }

    /// Notes the labels of a line which could not be confirmed, since they are not among its choices.
    fn look_for_choices(&mut self, number: usize, line: &Line) {
        let Some(Audit { attribute, .. }) = &self.settings.audit else {
            return;
        };
        let parent = self.settings.parent.as_ref();
        let above = parent.map_or_else(|| vec![String::new()], |parent| classes(line, parent));
        let keys = above.iter().map(|class| label_key(class));
        let offered: Vec<&BTreeSet<String>> = keys.filter_map(|key| self.offered.get(&key)).collect();
        // Where there is none to choose from, it is not asked about, or a function of the job's own says what there is.
        if offered.is_empty() {
            return;
        }
        for class in classes(line, attribute) {
            let key = label_key(&class);
            if offered.iter().any(|keys| keys.contains(&key)) {
                continue;
            }
            self.not_offered.get_or_insert(number);
            // A field without metadata may hold anything, a person's name as well.
            if line.has(&metadata_of(attribute)) {
                let within = parent.map(|_| {
                    format!(
                        " within {}",
                        above.iter().map(|it| named(it)).collect::<Vec<_>>().join(" and ")
                    )
                });
                self.missing.insert(named(&class) + &within.unwrap_or_default());
            }
        }
    }

    /// Returns a class of a line that is to be asked about on the level above, which is nowhere in the tree: its name, where
    /// it has metadata.
    fn outside_of_tree(&self, line: &Line) -> Option<Option<String>> {
        let attribute = self.settings.parent.as_ref()?;
        let mut found = classes(line, attribute).into_iter();
        let class = found.find(|class| !self.tree.contains(&label_key(class)))?;
        // A field without metadata may hold anything, a person's name as well.
        Some(line.has(&metadata_of(attribute)).then_some(class))
    }

    /// Returns the names of label attributes that the request gives, each with where it does so.
    fn names(&self) -> [Option<(&'a str, &'a str)>; 4] {
        let settings = self.settings;
        let audit = settings.audit.as_ref();
        [
            (settings.only_where.as_ref()).map(|filter| (ONLY_WHERE_TAG, filter.attribute.as_str())),
            (settings.show.as_ref()).map(|name| (SHOW_TAG, name.as_str())),
            audit.map(|audit| (self.audit_member, audit.attribute.as_str())),
            (settings.parent.as_ref()).map(|name| (PARENT_TAG, name.as_str())),
        ]
    }

    /// Returns why the job cannot mean what its request says, if it cannot.
    pub fn refusal(&self) -> Option<String> {
        let settings = self.settings;
        if let Some(audit) = &settings.audit
            && audit.attribute == settings.attribute
        {
            return Some(format!(
                "LabelAttributeName {} is the label that is looked at: it stays, and the new one needs a name of its own",
                settings.attribute
            ));
        }
        if settings.parent.as_ref() == Some(&settings.attribute) {
            return Some(format!(
                "LabelAttributeName {} is the label of the level above: the new one needs a name of its own",
                settings.attribute
            ));
        }
        if let Some(number) = self.taken {
            let name = &settings.attribute;
            return Some(format!(
                "LabelAttributeName {name} is taken: line {number} of the input manifest has a field of this name that is \
                 no label, for it has no {name}-metadata"
            ));
        }
        for ((member, name), has) in self.names().into_iter().flatten().zip(self.named()) {
            if !has {
                let there = listed("the label attributes there are", &self.attributes);
                return Some(format!(
                    "{member}: no line of the input manifest has a label {name}; {there}"
                ));
            }
        }
        if let (Some(number), Some(Audit { attribute, .. })) = (self.several, &settings.audit) {
            return Some(format!(
                "{}: line {number} of the input manifest has several labels of {attribute}, and this job gives one: \
                 use PRE-AdjustmentTextMultiClassMultiLabel and ACS-AdjustmentTextMultiClassMultiLabel",
                self.audit_member
            ));
        }
        if let (Some((number, class)), Some(attribute)) = (&self.outside, &settings.parent) {
            let class = match class {
                Some(class) => format!("the class {}", named(class)),
                None => "a class".to_owned(),
            };
            return Some(format!(
                "{PARENT_TAG}: line {number} of the input manifest has {class} of {attribute}, which is nowhere in the \
                 label category file"
            ));
        }
        if let (Some(number), Some(Audit { attribute, .. })) = (self.not_offered, &settings.audit) {
            let missing = match self.missing.is_empty() {
                true => String::new(),
                false => format!("; {}", listed("the labels that are missing", &self.missing)),
            };
            return Some(format!(
                "{}: line {number} of the input manifest has a label of {attribute} that is not among the choices of the label \
                 category file: add it, or it could not be said that it is right{missing}",
                self.audit_member
            ));
        }
        match &settings.only_where {
            Some(Filter { attribute, class }) if !self.has_class => {
                let there = listed("the classes there are", &self.classes);
                Some(format!(
                    "{ONLY_WHERE_TAG}: no line of the input manifest has the class {class} of {attribute}; {there}"
                ))
            }
            _ => None,
        }
    }

    /// Returns, for each name that the request gives, whether some line has a label of it.
    fn named(&self) -> impl Iterator<Item = bool> {
        let given = self.names().into_iter().zip(self.has);
        given.filter_map(|(name, has)| name.map(|_| has))
    }
}

fn listed(what: &str, names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return format!("{what}: none");
    }
    let first: Vec<&str> = names.iter().take(LISTED).map(String::as_str).collect();
    let more = if names.len() > LISTED { ", …" } else { "" };
    format!("{what}: {}{more}", first.join(", "))
}
