//! The beginning of a job: its label categories, its template and its input are read once and kept.

use active_learning_aws::bucket::{Created, JSON_LINES};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;

use super::BUILT_IN_TEMPLATE;
use super::access::AccessError;
use super::audits::{self, default_categories, is_chosen};
use super::automation::{Automation, hold_back};
use super::categories;
use super::census::Census;
use super::drive::{Drive, DriveError};
use super::manifest::{Line, MAX_BYTES, check, first_state, is_erased, parse};
use super::record::{Exclusions, JobStatus, ObjectState, PART_OBJECTS, Part, Template, input_key, part_key};
use super::same_texts::SameTexts;
use crate::flows::{Tags, TaskUi};
use crate::human_loop::sha256;
use crate::task_template::NO_NONCE;
use crate::trial::why_unreadable;
use crate::worker_template::render_html;

/// Largest label category file, in bytes.
const MAX_CATEGORIES_BYTES: u64 = 1 << 20;
/// Largest worker task template, in bytes.
const MAX_TEMPLATE_BYTES: u64 = 4 << 20;
/// Parts that are written at a time.
const CONCURRENT: usize = 8;
/// Media type of a template.
const HTML: &str = "text/html; charset=utf-8";
/// Texts that a template is tried with: its pages of them must differ.
const TRIED_TEXTS: [&str; 2] = ["A text.", "Another text."];

