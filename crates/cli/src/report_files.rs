//! Reports for people who review something: the files of `--report`, and what `--as` prints.

use std::path::{Path, PathBuf};

use flowswap_report::{Face, Report, ReportKind};

use crate::{
    display::text::text,
    exit::{Exit, Failure},
    output::{Kind, Output},
    terminal::Terminal,
};

/// Reports to write, each to a place that is fit for it.
#[derive(Debug)]
pub(crate) struct ReportFiles(Vec<ReportFile>);

#[derive(Debug)]
struct ReportFile {
    face: Face,
    output: Output,
    path: PathBuf,
}

impl ReportFiles {
    /// Checks the places before the command does anything else. None of them may be `plan`, where the plan itself goes. A report replaces
    /// only one of the same kind.
    pub(crate) fn prepare(
        kind: ReportKind,
        paths: &[PathBuf],
        plan: Option<&Path>,
        force: bool,
    ) -> Result<Self, Failure> {
        let mut files: Vec<ReportFile> = Vec::new();
        for path in paths {
            let Some(face) = Face::of_file(path) else {
                let endings = Face::ENDINGS.map(|(ending, _)| format!(".{ending}")).join(", ");
                let error = format!("the name of a report must end in {endings}, unlike `{}`", path.display());
                let hint = "to print a report to stdout, pass `--as html`";
                return Err(Failure::new(Exit::Usage, error).hint(hint));
            };
            if plan == Some(path) || files.iter().any(|file| file.path == *path) {
                let error = format!("`{}` is named twice", path.display());
                return Err(Failure::new(Exit::Usage, error).hint("name a file of its own for each report"));
            }
            let output = Output::prepare(path, Kind::Report(kind), force)?;
            files.push(ReportFile { face, output, path: path.clone() });
        }
        Ok(Self(files))
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes them all. `make` makes the report if there is a file to write.
    pub(crate) fn write<R>(&self, terminal: Terminal, make: impl FnOnce() -> R) -> Result<(), Failure>
    where
        for<'a> &'a R: Into<Report<'a>>,
    {
        if self.is_empty() {
            return Ok(());
        }
        let report = make();
        for file in &self.0 {
            let text = file.face.show(&report).map_err(Failure::at("make the report"))?;
            file.output.stream(terminal, |out| out.write_all(text.as_bytes()))?;
            terminal.say(text!("report: {}", file.path.display()));
        }
        Ok(())
    }
}

/// Prints a report to stdout.
pub(crate) fn print<'a>(terminal: Terminal, face: Face, report: impl Into<Report<'a>>) -> Result<(), Failure> {
    let text = face.show(report).map_err(Failure::at("make the report"))?;
    terminal.stream_out(|out| out.write_all(text.as_bytes()))
}
