//! What keeps a reviewer from a task.

/// Why a reviewer may not open or answer a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// As many reviewers as the loop needs are at it.
    #[error("another reviewer has this task")]
    Held,
    /// This reviewer's answer is stored.
    #[error("you have answered this task")]
    Answered,
    /// This reviewer's answer is stored, and has become a label: it can be corrected no more.
    #[error("you have answered this task, and the answer counts")]
    Counted,
    /// This reviewer has answered one of its texts in another loop.
    #[error("you have answered one of these texts before")]
    Excluded,
    /// Completed, stopped, failed or deleted.
    #[error("this task is closed")]
    Closed,
}
