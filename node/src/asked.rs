//! Questions of off-chain workers that take longer than a worker may: it only looks whether the answer is there, and asks
//! again at the next block. A task of the node finds the answer.
//!
//! One question is open at a time, the newest: what was asked before it is of no use to the chain any more.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::sync::Notify;

/// Pause before a question is tried again that had no answer.
const RETRY: Duration = Duration::from_secs(2);

/// The question that is open, and the last answer.
#[derive(Debug)]
pub struct Asked<Question, Answer> {
    state: Mutex<State<Question, Answer>>,
    wake: Notify,
    retry: Duration,
}

#[derive(Debug)]
struct State<Question, Answer> {
    wanted: Option<Question>,
    answered: Option<(Question, Answer)>,
}

impl<Question, Answer> Default for Asked<Question, Answer> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                wanted: None,
                answered: None,
            }),
            wake: Notify::new(),
            retry: RETRY,
        }
    }
}

impl<Question: Clone + PartialEq, Answer: Clone> Asked<Question, Answer> {
    /// The answer, if it is there. Otherwise it will be.
    ///
    /// It is found once: where there can be more to say later, the question must be another one.
    pub fn ask(&self, question: &Question) -> Option<Answer> {
        let mut state = self.state.lock();
        if let Some((answered, answer)) = &state.answered
            && answered == question
        {
            return Some(answer.clone());
        }
        if state.wanted.as_ref() != Some(question) {
            state.wanted = Some(question.clone());
            self.wake.notify_one();
        }
        None
    }

    /// Has `find` answer what is asked, one question at a time, for ever. When it finds nothing it is called again after a
    /// pause, or once something else is asked.
    pub async fn run<Finding>(&self, find: impl Fn(Question) -> Finding)
    where
        Finding: Future<Output = Option<Answer>>,
    {
        loop {
            let wanted = self.state.lock().wanted.clone();
            let Some(question) = wanted else {
                self.wake.notified().await;
                continue;
            };
            let Some(answer) = find(question.clone()).await else {
                tokio::select! {
                    () = self.wake.notified() => {}
                    () = tokio::time::sleep(self.retry) => {}
                }
                continue;
            };
            let mut state = self.state.lock();
            if state.wanted.as_ref() == Some(&question) {
                state.wanted = None;
            }
            state.answered = Some((question, answer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    /// Somebody who answers numbers with texts when the test says so.
    struct Oracle {
        asked: Arc<Asked<u32, String>>,
        /// What it is asked.
        heard: UnboundedReceiver<u32>,
        /// What it shall say.
        say: UnboundedSender<Option<&'static str>>,
        task: tokio::task::JoinHandle<()>,
    }

    impl Oracle {
        fn new() -> Self {
            let asked = Arc::new(Asked {
                retry: Duration::ZERO,
                ..Asked::default()
            });
            let (hear, heard) = unbounded_channel();
            let (say, said) = unbounded_channel::<Option<&'static str>>();
            let said = Arc::new(tokio::sync::Mutex::new(said));
            let served = asked.clone();
            let task = tokio::spawn(async move {
                served
                    .run(|question| {
                        hear.send(question).unwrap();
                        let said = said.clone();
                        async move { said.lock().await.recv().await.unwrap().map(str::to_owned) }
                    })
                    .await;
            });
            Self {
                asked,
                heard,
                say,
                task,
            }
        }

        async fn hears(&mut self, question: u32) {
            assert_eq!(self.heard.recv().await, Some(question));
        }

        /// Answers what it was asked last, and waits until it is asked for something else.
        async fn says(&mut self, answer: Option<&'static str>, next: u32) {
            self.say.send(answer).unwrap();
            self.hears(next).await;
        }
    }

    impl Drop for Oracle {
        fn drop(&mut self) {
            self.task.abort();
        }
    }

    #[tokio::test]
    async fn the_newest_question_wins() {
        let mut oracle = Oracle::new();
        assert_eq!(oracle.asked.ask(&1), None);
        oracle.hears(1).await;
        // While the first is being answered, others come.
        for question in [2, 3, 4] {
            assert_eq!(oracle.asked.ask(&question), None);
        }
        oracle.says(Some("one"), 4).await;
        assert_eq!(oracle.asked.ask(&1).as_deref(), Some("one"));
        oracle.asked.ask(&5);
        oracle.says(Some("four"), 5).await;
        assert_eq!(oracle.asked.ask(&4).as_deref(), Some("four"));
        assert!(oracle.heard.is_empty());
    }

    #[tokio::test]
    async fn an_answer_is_given_to_its_question_only() {
        let mut oracle = Oracle::new();
        oracle.asked.ask(&1);
        oracle.hears(1).await;
        oracle.asked.ask(&2);
        oracle.says(Some("one"), 2).await;
        assert_eq!(oracle.asked.ask(&2), None);
        assert_eq!(oracle.asked.ask(&1).as_deref(), Some("one"));
        oracle.asked.ask(&3);
        oracle.says(Some("two"), 3).await;
        assert_eq!(oracle.asked.ask(&3), None);
        assert_eq!(oracle.asked.ask(&2).as_deref(), Some("two"));
        // What is answered is not tried again.
        assert_eq!(oracle.asked.state.lock().wanted, Some(3));
        oracle.asked.ask(&3);
        oracle.asked.ask(&2);
        assert_eq!(oracle.asked.state.lock().wanted, Some(3));
        assert!(oracle.heard.is_empty());
    }

    #[tokio::test]
    async fn what_had_no_answer_is_tried_again_until_something_else_is_asked() {
        let mut oracle = Oracle::new();
        oracle.asked.ask(&1);
        oracle.hears(1).await;
        for _ in 0..3 {
            oracle.says(None, 1).await;
            assert_eq!(oracle.asked.ask(&1), None);
        }
        oracle.asked.ask(&2);
        oracle.says(None, 2).await;
        oracle.asked.ask(&3);
        oracle.says(Some("two"), 3).await;
        assert_eq!(oracle.asked.ask(&2).as_deref(), Some("two"));
        assert_eq!(oracle.asked.ask(&1), None);
    }
}
