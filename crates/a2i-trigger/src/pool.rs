//! The pool: texts to label, of which reviewers have only so many open at a time. What a user complains about does not
//! wait there.
//!
//! Which ones they are asked next is decided when there is room, with the model that serves then: so what waits is
//! ranked anew by every better model. Before the first model a batch covers the pool.
//!
//! Of what was drawn for a choice, the texts that belong to the test set by their content are not ranked. They are asked
//! in the share that is to be held out, in random order: so they stay a random sample of the pool, on which models can
//! be compared. Before the first model none of them is asked as long as others wait or are being asked: it is measured by
//! cross-validation.

use std::{future::ready, time::Duration};

use active_learning_aws::{bucket::JSON, metrics};
use active_learning_core::{
    feedback::{FeedbackRecord, prediction::Prediction},
    keys::{ASKED_FOLDER, loop_of_asked},
    labels::{
        human_loop::{HumanLoopInput, LoopName},
        question::Question,
    },
    random::Random,
    sampling::{
        query_strategy::{self, AskedBefore, Candidate, Choice, QueryStrategy},
        review_budget::{Queue, Selected, candidate, enqueue},
    },
    text::vector_id,
};
use futures::{StreamExt, TryStreamExt, stream};
use lambda_runtime::tracing::{info, warn};
use tokio::time::timeout;

use crate::{A2iTrigger, A2iTriggerError, CALLS_IN_FLIGHT, FUNCTION, backlog::Next};

/// Texts that are drawn from the pool for a choice, per text to choose, and in all.
const DRAWN_PER_ITEM: usize = 10;
const MAX_DRAWN: usize = 500;

/// Texts that the model is asked about for a choice, or of a delivered object.
pub(crate) const MAX_PREDICTED: usize = 200;

/// Open tasks that are looked at: a page of a listing.
const MAX_LISTED: usize = 1_000;

/// Time for all these predictions; what has none by then is not chosen this time.
const PREDICTION_TIME: Duration = Duration::from_secs(60);

impl A2iTrigger {
    /// Adds the texts of the pool that are to be asked now to `next`, at most `count`.
    pub(crate) async fn next_of_pool(
        &self,
        count: usize,
        seed: u64,
        next: &mut Next,
    ) -> Result<(), A2iTriggerError> {
        if count == 0 || self.is_pool_empty().await? {
            return Ok(());
        }
        let wanted = count.min(self.room().await?);
        if wanted == 0 {
            return Ok(());
        }
        let mut random = Random::new(seed);
        let drawn = self.draw(DRAWN_PER_ITEM * wanted, &mut random, next).await?;
        if drawn.is_empty() {
            return Ok(());
        }

        let (to_test, to_rank): (Vec<_>, Vec<_>) =
            drawn.into_iter().partition(|item| self.is_held_out(&item.record));
        // Asked each time: what is remembered for a minute would pass over the first model.
        let model = self.model_arn.describe().await;
        let has_model = model.is_some();
        let tests = match &model {
            Some(_) => share_of(wanted, self.config.test_share, &mut random).min(to_test.len()),
            None => 0,
        };
        let ranked = match model {
            Some(model) => self.predicted(to_rank, &model).await,
            None => to_rank,
        };
        info!(
            wanted,
            tests,
            choices = ranked.len(),
            "texts of the pool are chosen"
        );

        let mut to_test = to_test.into_iter();
        let mut chosen: Vec<Selected> = to_test.by_ref().take(tests).collect();
        let others = self.choose(&ranked, wanted - chosen.len(), seed).await?;
        chosen.extend(others);
        // Where one side is used up, the other goes on.
        if has_model || (chosen.is_empty() && !self.is_anything_asked().await?) {
            chosen.extend(to_test.take(wanted - chosen.len()));
        }
        for item in chosen {
            self.take(item, next).await?;
        }
        Ok(())
    }

