//! Takes personal data out of the items of a file before anything is made of them.

use std::{ops::ControlFlow, sync::Arc};

use active_learning_aws::personal_data::{Kinds, Masking, NotMasked};
use active_learning_core::{
    feedback::Source,
    labels::label_set::{LabelSet, check_suggestion},
};
use text_import::feedback::Item;
use tokio::runtime::Handle;

/// Items that are looked through at a time.
const ITEMS: usize = 64;

/// Said of a line that is not set aside as it was.
const LEFT_OUT: &str =
    "; the line cannot be looked through for personal data, and is in the uploaded file alone";

/// Collects items and hands them on without personal data, with the kinds that were found.
pub(crate) struct Masked<F> {
    masking: Masking,
    /// What labels are called by now.
    set: Option<Arc<LabelSet>>,
    runtime: Handle,
    waiting: Vec<Item>,
    hand_on: F,
    failed: Option<NotMasked>,
}

impl<F: FnMut(Item, Kinds) -> ControlFlow<()>> Masked<F> {
    /// Makes it, on a thread beside those of the runtime.
    pub(crate) fn new(masking: Masking, set: Option<Arc<LabelSet>>, runtime: Handle, hand_on: F) -> Self {
        Self {
            masking,
            set,
            runtime,
            waiting: Vec::new(),
            hand_on,
            failed: None,
        }
    }

    /// Takes an item; breaks off when nobody wants more, or an item could not be looked through.
    pub(crate) fn take(&mut self, item: Item) -> ControlFlow<()> {
        if self.masking.is_off() {
            return (self.hand_on)(item, Kinds::new());
        }
        self.waiting.push(item);
        match self.waiting.len() < ITEMS {
            true => ControlFlow::Continue(()),
            false => self.hand_on_all(),
        }
    }

    /// Hands the last items on.
    ///
    /// # Errors
    ///
    /// [`NotMasked`], where an item could not be looked through: nothing of it was handed on.
    pub(crate) fn finish(mut self) -> Result<(), NotMasked> {
        let _ = self.hand_on_all();
        self.failed.map_or(Ok(()), Err)
    }

    fn hand_on_all(&mut self) -> ControlFlow<()> {
        if self.failed.is_some() {
            return ControlFlow::Break(());
        }
        let mut items = std::mem::take(&mut self.waiting);
        let masked = (self.runtime).block_on(mask(&self.masking, self.set.as_deref(), &mut items));
        match masked {
            Ok(kinds) => items
                .into_iter()
                .zip(kinds)
                .try_for_each(|(item, kinds)| (self.hand_on)(item, kinds)),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

/// Returns the kinds of each item: none of one that is set aside, of which the copy is masked.
async fn mask(
    masking: &Masking,
    set: Option<&LabelSet>,
    items: &mut [Item],
) -> Result<Vec<Kinds>, NotMasked> {
    let mut kinds = vec![Kinds::new(); items.len()];
    let (mut places, mut texts) = (Vec::new(), Vec::new());
    for (place, item) in items.iter_mut().enumerate() {
        if let Some(reason) = why_unusable(item, set) {
            let is_left_out = masking.apply_to_raw(&mut item.raw).await?;
            let left_out = if is_left_out { LEFT_OUT } else { "" };
            item.content = Err(reason + left_out);
        } else if let Ok(request) = &mut item.content {
            places.push(place);
            texts.push(&mut request.sentence);
        }
    }
    let found = masking.apply_to_all(texts).await?;
    for (place, found) in places.into_iter().zip(found) {
        kinds[place] = found;
    }
    Ok(kinds)
}

/// Returns why an item will be set aside: before its text is sent anywhere.
fn why_unusable(item: &Item, set: Option<&LabelSet>) -> Option<String> {
    let request = match &item.content {
        Ok(request) => request.clone(),
        Err(reason) => return Some(reason.clone()),
    };
    let record = request.into_record_by(set, Source::ExplicitBatch, "");
    let checked = record.and_then(|record| check_suggestion(&record).map(|()| record));
    checked.err().map(|error| error.to_string())
}
