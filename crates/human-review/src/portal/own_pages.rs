//! A reviewer's own pages: what they answered last, and the guideline.

use active_learning_core::labels::human_loop::{NONE_FITS, UNSURE};
use futures::future::join_all;
use serde_json::Value;

use super::{Portal, PortalError};
use crate::event::{HttpReply, HttpRequest};
use crate::history::{Answered, Histories};
use crate::human_loop::Worker;
use crate::loops::LoopError;
use crate::pages::{GuidePage, HistoryPage, OwnAnswer, document, page};
use crate::session::Claims;

/// Characters of a text that the history shows.
const SHOWN_CHARS: usize = 120;

impl Portal<'_> {
    pub(super) fn histories(&self) -> Histories<'_> {
        Histories(self.bucket)
    }

    /// Shows the last ten tasks that the reviewer answered, each to be opened and answered again.
    pub(super) async fn history_page(
        &self,
        request: &HttpRequest,
        session: &Claims,
        worker: &Worker,
    ) -> Result<HttpReply, PortalError> {
        let history = self.histories().of(worker).await?;
        let own = history
            .answered
            .iter()
            .map(|answered| self.own_answer(answered, worker));
        let answers: Vec<Option<OwnAnswer>> = join_all(own).await.into_iter().collect::<Result<_, _>>()?;
        let view = HistoryPage {
            session: Some(self.view(session)),
            done_today: history.done_on(self.now),
            answers: answers.into_iter().flatten().collect(),
        };
        if request.wants_json() {
            return Ok(document(200, &view.to_json()));
        }
        Ok(page(200, &view, None))
    }

    /// Returns one line of the history; none where the task was removed.
    async fn own_answer(
        &self,
        answered: &Answered,
        worker: &Worker,
    ) -> Result<Option<OwnAnswer>, PortalError> {
        let human_loop = match self.loops.find(&answered.human_loop, self.now).await {
            Ok(human_loop) if human_loop.id == answered.id => human_loop,
            Ok(_) | Err(LoopError::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let input = match self.loops.input(&human_loop).await {
            Ok(input) => input,
            Err(LoopError::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let content = self.loops.latest_content(&human_loop, &worker.id).await?;
        let text = input["comprehendPredictions"][0]["utterance"]
            .as_str()
            .unwrap_or_default();
        Ok(Some(OwnAnswer {
            name: answered.human_loop.clone(),
            at: answered.at,
            text: shortened(text),
            answer: summary(&content.unwrap_or_default()),
        }))
    }

    pub(super) async fn guide_page(&self, session: &Claims) -> Result<HttpReply, PortalError> {
        let view = GuidePage {
            session: Some(self.view(session)),
            guideline: self.guidelines.current().await?,
        };
        Ok(page(200, &view, None))
    }
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Says in one line what was answered: the labels of the items in the order of their names.
fn summary(content: &Value) -> String {
    let members = content.as_object().into_iter().flatten();
    let answers = members.filter(|(name, _)| !name.contains(':'));
    let said: Vec<String> = answers.map(|(_, value)| in_words(value)).collect();
    said.join(" · ")
}

fn in_words(value: &Value) -> String {
    match value {
        Value::String(label) if label == NONE_FITS => "none fits".to_owned(),
        Value::String(label) if label == UNSURE => "cannot tell".to_owned(),
        Value::String(label) => label.clone(),
        Value::Array(labels) => labels.iter().map(in_words).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
