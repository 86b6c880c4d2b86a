//! What can be done in the console: confirmed first, then written down, then done.

use std::collections::BTreeMap;

use active_learning_aws::adjudication::{Choice, Decision, adjudicate};
use active_learning_aws::overview::{FAILED_EVENTS, GIVEN_UP, model_before, switches};
use active_learning_aws::redrive::redrive;
use active_learning_aws::{approval, rfc3339};
use active_learning_core::feedback::prediction::{join_labels, split_labels};
use active_learning_core::labels::label_key::broad_key;
use chrono::SecondsFormat;
use futures::future::{BoxFuture, FutureExt, TryFutureExt};

use super::audit_start::START_AUDIT;
use super::data::{FIND_TEXTS, is_record_id};
use super::form::Form;
use super::guideline::EDIT;
use super::page::Block;
use super::versions::{PAGE, is_execution_name};
use super::{Console, ConsoleError, View, done_redirect};
use crate::audit_log::{AuditLog, Deed};
use crate::event::HttpReply;
use crate::loops::LoopError;
use crate::members::MemberChange;
use crate::pages::redirect;
use crate::session::{Role, is_session_id, sign_in_url};
use crate::validation::{is_loop_name, is_name};
use crate::{HumanReviewError, checked_reviewer};

/// Field of a form that says that its sender has seen what it does.
pub(super) const CONFIRMED: &str = "confirmed";
/// Field of a form that says of which version of the label set its sender has seen it.
const SAID_OF: &str = "version";

/// An action.
struct Action {
    /// Address that its form is sent to.
    address: &'static str,
    /// Page that it is on.
    page: &'static str,
    /// What it does, with the subject in the place of `{}`.
    question: &'static str,
    /// What it did.
    done: &'static str,
}

const ACTIONS: [Action; 21] = [
    Action {
        address: "release-task",
        page: "tasks",
        question: "End the turn of whoever has the task {} open? Anybody may take it then.",
        done: "The task was released.",
    },
    Action {
        address: "stop-task",
        page: "tasks",
        question: "Stop the task {}? It leaves the queue for good once nobody has it open, and its question counts \
                   as given up.",
        done: "The task was stopped.",
    },
    Action {
        address: "invite",
        page: "reviewers",
        question: "Make a sign-in link for {}? Whoever has the link can use it, once, within an hour.",
        done: "A link was made.",
    },
    Action {
        address: "pause-reviewer",
        page: "reviewers",
        question: "Keep {} out until somebody lets them in again? What they have answered stays.",
        done: "They are paused.",
    },
    Action {
        address: "resume-reviewer",
        page: "reviewers",
        question: "Let {} in again?",
        done: "They may come in again.",
    },
    Action {
        address: "revoke-sessions",
        page: "reviewers",
        question: "End all sessions of {}? They need a new link to come in again.",
        done: "Their sessions are over.",
    },
    Action {
        address: "end-session",
        page: "reviewers",
        question: "End one session of {}? Their other sessions go on.",
        done: "The session is over.",
    },
    Action {
        address: "set-role",
        page: "reviewers",
        question: "Change what {} may do?",
        done: "Their role was changed.",
    },
    Action {
        address: "join-team",
        page: "reviewers",
        question: "Put {} into the work team that is chosen? They see its tasks from then on.",
        done: "They are in the team.",
    },
    Action {
        address: "leave-team",
        page: "reviewers",
        question: "Take {} out of this work team? They see its tasks no more, unless a group of theirs is in it too.",
        done: "They are out of the team.",
    },
    Action {
        address: "adjudicate",
        page: "quality",
        question: "Decide the dispute about the record {} for good?",
        done: "The dispute is decided.",
    },
    Action {
        address: "adjudicate-none-fits",
        page: "quality",
        question: "Decide for good that no label fits the record {}?",
        done: "The dispute is decided.",
    },
    Action {
        address: "accept-label",
        page: "quality",
        question: "Make the proposed name {} a label?",
        done: "The proposal is a label now.",
    },
    Action {
        address: "label-up",
        page: "guideline",
        question: "Show the label {} one place earlier where all labels are listed?",
        done: "The order of the labels was changed.",
    },
    Action {
        address: "merge-label",
        page: "quality",
        question: "Make the proposed label {} another name of the label that is chosen?",
        done: "The proposal is another name of the label now.",
    },
    Action {
        address: "remove-synonym",
        page: "guideline",
        question: "Take the other name that is chosen away from the label {}?",
        done: "The other name was taken away.",
    },
    Action {
        address: "refuse-label",
        page: "quality",
        question: "Refuse the proposed label {}? It is proposed no more.",
        done: "The proposal was refused.",
    },
    Action {
        address: "approve-build",
        page: "versions",
        question: "Deploy the model of the build {}?",
        done: "The build was approved; the deployment takes a moment.",
    },
    Action {
        address: "reject-build",
        page: "versions",
        question: "Reject the model of the build {}? It is not deployed.",
        done: "The build was rejected.",
    },
    Action {
        address: "roll-back",
        page: "versions",
        question: "Bring back {}? It takes the place of the serving model.",
        done: "The roll-back was started; it takes a moment, and its record says what it came to.",
    },
    Action {
        address: "send-again",
        page: "operations",
        question: "Send {} again? It is worth it once its cause is gone.",
        done: "It was sent again.",
    },
];
/// What a form of a roll-back names where it names no model.
const MODEL_BEFORE: &str = "the model before";
/// Addresses that only find something: nothing is confirmed or written down.
const SEARCHES: [&str; 3] = ["find-text", "find-id", FIND_TEXTS];
/// Characters of a reason or of a label.
const MAX_CHARS: usize = 2_000;

