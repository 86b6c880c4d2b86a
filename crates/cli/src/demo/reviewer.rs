//! A reviewer without a browser: signs in, opens tasks and submits their forms as a page without script would.

use active_learning_core::labels::human_loop::NONE_FITS;
use http::Request;
use url::{Url, form_urlencoded};

use crate::http_client::send;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// An item of a task, as its page shows it.
pub struct Asked<'a> {
    /// Id of the record.
    pub id: &'a str,
    /// Label that the classifier predicted; may be empty.
    pub prediction: &'a str,
    /// Labels that can be chosen.
    pub labels: &'a [String],
}

/// A signed-in reviewer.
pub struct Reviewer {
    portal: Url,
    cookie: String,
    last_task: Option<String>,
}

impl Reviewer {
    /// Signs in with a one-time link.
    ///
    /// # Errors
    ///
    /// When the portal does not take the link.
    pub async fn sign_in(link: &str) -> Result<Self, Failure> {
        let link = Url::parse(link)?;
        let token = link.query_pairs().find(|(name, _)| name == "token");
        let token = token
            .map(|(_, token)| token.into_owned())
            .ok_or("the sign-in link has no token")?;
        let mut reviewer = Self {
            portal: link.join(".")?,
            cookie: String::new(),
            last_task: None,
        };
        let response = reviewer.post("sign-in", &[("token".to_owned(), token)]).await?;
        let cookie = response
            .headers()
            .get("set-cookie")
            .and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next());
        cookie
            .ok_or("the portal did not sign the reviewer in")?
            .clone_into(&mut reviewer.cookie);
        Ok(reviewer)
    }

    /// Answers the next task; `choose` gives the label for an item's id and predicted label, or nothing
    /// for an item that is not this reviewer's business.
    ///
    /// A task with no item of this reviewer's is skipped, for others to answer. Returns false when no
    /// task waits.
    ///
    /// # Errors
    ///
    /// When the portal refuses the answer.
    pub async fn answer_next(
        &mut self,
        choose: impl Fn(&str, &str) -> Option<String>,
    ) -> Result<bool, Failure> {
        self.answer_next_as(|item| choose(item.id, item.prediction)).await
    }

    /// Answers the next task as [`answer_next`](Self::answer_next) does, knowing also which labels the page offers.
    ///
    /// # Errors
    ///
    /// When the portal refuses the answer.
    pub async fn answer_next_as(
        &mut self,
        choose: impl Fn(&Asked<'_>) -> Option<String>,
    ) -> Result<bool, Failure> {
        let next = self.get("next").await?;
        let location = next
            .headers()
            .get("location")
            .and_then(|location| location.to_str().ok());
        let Some(location) = location
            .filter(|location| location.contains("loop="))
            .map(str::to_owned)
        else {
            return Ok(false);
        };
        self.last_task = location
            .split(['?', '&'])
            .find_map(|pair| pair.strip_prefix("loop="))
            .map(str::to_owned);
        self.answer_at(&location, choose).await
    }

    /// Answers the next task, whatever its template: `fields` gives name and value of each field from the page. Returns
    /// false when no task waits.
    ///
    /// # Errors
    ///
    /// When the portal refuses the answer.
    pub async fn answer_next_page(
        &mut self,
        fields: impl Fn(&str) -> Vec<(String, String)>,
    ) -> Result<bool, Failure> {
        let next = self.get("next").await?;
        let location = next.headers().get("location");
        let location = location.and_then(|location| location.to_str().ok());
        let Some(location) = location.filter(|location| location.contains("loop=")) else {
            return Ok(false);
        };
        let page = self.get(location).await?;
        let mut form = hidden_fields(page.body());
        form.extend(fields(page.body()));
        let answer = self.post("submit", &form).await?;
        match answer.status() {
            status if status.is_success() || status.is_redirection() => Ok(true),
            status => Err(format!("the portal answered {status} to a task").into()),
        }
    }

    /// Returns the human loop of the task that [`answer_next`](Self::answer_next) opened last, whatever became of it.
    pub fn last_task(&self) -> Option<&str> {
        self.last_task.as_deref()
    }

    /// Answers a task again that this reviewer has answered, as a correction.
    ///
    /// # Errors
    ///
    /// When the portal refuses the answer.
    pub async fn correct(
        &mut self,
        human_loop: &str,
        choose: impl Fn(&Asked<'_>) -> Option<String>,
    ) -> Result<bool, Failure> {
        let location = format!("task?loop={human_loop}&correct=yes");
        self.answer_at(&location, choose).await
    }

    async fn answer_at(
        &self,
        location: &str,
        choose: impl Fn(&Asked<'_>) -> Option<String>,
    ) -> Result<bool, Failure> {
        let page = self.get(location).await?;
        if page.status() == http::StatusCode::NOT_FOUND {
            // It is being started, or somebody else was faster.
            return Ok(false);
        }
        let mut form = hidden_fields(page.body());
        let predictions: Vec<String> = values(page.body(), "data-prediction=\"").collect();
        let items: Vec<String> = values(page.body(), "data-item=\"").collect();
        let labels = offered(page.body());
        let asked = items.iter().zip(&predictions).map(|(id, prediction)| Asked {
            id,
            prediction,
            labels: &labels,
        });
        let chosen: Vec<Option<String>> = asked.map(|item| choose(&item)).collect();
        let page = if chosen.iter().any(Option::is_some) {
            let labels = chosen.into_iter().zip(predictions).map(|(label, prediction)| {
                label.unwrap_or(if prediction.is_empty() {
                    NONE_FITS.to_owned()
                } else {
                    prediction
                })
            });
            // As the page's script does: without it no label can be proposed.
            let answer: serde_json::Map<String, serde_json::Value> = items
                .into_iter()
                .zip(labels.map(serde_json::Value::from))
                .collect();
            form.push((
                "portal:answer".to_owned(),
                serde_json::Value::Object(answer).to_string(),
            ));
            "submit"
        } else {
            "release"
        };
        let answer = self.post(page, &form).await?;
        if answer.status().is_success() || answer.status().is_redirection() {
            Ok(true)
        } else {
            Err(format!("the portal answered {} to a task", answer.status()).into())
        }
    }

    async fn get(&self, page: &str) -> Result<http::Response<String>, Failure> {
        let request = Request::get(self.portal.join(page)?.as_str()).header("cookie", &self.cookie);
        send(request.body(String::new())?).await
    }

    async fn post(&self, page: &str, fields: &[(String, String)]) -> Result<http::Response<String>, Failure> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = Request::post(self.portal.join(page)?.as_str())
            .header("cookie", &self.cookie)
            .header("content-type", "application/x-www-form-urlencoded");
        send(request.body(body)?).await
    }
}

/// Returns the values of an attribute, in the order of the page.
fn values<'a>(page: &'a str, attribute: &'a str) -> impl Iterator<Item = String> + 'a {
    page.split(attribute)
        .skip(1)
        .filter_map(|rest| Some(unescape(rest.split('"').next()?)))
}

/// Returns the labels that a page lists for its tasks.
fn offered(page: &str) -> Vec<String> {
    let list = page.split_once("<datalist id=\"review-labels\">");
    let list = list.and_then(|(_, rest)| rest.split_once("</datalist>"));
    list.map_or_else(Vec::new, |(list, _)| values(list, "<option value=\"").collect())
}

fn unescape(text: &str) -> String {
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (entity, letter)| {
        text.replace(entity, letter)
    })
}

/// Returns the fields of a task's form that say which task it is, with their values.
fn hidden_fields(page: &str) -> Vec<(String, String)> {
    ["portal:csrf", "portal:loop", "portal:loop-id"]
        .into_iter()
        .filter_map(|name| {
            let value = values(page, &format!("name=\"{name}\" value=\"")).next()?;
            Some((name.to_owned(), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_in_page_order_without_entities() {
        let page = r#"<p data-item="a" x><p data-item="R&amp;D &lt;b&gt;">"#;

        assert_eq!(values(page, "data-item=\"").collect::<Vec<_>>(), ["a", "R&D <b>"]);
    }

    #[test]
    fn the_labels_that_are_offered_are_those_of_the_list_of_the_page() {
        let page = r#"<input value="x"><datalist id="review-labels"><option value="A &amp; B"></option><option value="C">
            </option></datalist><option value="y">"#;

        assert_eq!(offered(page), ["A & B", "C"]);
        assert_eq!(offered("<p>"), Vec::<String>::new());
    }
}
