//! Accepted predictions: no question to anybody, but labels, on their way to the training bucket.

use active_learning_aws::{bucket::JSON_LINES, s3_event::S3Object};
use active_learning_core::{
    feedback::FeedbackRecord, keys, model::accuracy_guarantee::MACHINE_LABELLED_FOLDER,
};

use crate::{A2iTrigger, A2iTriggerError};

/// Size from which an object of machine labels is written and the next one is begun, in bytes.
const MAX_OBJECT_BYTES: usize = 5 << 20;

/// Collects the accepted predictions of one delivered object.
#[derive(Debug, Default)]
pub(crate) struct MachineLabels {
    /// How many there were since the beginning.
    pub(crate) count: u64,
    lines: String,
    objects: usize,
}

/// A part of them that is written as one object.
pub(crate) struct Part {
    number: usize,
    lines: String,
}

impl MachineLabels {
    pub(crate) fn push(&mut self, record: &FeedbackRecord) {
        self.count += 1;
        self.lines += &record.to_line();
    }

    /// Returns a part once there is enough for one.
    pub(crate) fn full(&mut self) -> Option<Part> {
        (self.lines.len() >= MAX_OBJECT_BYTES).then(|| self.take())
    }

    /// Returns the last part, if there are lines left.
    pub(crate) fn finish(&mut self) -> Option<Part> {
        (!self.lines.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> Part {
        self.objects += 1;
        Part {
            number: self.objects,
            lines: std::mem::take(&mut self.lines),
        }
    }
}

impl A2iTrigger {
    /// Stores a part of the machine labels of an object. The same object again has the same parts: what is there stays.
    pub(crate) async fn store_machine_labels(
        &self,
        object: &S3Object,
        part: Part,
    ) -> Result<(), A2iTriggerError> {
        let name = keys::result_name(&object.bucket, &object.key, "");
        let key = format!("{MACHINE_LABELLED_FOLDER}{name}-{:05}.jsonl", part.number);
        let created = self.training.create(&key, JSON_LINES, part.lines).await;
        created.map(drop).map_err(A2iTriggerError::MachineLabels)
    }
}
