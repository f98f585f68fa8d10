//! Asks the person at the terminal whether a run goes on although flowswap could not tell about some tenants.

use std::sync::Arc;

use flowswap_engine::{NoOperator, Operator, OperatorReply, Pause, Ports, Question, Recording};
use futures::future::BoxFuture;

use crate::{
    display::{
        progress::Progress,
        text::{Text, text},
    },
    keyboard::{Conversation, missing_terminal},
};

/// A person who follows no run sheets, but can be asked whether a run goes on.
pub(crate) struct AtTerminal {
    progress: Arc<Progress>,
}

impl AtTerminal {
    /// The same ports, with the person at this terminal, if there is one who may be asked. `--yes` is an answer to the plan, and
    /// not to trouble: nobody may be there.
    pub(crate) fn join(may_ask: bool, progress: &Arc<Progress>, ports: Ports) -> Ports {
        if !may_ask || missing_terminal().is_some() {
            return ports;
        }
        Ports { operator: Arc::new(Self { progress: Arc::clone(progress) }), ..ports }
    }
}

impl Operator for AtTerminal {
    fn await_reply<'a>(
        &'a self,
        tenant: &'a str,
        question: &'a Question,
        recorder: &'a dyn Recording,
    ) -> BoxFuture<'a, OperatorReply> {
        NoOperator.await_reply(tenant, question, recorder)
    }

    fn is_showing(&self, _: &str) -> bool {
        false
    }

    fn notify(&self, _: &str, _: &str) {}

    fn may_go_on<'a>(&'a self, pause: &'a Pause) -> BoxFuture<'a, bool> {
        Box::pin(async {
            // Nothing runs now, so nothing draws the bars again until the person has answered.
            self.progress.make_room();
            Conversation::begin().await.ask_yes_or_no(&question(pause)).await
        })
    }
}

/// The question that a run asks before it starts further tenants.
pub(crate) fn question(pause: &Pause) -> Text {
    text!("{}. The other tenants may end the same way. Start them?", pause)
}