    /// Gives a text of the pool its turn among the complaints, since a user complains about it. Idempotent: whoever selected it
    /// from the pool meanwhile has claimed it.
    pub(crate) async fn lift_from_pool(
        &self,
        question: &Question,
        complaint: &FeedbackRecord,
    ) -> Result<(), A2iTriggerError> {
        if !complaint.is_complaint() || question.human_loop.is_some() {
            return Ok(());
        }
        let in_pool = Queue::Pool.key(&question.record);
        if !self.feedback.exists(&in_pool).await? {
            return Ok(());
        }

        // The complaint may be about another spelling of the text.
        let mut record = FeedbackRecord {
            id: question.record.id.clone(),
            utterance: question.record.utterance.clone(),
            ..complaint.clone()
        };
        let key = enqueue(&mut record, None).key(&record);
        self.feedback.put(&key, JSON, record.to_line()).await?;
        self.feedback.delete(&in_pool).await?;
        info!(
            record.id,
            "a user complains about a text of the pool: it is asked"
        );
        metrics::count(FUNCTION, &[("LiftedFromPool", 1)]);
        Ok(())
    }

    /// Returns how many texts of the pool may be asked now.
    ///
    /// None until half of what reviewers may have open is answered: a batch covers more than texts one by one.
    async fn room(&self) -> Result<usize, A2iTriggerError> {
        let most = match self.config.pool_texts_in_review {
            0 => return Ok(usize::MAX),
            most => most,
        };
        let open_loops = self.open_loops().await?;
        // Each has a text at least.
        if 2 * open_loops.len() > most {
            return Ok(0);
        }
        let open: usize = stream::iter(open_loops)
            .map(async |name| self.texts_of(&name).await)
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_fold(0, |sum, texts| ready(Ok(sum + texts)))
            .await?;
        Ok(if 2 * open > most {
            0
        } else {
            most.saturating_sub(open)
        })
    }

    async fn is_pool_empty(&self) -> Result<bool, A2iTriggerError> {
        let first = self.feedback.list_after(Queue::Pool.prefix(), "", 1).await?;
        Ok(first.is_empty())
    }

    /// Returns the loops that people are asked in, but for those that ask somebody else once more: whoever has answered them
    /// does not get these, and is not to be without work until somebody else comes.
    async fn open_loops(&self) -> Result<Vec<String>, A2iTriggerError> {
        let listed = self.feedback.list_after(ASKED_FOLDER, "", MAX_LISTED).await?;
        let is_further = |name: &str| LoopName::parse(name).is_some_and(|name| name.is_further_round());
        let names = listed.iter().filter_map(|object| loop_of_asked(&object.key));
        Ok(names
            .filter(|name| !is_further(name))
            .map(str::to_owned)
            .collect())
    }

    /// Returns how many texts an open loop asks; of one that is answered meanwhile none.
    async fn texts_of(&self, human_loop: &str) -> Result<usize, A2iTriggerError> {
        if self.config.items_per_task.get() == 1 {
            return Ok(1);
        }
        let Some(input) = self.human_loops.input(human_loop).await? else {
            return Ok(0);
        };
        let input: Option<HumanLoopInput> = serde_json::from_str(&input).ok();
        Ok(input.map_or(1, |input| input.comprehend_predictions.len()))
    }

    /// Returns whether people are being asked about anything: a model may come of it.
    async fn is_anything_asked(&self) -> Result<bool, A2iTriggerError> {
        Ok(!self.open_loops().await?.is_empty())
    }

    /// Draws texts from the pool by chance, at most [`MAX_DRAWN`].
    async fn draw(
        &self,
        count: usize,
        random: &mut Random,
        next: &mut Next,
    ) -> Result<Vec<Selected>, A2iTriggerError> {
        let count = count.min(MAX_DRAWN);
        let prefix = Queue::Pool.prefix();
        // Names are digests, so that whatever follows a random one is a random sample.
        let start = format!("{:016x}", (random.next_f64() * 2_f64.powi(64)) as u64);
        let mut listed = self.feedback.list_after(prefix, &start, count).await?;
        if listed.len() < count {
            let before = self.feedback.list_after(prefix, "", count - listed.len()).await?;
            let start = format!("{prefix}{start}");
            listed.extend(before.into_iter().filter(|item| item.key <= start));
        }
        self.read_items(listed, next).await
    }

