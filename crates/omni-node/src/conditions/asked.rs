//! A sensor that may take long to answer.

use std::{
    fmt,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel},
    thread,
    time::Duration,
};

use omni_core::governor::Signal;

/// Asks a source on a thread of its own and waits for a bounded time. While the source has not
/// answered an old question it is not asked a new one, so that a source that hangs costs one parked
/// thread and no waiting.
pub(super) struct Asked<T> {
    questions: SyncSender<()>,
    answers: Receiver<Option<T>>,
    unanswered: bool,
}

impl<T> fmt::Debug for Asked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked")
            .field("unanswered", &self.unanswered)
            .finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Asked<T> {
    /// Takes the source to a thread with this name. When the system starts no thread, every answer
    /// is [`Signal::Unavailable`].
    pub(super) fn new(name: &str, mut source: impl FnMut() -> Option<T> + Send + 'static) -> Self {
        let (questions, asked) = sync_channel::<()>(1);
        let (answer, answers) = sync_channel(1);
        let run = move || {
            while asked.recv().is_ok() && answer.send(source()).is_ok() {}
        };
        if let Err(error) = thread::Builder::new().name(name.into()).spawn(run) {
            tracing::warn!(%error, name, "sensor does not start");
        }
        Self {
            questions,
            answers,
            unanswered: false,
        }
    }

    /// What the source says now, if it says so within `wait`.
    pub(super) fn ask(&mut self, wait: Duration) -> Signal<T> {
        if self.unanswered {
            match self.answers.try_recv() {
                // Too old to be believed.
                Ok(_) => self.unanswered = false,
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => {
                    return Signal::Unavailable;
                }
            }
        }
        if self.questions.try_send(()).is_err() {
            return Signal::Unavailable;
        }
        match self.answers.recv_timeout(wait) {
            Ok(answer) => answer.into(),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                self.unanswered = true;
                Signal::Unavailable
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(10);

    #[test]
    fn answers_are_passed_on_in_order() {
        let mut values = [Some(1), None, Some(3)].into_iter();
        let mut asked = Asked::new("test", move || values.next().flatten());
        assert_eq!(asked.ask(LONG), Signal::Known(1));
        assert_eq!(asked.ask(LONG), Signal::Unavailable);
        assert_eq!(asked.ask(LONG), Signal::Known(3));
    }

    #[test]
    fn a_source_that_hangs_is_waited_for_once_and_its_old_answer_is_not_used() {
        let (release, held) = sync_channel::<u32>(1);
        let (answered, is_answered) = sync_channel(1);
        let mut asked = Asked::new("test", move || {
            let value = held.recv().ok();
            answered.send(()).unwrap();
            value
        });
        assert_eq!(asked.ask(SHORT), Signal::Unavailable);
        let begin = Instant::now();
        assert_eq!(asked.ask(LONG), Signal::Unavailable);
        assert!(begin.elapsed() < LONG, "it does not wait again");
        release.send(1).unwrap();
        is_answered.recv_timeout(LONG).unwrap();
        release.send(2).unwrap();
        let begin = Instant::now();
        loop {
            match asked.ask(LONG) {
                Signal::Known(value) => break assert_eq!(value, 2, "1 was too late"),
                Signal::Unavailable => assert!(begin.elapsed() < LONG),
            }
            thread::yield_now();
        }
    }

    #[test]
    fn a_source_that_dies_is_unavailable_for_good() {
        let mut asked = Asked::<u32>::new("test", || {
            std::panic::resume_unwind(Box::new("the source fails"))
        });
        assert_eq!(asked.ask(LONG), Signal::Unavailable);
        assert_eq!(asked.ask(LONG), Signal::Unavailable);
    }
}