impl Drive<'_> {
    /// Reads what the job needs; nothing of it is read again. Returns whether there was no time for all of it.
    pub(super) async fn begin(&mut self) -> Result<bool, DriveError> {
        self.read_categories().await?;
        let template = self.template().await?;
        self.try_template(&template)?;
        self.find_functions().await?;
        // Also shows that the role may write where the output goes, before anybody has worked.
        let shown = format!("{}/annotation-tool/template.liquid", self.job.folder());
        let shown = self.access.write_once(&shown, HTML, template.into_bytes()).await;
        match shown.map_err(|error| at("S3OutputPath", error))? {
            Created::Created | Created::Exists => {}
        }
        self.read_input().await
    }

    async fn read_categories(&mut self) -> Result<(), DriveError> {
        self.job.categories = match self.job.settings.categories.clone() {
            None => default_categories(&self.job.settings),
            Some(uri) => {
                let file = self.outside(&uri, MAX_CATEGORIES_BYTES).await?;
                categories::read(&file, self.job.settings.task, self.job.settings.parent.is_some())
                    .map_err(|reason| DriveError::Job(format!("LabelCategoryConfigS3Uri: {uri} {reason}")))?
            }
        };
        if let Some(audit) = &mut self.job.settings.audit
            && audit.attribute.is_empty()
        {
            let named = self.job.categories.audited.clone();
            let missing = "auditLabelAttributeName is missing in the label category file".to_owned();
            audit.attribute = named.ok_or(DriveError::Job(missing))?;
        }
        Ok(())
    }

    /// Keeps the worker task template under the hash of its content.
    async fn template(&mut self) -> Result<String, DriveError> {
        let template = match &self.job.settings.template {
            Template::BuiltIn => BUILT_IN_TEMPLATE.to_owned(),
            Template::Key(key) => {
                let object = self.jobs.bucket.read(key, MAX_TEMPLATE_BYTES).await?;
                let object = object
                    .ok_or_else(|| DriveError::Job("HumanTaskUiArn: its content is gone".to_owned()))?;
                String::from_utf8_lossy(&object.bytes).into_owned()
            }
            Template::Uri(uri) => {
                let bytes = self.outside(uri, MAX_TEMPLATE_BYTES).await?;
                let template = String::from_utf8(bytes)
                    .map_err(|_| DriveError::Job(format!("UiTemplateS3Uri: {uri} is not UTF-8")))?;
                if let Err(error) = render_html(&template, &json!({}), NO_NONCE) {
                    return Err(DriveError::Job(format!(
                        "UiTemplateS3Uri: {uri} is not valid Liquid: {error}"
                    )));
                }
                template
            }
        };
        let ui = TaskUi {
            human_task_ui_name: self.job.name.clone(),
            creation_time: self.now,
            content_sha256: sha256(&template),
            tags: Tags::new(),
        };
        self.job.template_key = ui.content_key();
        // Named by its hash: what is there already is the same.
        let bucket = self.jobs.bucket;
        bucket
            .create(&self.job.template_key, HTML, template.clone())
            .await
            .map(drop)?;
        Ok(template)
    }

    /// Tries a template of the job's own as the stack's is tried, before anybody works for nothing: whether its page shows
    /// the text, and whether an answer of it can be read. What a function prepares is tried object by object.
    fn try_template(&self, template: &str) -> Result<(), DriveError> {
        let settings = &self.job.settings;
        let member = match &settings.template {
            Template::BuiltIn => return Ok(()),
            Template::Uri(uri) => format!("UiTemplateS3Uri: {uri}"),
            Template::Key(_) => "HumanTaskUiArn: its template".to_owned(),
        };
        if settings.pre_annotation.is_some() {
            return Ok(());
        }
        let told = |why: String| DriveError::Job(format!("{member} {why}"));
        let render =
            |text: &str| render_html(template, &self.input_of(text, &self.line_with_labels()), NO_NONCE);
        let [one, other] = TRIED_TEXTS.map(render);
        let (one, other) = match (one, other) {
            (Ok(one), Ok(other)) => (one, other),
            (Err(error), _) | (_, Err(error)) => return Err(told(format!("cannot be rendered: {error}"))),
        };
        if one == other {
            let why = "does not show the text: it must refer to task.input.taskObject";
            return Err(told(why.to_owned()));
        }
        match why_unreadable(&one.0, self.labels_that_count()) {
            None => Ok(()),
            Some(why) => Err(told(format!("takes no answer: {why}"))),
        }
    }

    /// Returns a made-up line for which labels are offered.
    fn line_with_labels(&self) -> Line {
        let (parent, above) = (&self.job.settings.parent, self.job.categories.parents.first());
        let Some((attribute, above)) = parent.as_ref().zip(above) else {
            return Line::default();
        };
        let line = json!({ "source": TRIED_TEXTS[0], attribute.as_str(): above });
        parse(line.to_string().as_bytes()).unwrap_or_default()
    }

    /// Looks whether the job's functions are there and may be invoked, before anybody works for nothing.
    async fn find_functions(&self) -> Result<(), DriveError> {
        let settings = &self.job.settings;
        let named = [
            ("PreHumanTaskLambdaArn", &settings.pre_annotation),
            ("AnnotationConsolidationLambdaArn", &settings.consolidation),
        ];
        for (member, function) in named {
            if let Some(function) = function {
                let found = self.access.may_invoke(function).await;
                found.map_err(|error| at(member, error))?;
            }
        }
        Ok(())
    }

    /// Returns whether there was no time for all of it.
    async fn read_input(&mut self) -> Result<bool, DriveError> {
        let uri = self.job.settings.manifest.clone();
        let manifest = self.outside(&uri, MAX_BYTES).await?;
        let mut census = Census::of(&self.job);
        let lines = check(&manifest, |number, line| census.add(number, line))
            .map_err(|error| DriveError::Job(format!("ManifestS3Uri: {error}")))?;
        if let Some(reason) = census.refusal() {
            return Err(DriveError::Job(reason));
        }

        let erased = self.jobs.erased.current().await?;
        let lines: Vec<&[u8]> = lines.iter().map(|range| &manifest[range.clone()]).collect();
        let Some(lines) = self.kept_lines(&manifest, &lines, &erased).await? else {
            return Ok(true);
        };
        let lines: Vec<&[u8]> = lines.iter().map(AsRef::as_ref).collect();
        let parts = lines.chunks(PART_OBJECTS).enumerate();
        let mut parts: Vec<Part> = parts
            .map(|(number, lines)| self.first_part(number, lines.iter().copied()))
            .collect();
        self.join_same_texts(&lines, &mut parts);
        if self.job.settings.is_automated {
            // Of a level below another one only the texts of its parent are labelled, and learnt from.
            let wanted = parts.iter().map(|part| part.summary().counts.waiting).sum();
            let automation = Automation::first(wanted);
            for (number, part) in parts.iter_mut().enumerate() {
                hold_back(part, self.first_object(number), &self.job, automation);
            }
            self.job.automation = Some(automation);
        }
        let written = lines.chunks(PART_OBJECTS).zip(&parts).enumerate();
        let written: Vec<_> = written
            .map(|(number, (lines, part))| self.write_part(number, lines, part))
            .collect();
        stream::iter(written)
            .buffered(CONCURRENT)
            .try_collect::<Vec<()>>()
            .await?;
        self.job.parts = parts.iter().map(Part::summary).collect();
        self.job.looked_through = None;
        if self.job.status == JobStatus::Initializing {
            self.job.status = JobStatus::InProgress;
        }
        Ok(false)
    }

    pub(super) async fn write_lines(
        &self,
        number: usize,
        lines: &[impl AsRef<[u8]>],
    ) -> Result<(), DriveError> {
        let mut content = Vec::new();
        for line in lines {
            content.extend_from_slice(line.as_ref().trim_ascii());
            content.push(b'\n');
        }
        let key = input_key(&self.job.name, number);
        Ok(self.jobs.bucket.put(&key, JSON_LINES, content).await?)
    }

    /// Returns in which state the objects of a part begin.
    fn first_part<'l>(&self, number: usize, lines: impl Iterator<Item = &'l [u8]>) -> Part {
        let is_below = self.job.settings.parent.is_some();
        let state = |(line, object): (&[u8], usize)| {
            if is_erased(line) {
                return ObjectState::Erased;
            }
            let line = parse(line).unwrap_or_default();
            match first_state(&line, &self.job.settings) {
                ObjectState::Waiting { .. } if !is_chosen(&line, object, &self.job) => ObjectState::Passed,
                // Neither is a text asked about whose label of the level above has none within.
                ObjectState::Waiting { .. } if is_below && self.job.offered(&line).is_empty() => {
                    ObjectState::Passed
                }
                state => state,
            }
        };
        Part {
            objects: lines.zip(self.first_object(number)..).map(state).collect(),
            ..Part::default()
        }
    }

    /// Has each text that stands in several lines asked once, and not where a line has the label, and counts who is not asked
    /// about how many.
    fn join_same_texts(&mut self, lines: &[&[u8]], parts: &mut [Part]) {
        let mut texts = SameTexts::of(&self.job);
        let mut excluded: Vec<(usize, Vec<String>)> = Vec::new();
        for ((state, line), object) in states_of(parts).zip(lines).zip(0..) {
            if !matches!(state, ObjectState::Waiting { .. }) {
                continue;
            }
            let line = parse(line).unwrap_or_default();
            match texts.add(&line, object) {
                Some(first) => *state = ObjectState::Same { object: first },
                None => excluded.push((object, audits::excluded(&line, &self.job))),
            }
        }
        for ((state, line), object) in states_of(parts).zip(lines).zip(0..) {
            if matches!(state, ObjectState::Labelled { .. }) {
                texts.add_labelled(&parse(line).unwrap_or_default(), object);
            }
        }
        for (state, object) in states_of(parts).zip(0..) {
            if let Some(labelled) = texts.labelled(object, state) {
                *state = labelled;
            }
        }
        let others: Vec<usize> = states_of(parts)
            .filter_map(|state| match state {
                ObjectState::Same { object } => Some(*object),
                _ => None,
            })
            .collect();
        for object in others {
            let part = &mut parts[object / PART_OBJECTS];
            *part.copies.entry(object % PART_OBJECTS).or_default() += 1;
        }

        let mut exclusions = Exclusions::default();
        let is_asked = |object: usize| {
            let state = parts[object / PART_OBJECTS].objects.get(object % PART_OBJECTS);
            matches!(state, Some(ObjectState::Waiting { .. }))
        };
        for (object, workers) in excluded {
            if !workers.is_empty() && is_asked(object) {
                exclusions.add(&workers);
            }
        }
        self.job.exclusions = exclusions;
    }

    async fn write_part(&self, number: usize, lines: &[&[u8]], part: &Part) -> Result<(), DriveError> {
        self.write_lines(number, lines).await?;
        let bucket = self.jobs.bucket;
        bucket
            .put_document(&part_key(&self.job.name, number), part)
            .await?;
        Ok(())
    }

    async fn outside(&self, uri: &str, limit: u64) -> Result<Vec<u8>, DriveError> {
        Ok(self.access.read(uri, limit).await?)
    }
}

/// Returns the states of all objects, in their order.
fn states_of(parts: &mut [Part]) -> impl Iterator<Item = &mut ObjectState> {
    parts.iter_mut().flat_map(|part| &mut part.objects)
}

fn at(member: &str, error: AccessError) -> DriveError {
    match error {
        AccessError::Definite(reason) => DriveError::Job(format!("{member}: {reason}")),
        AccessError::Passing(reason) | AccessError::Throttled(reason) => DriveError::Outside(reason),
    }
}