    /// Returns the items of which the model says something, with what it says.
    async fn predicted(&self, items: Vec<Selected>, model: &str) -> Vec<Selected> {
        let judged = self.judge(items).await.into_iter();
        judged
            .map(|(mut item, prediction)| {
                item.record.prediction = Some(prediction.label);
                item.record.confidence = Some(prediction.confidence);
                item.record.classes = prediction.classes;
                item.record.model_arn = Some(model.to_owned());
                item
            })
            .collect()
    }

    /// Asks the model about the first [`MAX_PREDICTED`] items, and returns those it answers for in time.
    pub(crate) async fn judge(&self, items: Vec<Selected>) -> Vec<(Selected, Prediction)> {
        let judging = stream::iter(items.into_iter().take(MAX_PREDICTED))
            .map(
                async |item| match self.classifier.classify(&item.record.utterance).await {
                    Ok(prediction) => Some((item, prediction)),
                    Err(error) => {
                        warn!(item.record.id, %error, "a text of the pool has no prediction");
                        None
                    }
                },
            )
            .buffer_unordered(CALLS_IN_FLIGHT);
        let mut judged = Vec::new();
        let mut judging = std::pin::pin!(judging);
        let all = async {
            while let Some(item) = judging.next().await {
                judged.extend(item);
            }
        };
        if timeout(PREDICTION_TIME, all).await.is_err() {
            warn!("the classifier was too slow to judge all texts that it was asked about");
        }

        // The order of the answers is by chance; the choice is not to be.
        judged.sort_by(|(a, _), (b, _): &(Selected, Prediction)| a.key.cmp(&b.key));
        judged
    }

    /// Chooses by the default query strategy, and some by chance; these name no model, so that it is known of them.
    async fn choose(
        &self,
        items: &[Selected],
        count: usize,
        seed: u64,
    ) -> Result<Vec<Selected>, A2iTriggerError> {
        let choose = |candidates: &[Candidate], before: &AskedBefore| {
            let strategy = QueryStrategy::default();
            query_strategy::select_with_chance(strategy, candidates, before, count, seed)
        };
        let chosen = self.compare(items, choose).await?.into_iter();
        let item = |choice: Choice| {
            let mut item = items[choice.index].clone();
            if !choice.by_doubt {
                item.record.model_arn = None;
            }
            item
        };
        Ok(chosen.map(item).collect())
    }

    /// Chooses by the default query strategy.
    pub(crate) async fn best(
        &self,
        items: &[Selected],
        count: usize,
        seed: u64,
    ) -> Result<Vec<Selected>, A2iTriggerError> {
        let choose = |candidates: &[Candidate], before: &AskedBefore| {
            query_strategy::select(QueryStrategy::default(), candidates, before, count, seed)
        };
        let chosen = self.compare(items, choose).await?.into_iter();
        Ok(chosen.map(|index| items[index].clone()).collect())
    }

    /// Gives a choice what is known of the items and of the texts that were asked before.
    async fn compare<T>(
        &self,
        items: &[Selected],
        choose: impl FnOnce(&[Candidate], &AskedBefore) -> T,
    ) -> Result<T, A2iTriggerError> {
        let asked = self.asked_before().await?;
        let texts: Vec<&str> = items.iter().map(|item| item.record.utterance.as_str()).collect();
        let before: Vec<&str> = asked.iter().map(String::as_str).collect();
        let vectors = self.vectors_of(&texts, &before).await;

        let vector = |text: &str| vectors.get(&vector_id(text));
        let candidates: Vec<Candidate> = items
            .iter()
            .map(|item| Candidate {
                vector: vector(&item.record.utterance),
                ..candidate(&item.record)
            })
            .collect();
        let before = AskedBefore {
            vectors: before.iter().filter_map(|text| vector(text)).collect(),
            texts: before,
            ..AskedBefore::default()
        };
        Ok(choose(&candidates, &before))
    }
}

/// Returns a share of a number: what is left of a whole comes by chance.
fn share_of(number: usize, share: f64, random: &mut Random) -> usize {
    (number as f64 * share + random.next_f64()) as usize
}