/// Returns the addresses of the actions that are confirmed before they are done.
pub fn confirmed_actions() -> impl Iterator<Item = &'static str> {
    let actions = ACTIONS.iter().map(|action| action.address);
    actions.chain([EDIT, START_AUDIT])
}

/// Returns the addresses that only find something.
pub fn searches() -> impl Iterator<Item = &'static str> {
    SEARCHES.into_iter()
}

/// Returns whether an address is one of an action.
pub fn is_action(path: &str) -> bool {
    find(path).is_some() || SEARCHES.contains(&path) || [EDIT, START_AUDIT].contains(&path)
}

/// Returns what an action did, in words.
pub(super) fn done(address: &str) -> Option<&'static str> {
    match address {
        EDIT => Some("The guideline was changed."),
        START_AUDIT => Some("The audit was started: its texts wait for other reviewers."),
        _ => find(address).map(|action| action.done),
    }
}

fn find(address: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.address == address)
}

/// Returns the labels that a form names, each in a field of its own, as one value: a bar in a name is not one between names.
fn chosen_labels(fields: &[(String, String)]) -> String {
    let values = fields.iter().filter(|(name, _)| name == "value");
    let labels = values
        .map(|(_, value)| value.trim())
        .filter(|value| !value.is_empty());
    join_labels(labels)
}

