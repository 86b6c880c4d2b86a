//! The guideline that stands beside the tasks: an operator writes it here, a label at a time.

use std::collections::BTreeMap;

use super::actions::CONFIRMED;
use super::form::{Form, TextField};
use super::page::Block;
use super::table::{Cell, Table};
use super::{Console, ConsoleError, View, done_redirect};
use crate::audit_log::{AuditLog, Deed};
use crate::event::{HttpReply, HttpRequest};
use crate::guideline::{Guideline, LabelGuide, Stored};

/// Address of the action.
pub(super) const EDIT: &str = "edit-guideline";
/// What is edited where no label is named.
const INTRODUCTION: &str = "introduction";
/// Characters of a meaning that the table shows.
const SHOWN_CHARS: usize = 120;
/// The fields of a label: name, and what is asked for.
const FIELDS: [(&str, &str); 4] = [
    ("meaning", "What the label means"),
    ("good", "Texts that belong to it, one a line"),
    ("bad", "Texts that look as if they did and do not, one a line"),
    ("edgeCases", "Rules for what lies at the border, one a line"),
];

impl Console<'_> {
    pub(super) async fn guideline(&self, request: &HttpRequest) -> Result<View, ConsoleError> {
        let title = "Guideline".to_owned();
        let stored = match Stored::read(self.review).await? {
            Ok(stored) => stored,
            Err(place) => {
                let text = format!(
                    "The guideline cannot be read (guideline.json: {place}), and not be edited here. Put another object \
                     in its place, or remove it."
                );
                let json = serde_json::json!({ "unreadable": place });
                return Ok(View {
                    title,
                    blocks: vec![Block::Text(text)],
                    json,
                });
            }
        };
        let blocks = match request.query.get("label") {
            Some(label) => self.label_blocks(&stored, label).await?,
            None => self.all_blocks(&stored).await?,
        };
        let mut json = super::to_json(&stored.guideline);
        json["version"] = serde_json::json!(stored.version);
        Ok(View { title, blocks, json })
    }

    async fn all_blocks(&self, stored: &Stored) -> Result<Vec<Block>, ConsoleError> {
        let names = self.guided_labels(&stored.guideline).await?;
        let rows = names.iter().map(|name| {
            let guide = stored.guideline.of(name).cloned().unwrap_or_default();
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("label", name)
                .finish();
            let count = |texts: &[String]| Cell::text(texts.len().to_string());
            vec![
                Cell::Link(format!("guideline?{query}"), name.clone()),
                Cell::written(guide.meaning.chars().take(SHOWN_CHARS).collect::<String>()),
                count(&guide.good),
                count(&guide.bad),
                count(&guide.edge_cases),
            ]
        });
        let introduction = TextField {
            name: INTRODUCTION,
            label: "What holds for all labels",
            value: stored.guideline.introduction.clone(),
        };
        let (order, other_names) = (self.order_of_labels().await?, self.other_names().await?);
        let mut blocks = vec![
            Block::text(
                "Reviewers see it beside each task. Its version is stored with each answer, and each version that was \
                 shown is kept.",
            ),
            Block::Form(edit("", &stored.version, vec![introduction])),
            Block::Table(Table {
                caption: "Labels".to_owned(),
                head: vec!["Label", "Meaning", "Belong", "Do not belong", "At the border"],
                rows: rows.collect(),
            }),
        ];
        blocks.extend(order);
        blocks.extend(other_names);
        Ok(blocks)
    }

    /// Shows by which other names the labels in use are meant; nothing where there is none.
    async fn other_names(&self) -> Result<Vec<Block>, ConsoleError> {
        let set = self.label_sets.current().await?;
        let labels = set.iter().flat_map(|set| set.labels());
        let active = labels.filter(|label| label.is_active());
        let names = active.flat_map(|label| label.synonyms.iter().map(move |other| (&label.name, other)));
        let row = |(label, other): (&String, &String)| {
            let remove = Form {
                action: "remove-synonym",
                hidden: vec![("subject", label.clone()), ("value", other.clone())],
                button: "Take away".to_owned(),
                about: other.clone(),
                ..Form::default()
            };
            vec![
                Cell::written(label.as_str()),
                Cell::written(other.as_str()),
                Cell::Forms(vec![remove]),
            ]
        };
        let rows: Vec<Vec<Cell>> = names.map(row).collect();
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![
            Block::heading("Other names of the labels"),
            Block::text(
                "Each name means its label, those of before a rename too. A name that is taken away may be that of another label.",
            ),
            Block::Table(Table {
                caption: "Other names".to_owned(),
                head: vec!["Label", "Other name", "Actions"],
                rows,
            }),
        ])
    }

    /// Shows the order in which labels are listed, where there are several.
    async fn order_of_labels(&self) -> Result<Vec<Block>, ConsoleError> {
        let set = self.label_sets.current().await?;
        let names: Vec<&str> = set.iter().flat_map(|set| set.active()).collect();
        if names.len() < 2 {
            return Ok(Vec::new());
        }
        let up = |name: &str| Form {
            action: "label-up",
            hidden: vec![("subject", name.to_owned())],
            button: "Move up".to_owned(),
            about: name.to_owned(),
            ..Form::default()
        };
        let row = |(place, name): (usize, &&str)| {
            let forms = if place == 0 { Vec::new() } else { vec![up(name)] };
            vec![
                Cell::written(*name),
                Cell::text((place + 1).to_string()),
                Cell::Forms(forms),
            ]
        };
        Ok(vec![
            Block::heading("Order of the labels"),
            Block::text(
                "Labels are listed so where all are to choose from. What a model predicts comes first beside a text all the \
                 same. `active-learning labels order` sets the whole order at once.",
            ),
            Block::Table(Table {
                caption: "Labels in their order".to_owned(),
                head: vec!["Label", "Place", "Actions"],
                rows: names.iter().enumerate().map(row).collect(),
            }),
        ])
    }

    async fn label_blocks(&self, stored: &Stored, label: &str) -> Result<Vec<Block>, ConsoleError> {
        if !self
            .guided_labels(&stored.guideline)
            .await?
            .iter()
            .any(|name| name == label)
        {
            return Err(ConsoleError::NotFound);
        }
        let guide = stored.guideline.of(label).cloned().unwrap_or_default();
        let values = [
            guide.meaning,
            guide.good.join("\n"),
            guide.bad.join("\n"),
            guide.edge_cases.join("\n"),
        ];
        let fields = FIELDS
            .into_iter()
            .zip(values)
            .map(|((name, label), value)| TextField { name, label, value });
        Ok(vec![
            Block::heading(label),
            Block::Form(edit(label, &stored.version, fields.collect())),
            Block::Link("guideline".to_owned(), "Back to the guideline".to_owned()),
        ])
    }

    /// Returns the labels of the guideline, then those in use that it lacks.
    async fn guided_labels(&self, guideline: &Guideline) -> Result<Vec<String>, ConsoleError> {
        let mut names: Vec<String> = guideline.labels.iter().map(|guide| guide.label.clone()).collect();
        if let Some(set) = self.label_sets.current().await? {
            let new: Vec<&str> = set.active().filter(|name| guideline.of(name).is_none()).collect();
            names.extend(new.into_iter().map(str::to_owned));
        }
        Ok(names)
    }

    /// Asks whether a change of the guideline is wanted, or makes it.
    pub(super) async fn edit_guideline(
        &self,
        form: &BTreeMap<String, String>,
    ) -> Result<HttpReply, ConsoleError> {
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let (label, version) = (field("subject"), field("version"));
        let changed = || {
            let text = "somebody else has changed the guideline since the page was opened: open it again";
            ConsoleError::Invalid(text.to_owned())
        };
        let stored = Stored::read(self.review).await?.map_err(|_| changed())?;
        if stored.version != version {
            return Err(changed());
        }
        let new = self.edited(&stored.guideline, label, form).await?;
        if field(CONFIRMED) != "yes" {
            return Ok(self.confirm_guideline(label, version, form));
        }

        let (content, new_version) = new.to_json().map_err(ConsoleError::Invalid)?;
        let deed = Deed {
            action: EDIT,
            subject: if label.is_empty() { INTRODUCTION } else { label },
            value: &new_version,
        };
        let write = async {
            match stored.replace(self.review, content).await? {
                true => Ok(done_redirect("guideline", EDIT)),
                false => Err(changed()),
            }
        };
        AuditLog::of_session(self.review, &self.session.reviewer, self.now)
            .record(deed, Box::pin(write))
            .await
    }

    /// Returns the guideline with what the form says of a label, or of all.
    async fn edited(
        &self,
        before: &Guideline,
        label: &str,
        form: &BTreeMap<String, String>,
    ) -> Result<Guideline, ConsoleError> {
        let mut new = before.clone();
        if label.is_empty() {
            new.introduction = text(form, INTRODUCTION)?;
            return Ok(new);
        }
        if !self.guided_labels(before).await?.iter().any(|name| name == label) {
            return Err(ConsoleError::Invalid("there is no such label".to_owned()));
        }
        let guide = LabelGuide {
            label: label.to_owned(),
            meaning: text(form, "meaning")?,
            good: lines(form, "good")?,
            bad: lines(form, "bad")?,
            edge_cases: lines(form, "edgeCases")?,
        };
        new.put(guide);
        Ok(new)
    }

    fn confirm_guideline(&self, label: &str, version: &str, form: &BTreeMap<String, String>) -> HttpReply {
        let names: Vec<(&'static str, &'static str)> = match label {
            "" => vec![(INTRODUCTION, "What holds for all labels")],
            _ => FIELDS.to_vec(),
        };
        let value = |name: &str| form.get(name).cloned().unwrap_or_default();
        let about = if label.is_empty() { "all labels" } else { label };
        let mut blocks = vec![Block::Text(format!(
            "Change what the guideline says of {about}? A page that is open shows the one before until \
             it is loaded anew."
        ))];
        for (name, asked) in &names {
            blocks.push(Block::heading(*asked));
            blocks.push(Block::Quote(value(name)));
        }
        let mut hidden = vec![
            ("subject", label.to_owned()),
            ("version", version.to_owned()),
            (CONFIRMED, "yes".to_owned()),
        ];
        hidden.extend(names.into_iter().map(|(name, _)| (name, value(name))));
        blocks.push(Block::Form(Form {
            action: EDIT,
            hidden,
            button: "Yes".to_owned(),
            ..Form::default()
        }));
        blocks.push(Block::Link("guideline".to_owned(), "No, go back".to_owned()));
        let view = View {
            title: "Are you sure?".to_owned(),
            blocks,
            json: serde_json::Value::Null,
        };
        self.show("", view, None, None)
    }
}

fn edit(label: &str, version: &str, texts: Vec<TextField>) -> Form {
    Form {
        action: EDIT,
        hidden: vec![("subject", label.to_owned()), ("version", version.to_owned())],
        texts,
        button: "Change".to_owned(),
        ..Form::default()
    }
}

/// Returns a text of a form as it is stored: line breaks are those of Unix.
fn text(form: &BTreeMap<String, String>, name: &str) -> Result<String, ConsoleError> {
    let text = form.get(name).map(|text| text.replace("\r\n", "\n"));
    let text = text.unwrap_or_default();
    let is_odd = |letter: char| letter.is_control() && letter != '\n' && letter != '\t';
    match text.contains(is_odd) {
        true => Err(ConsoleError::Invalid(
            "a text holds a control character".to_owned(),
        )),
        false => Ok(text.trim().to_owned()),
    }
}

fn lines(form: &BTreeMap<String, String>, name: &str) -> Result<Vec<String>, ConsoleError> {
    let text = text(form, name)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}
