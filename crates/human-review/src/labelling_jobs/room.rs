//! How much more a job may ask.

/// How much more may be asked.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Room {
    /// So many tasks.
    pub tasks: usize,
    /// Tasks until so many objects would be labelled by them: one may label several, of its text.
    pub labels: usize,
}

impl Room {
    /// Returns whether nothing more may be asked.
    pub fn is_none(self) -> bool {
        self.tasks == 0 || self.labels == 0
    }

    /// Takes the room of a task that labels so many objects; returns whether there was any.
    pub fn takes(&mut self, labels: usize) -> bool {
        let had_room = !self.is_none();
        self.tasks = self.tasks.saturating_sub(1);
        self.labels = self.labels.saturating_sub(labels);
        had_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_task_may_label_more_than_there_is_room_for_so_that_a_job_comes_to_its_end() {
        let mut room = Room { tasks: 5, labels: 2 };

        let taken = [room.takes(1), room.takes(4), room.takes(1)];

        assert_eq!(taken, [true, true, false]);
        assert!(room.is_none());
    }
}