impl Console<'_> {
    /// Asks whether an action is wanted, or does it.
    pub(super) async fn act(
        &self,
        path: &str,
        form: &BTreeMap<String, String>,
        fields: &[(String, String)],
    ) -> Result<HttpReply, ConsoleError> {
        if let Some(found) = self.search(path, form).await? {
            return Ok(found);
        }
        if path == EDIT {
            return Box::pin(self.edit_guideline(form)).await;
        }
        if path == START_AUDIT {
            return Box::pin(self.start_audit(form)).await;
        }
        let action = find(path).ok_or(ConsoleError::NotFound)?;
        let field = |name: &str| form.get(name).map(|value| value.trim()).unwrap_or_default();
        let chosen = match action.address {
            "adjudicate" => chosen_labels(fields),
            _ => field("value").to_owned(),
        };
        let (subject, value) = (field("subject"), chosen.as_str());
        self.check(action, subject, value)?;
        if action.address == "join-team" {
            self.check_team(value).await?;
        }
        if action.address == "adjudicate" && split_labels(value).len() > 1 {
            self.check_that_texts_have_several_labels().await?;
        }
        if field(CONFIRMED) != "yes" {
            return self.confirmation(action, subject, value).await;
        }
        let said_of = version(field(SAID_OF))?;

        let deed = Deed {
            action: action.address,
            subject,
            value,
        };
        AuditLog::of_session(self.review, &self.session.reviewer, self.now)
            .record(deed, Box::pin(self.carry_out(action, (subject, value), said_of)))
            .await
    }

    async fn search(
        &self,
        path: &str,
        form: &BTreeMap<String, String>,
    ) -> Result<Option<HttpReply>, ConsoleError> {
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        Ok(match path {
            "find-text" => Some(self.find(field("subject"), field("value")).await?),
            FIND_TEXTS => Some(self.find_texts(form).await?),
            "find-id" => {
                let is_part = |c: &char| !c.is_whitespace() && *c != '-';
                let id: String = field("subject").chars().filter(is_part).collect();
                // Words stay out of every address; the page says that it was no id.
                let id = if is_record_id(&id) { &id } else { "none" };
                Some(redirect(&format!("data?id={id}")))
            }
            _ => None,
        })
    }

    /// Refuses what can never be done, before anybody is asked to confirm it.
    fn check(&self, action: &Action, subject: &str, value: &str) -> Result<(), ConsoleError> {
        let invalid = |text: &str| Err(ConsoleError::Invalid(text.to_owned()));
        if value.chars().count() > MAX_CHARS || value.contains(char::is_control) {
            return invalid("a choice is too long, or holds a control character");
        }
        match action.address {
            "adjudicate" | "adjudicate-none-fits" if !is_record_id(subject) => Err(ConsoleError::NotFound),
            "approve-build" | "reject-build" if !is_execution_name(subject) => Err(ConsoleError::NotFound),
            "send-again"
                if ![FAILED_EVENTS, GIVEN_UP]
                    .iter()
                    .any(|folder| subject.starts_with(folder)) =>
            {
                Err(ConsoleError::NotFound)
            }
            "accept-label" | "label-up" | "merge-label" | "refuse-label" | "remove-synonym"
                if subject.is_empty() || subject.chars().count() > MAX_CHARS =>
            {
                invalid("this is no name of a label")
            }
            "adjudicate" | "merge-label" | "reject-build" | "remove-synonym" if value.is_empty() => {
                invalid("a choice or a reason is missing")
            }
            "roll-back" if subject != MODEL_BEFORE && !is_model_arn(subject) => invalid("this is no model"),
            "adjudicate"
            | "adjudicate-none-fits"
            | "approve-build"
            | "reject-build"
            | "roll-back"
            | "send-again"
            | "accept-label"
            | "label-up"
            | "merge-label"
            | "refuse-label"
            | "remove-synonym" => Ok(()),
            "release-task" | "stop-task" if !is_loop_name(subject) => Err(LoopError::NotFound.into()),
            "release-task" | "stop-task" => Ok(()),
            "invite" | "set-role" if Role::parse(value).is_none() => {
                invalid("the role must be reviewer or admin")
            }
            "end-session" if !is_session_id(value) => Err(ConsoleError::NotFound),
            "join-team" | "leave-team" if !is_name(value, true) => invalid("this is no work team"),
            "pause-reviewer" | "revoke-sessions" | "set-role" if is_same(subject, &self.session.reviewer) => {
                invalid("this would shut yourself out: somebody else must do it")
            }
            _ => match checked_reviewer(subject) {
                Ok(_) => Ok(()),
                Err(error) => invalid(&error.to_string()),
            },
        }
    }

    async fn confirmation(
        &self,
        action: &Action,
        subject: &str,
        value: &str,
    ) -> Result<HttpReply, ConsoleError> {
        let mut blocks = vec![Block::text(action.question.replacen("{}", subject, 1))];
        let values = match action.address {
            "adjudicate" => split_labels(value),
            _ => vec![value.to_owned()],
        };
        if !value.is_empty() {
            blocks.push(Block::Figures(vec![("Choice".to_owned(), values.join(", "))]));
        }
        let mut hidden = vec![("subject", subject.to_owned()), (CONFIRMED, "yes".to_owned())];
        hidden.extend(values.into_iter().map(|value| ("value", value)));
        if let Some(known) = Box::pin(self.known_of_proposal(action.address, subject, value)).await? {
            blocks.push(Block::text(known.text));
            hidden.push((SAID_OF, known.version.to_string()));
        }
        blocks.push(Block::Form(Form {
            action: action.address,
            hidden,
            button: "Yes".to_owned(),
            ..Form::default()
        }));
        blocks.push(Block::Link(action.page.to_owned(), "No, go back".to_owned()));
        let view = View {
            title: "Are you sure?".to_owned(),
            blocks,
            json: serde_json::Value::Null,
        };
        Ok(self.show("", view, None, None))
    }

    async fn carry_out(
        &self,
        action: &Action,
        (subject, value): (&str, &str),
        said_of: Option<u64>,
    ) -> Result<HttpReply, ConsoleError> {
        if action.address == "invite" {
            return Box::pin(self.invite(subject, value)).await;
        }
        self.change(action, (subject, value), said_of).await?;
        Ok(done_redirect(action.page, action.address))
    }

    /// Begins what an action changes. Boxed here: an unoptimised build keeps a place on the stack for each of them.
    fn change<'a>(
        &'a self,
        action: &'a Action,
        (subject, value): (&'a str, &'a str),
        said_of: Option<u64>,
    ) -> BoxFuture<'a, Result<(), ConsoleError>> {
        match action.address {
            "release-task" => {
                let freed = self.loops.free(subject, self.now);
                freed.map_ok(drop).err_into().boxed()
            }
            "stop-task" => self.loops.stop(subject, self.now).err_into().boxed(),
            "adjudicate" => self
                .adjudicate(subject, Choice::Labels(split_labels(value)))
                .boxed(),
            "adjudicate-none-fits" => self.adjudicate(subject, Choice::NoneFits).boxed(),
            "approve-build" | "reject-build" | "roll-back" => self.tell(action, subject, value).boxed(),
            "accept-label" => self.accept_label(subject, said_of).boxed(),
            "label-up" => self.move_label_up(subject).boxed(),
            "merge-label" => self.merge_label(subject, value, said_of).boxed(),
            "refuse-label" => self.refuse_label(subject, said_of).boxed(),
            "remove-synonym" => self.remove_synonym(subject, value, said_of).boxed(),
            "send-again" => self.send_again(subject).boxed(),
            address => async move {
                let change = MemberChange::of_address(address, value).ok_or(ConsoleError::NotFound)?;
                self.members.apply(subject, change, self.now).await?;
                Ok(())
            }
            .boxed(),
        }
    }

    async fn check_that_texts_have_several_labels(&self) -> Result<(), ConsoleError> {
        let set = self.label_sets.current().await?;
        match set.is_some_and(|set| set.has_several_labels()) {
            true => Ok(()),
            false => Err(ConsoleError::Invalid(
                "a text has one label here (parameter ReviewSeveralLabels): choose one".to_owned(),
            )),
        }
    }

    async fn adjudicate(&self, record_id: &str, choice: Choice) -> Result<(), ConsoleError> {
        let at = rfc3339(self.now);
        let decision = Decision {
            choice: &choice,
            by: &self.session.reviewer,
            at: &at,
            overrules: false,
        };
        let buckets = (self.training, self.feedback);
        adjudicate("human-review", buckets, self.label_sets, record_id, decision).await?;
        Ok(())
    }

    async fn send_again(&self, key: &str) -> Result<(), ConsoleError> {
        let outcome = redrive(self.feedback, vec![key.to_owned()]).await;
        match outcome.kept.into_iter().next() {
            Some(kept) => Err(ConsoleError::Invalid(kept.reason)),
            None => Ok(()),
        }
    }

    /// Tells the state machine what was decided.
    async fn tell(&self, action: &Action, subject: &str, value: &str) -> Result<(), ConsoleError> {
        let Some((sfn, state_machine)) = self.models else {
            return Err(ConsoleError::Invalid(
                "the state machine is not known here".to_owned(),
            ));
        };
        let by = &self.session.reviewer;
        match action.address {
            "approve-build" => approval::approve(self.training, sfn, subject, by).await?,
            "reject-build" => {
                approval::reject(self.training, sfn, subject, &format!("{by}: {value}")).await?
            }
            _ => {
                let model = Some(subject).filter(|subject| *subject != MODEL_BEFORE);
                if model.is_none() && model_before(&switches(self.training, self.now, PAGE).await?).is_none()
                {
                    let text = "no model is known to have served before: there is nothing to roll back to";
                    return Err(ConsoleError::Invalid(text.to_owned()));
                }
                drop(approval::roll_back(sfn, state_machine, model, self.now).await?);
            }
        }
        Ok(())
    }

    /// Makes a link, which is shown once and written down nowhere.
    async fn invite(&self, name: &str, role: &str) -> Result<HttpReply, ConsoleError> {
        let role = Role::parse(role).unwrap_or_default();
        let name = checked_reviewer(name)
            .map_err(|error: HumanReviewError| ConsoleError::Invalid(error.to_string()))?;
        let invitation = self.members.invite(self.key, name, (role, &[]), self.now).await?;
        let known = (invitation.reviewer != name).then(|| {
            format!(
                "{name} is known as {}: case and white space tell no names apart.",
                invitation.reviewer
            )
        });
        let name = &invitation.reviewer;

        let until = invitation.expires_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let link = sign_in_url(&self.portal_url, &invitation.token);
        let paused = invitation
            .is_paused
            .then(|| format!("{name} is paused: no link lets them in until you resume them."));
        let mut blocks: Vec<Block> = known.into_iter().chain(paused).map(Block::text).collect();
        blocks.extend([
            Block::text(format!(
                "Give this link to {name}. It works once, until {until}, and is not shown again."
            )),
            Block::Copy(format!("Sign-in link for {name} ({})", role.as_str()), link),
            Block::Link("reviewers".to_owned(), "Back to the reviewers".to_owned()),
        ]);
        let view = View {
            title: "Sign-in link".to_owned(),
            blocks,
            json: serde_json::Value::Null,
        };
        Ok(self.show("", view, None, None))
    }
}

/// Reads the version of the label set that a form says; none where it says none.
fn version(field: &str) -> Result<Option<u64>, ConsoleError> {
    let unreadable = |_| {
        let text = "the form's field version is no number: go back, and open the page anew";
        ConsoleError::Invalid(text.to_owned())
    };
    match field {
        "" => Ok(None),
        said => said.parse().map(Some).map_err(unreadable),
    }
}

/// Returns whether two names are of one person: case and white space tell none apart.
fn is_same(one: &str, other: &str) -> bool {
    broad_key(one) == broad_key(other)
}

/// Returns whether a text may be the ARN of a model. Source: Amazon Comprehend, `DocumentClassifierArn`.
fn is_model_arn(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'/' | b'-' | b'_');
    text.starts_with("arn:") && text.len() <= 256 && text.bytes().all(is_part)
}
