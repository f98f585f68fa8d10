//! `flowswap record`: runs another command, and records what flowswap and the plugins say to each other.

use flowswap_recording::{Recorded, Recorder};
use flowswap_report::number;

use crate::{
    args::{Command, Recording},
    context::Context,
    display::text::text,
    exit::{Exit, Failure},
    output::{Kind, Output},
    terminal::{Tone, paint},
};

/// Runs the command, and keeps its exit code.
pub(crate) async fn run(context: Context, command: Command, recording: Recording) -> Result<Exit, Failure> {
    if matches!(command, Command::Record(_)) {
        return Err(refuse_twice());
    }
    let terminal = context.terminal;
    let path = recording.output.display();
    let file = Output::create(&recording.output, Kind::Recording)?.open_new()?;
    let doing = || Failure::at(format!("write the recording `{path}`"));
    let recorder = Recorder::begin(file, env!("CARGO_PKG_VERSION"), recording.command).map_err(doing())?;
    let context = Context { listen: Some(recorder.listen()), ..context };
    let ended = super::run(context, command).await;
    match recorder.finish() {
        Ok(Recorded { processes: 0, .. }) => {
            terminal.say(paint(Tone::Care, text!("`{}` has no message: the command started no plugin", path)));
        }
        Ok(Recorded { processes, messages }) => terminal.say(text!(
            "recording: {} ({} with {})\nread it before you send it: it has no secret, but it has domains, names, and ids",
            path,
            number(messages, "message", "messages"),
            number(processes, "plugin process", "plugin processes")
        )),
        Err(error) => {
            let failure = doing()(error).hint("the command itself ran to its end; only the recording is incomplete");
            // The failure of the command matters more.
            if ended.is_ok() {
                return Err(failure);
            }
            terminal.show_failure(&failure);
        }
    }
    ended
}

/// A recording of a recording.
pub(crate) fn refuse_twice() -> Failure {
    Failure::new(Exit::Usage, "`record` cannot record itself").hint("flowswap record -o FILE COMMAND")
}
