//! `isocost completions` and `isocost man`: the command line, for shells and for readers.

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::args::{Arguments, CompletionsArguments, ManArguments};
use super::console::Console;
use super::exit::{Exit, TABLE};
use super::refusal::Refusal;

const NAME: &str = "isocost";

/// Prints completions.
///
/// # Errors
/// Standard output that cannot be written.
pub(super) fn completions(arguments: &CompletionsArguments, console: Console) -> Result<Exit, Refusal> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), NAME, &mut text);
    console.result(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Done)
}

/// Prints a manual page.
///
/// # Errors
/// A command that there is not, or standard output that cannot be written.
pub(super) fn man(arguments: &ManArguments, console: Console) -> Result<Exit, Refusal> {
    let mut whole = Arguments::command().disable_help_subcommand(true);
    whole.build();
    let command = named(&whole, &arguments.command)?.clone();
    console.result(&page(command, arguments.command.is_empty()))?;
    Ok(Exit::Done)
}

/// A command of commands by its words: `history import`.
fn named<'a>(whole: &'a Command, words: &[String]) -> Result<&'a Command, Refusal> {
    let mut found = whole;
    for (at, name) in words.iter().enumerate() {
        found = found.find_subcommand(name).ok_or_else(|| {
            let names: Vec<_> = found.get_subcommands().map(Command::get_name).collect();
            let asked = words[..=at].join(" ");
            Refusal::usage(match names.is_empty() {
                true => format!("there is no command `{asked}`: {} has none below it", words[..at].join(" ")),
                false => format!("there is no command `{asked}`; there are: {}", names.join(", ")),
            })
        })?;
    }
    Ok(found)
}

fn page(command: Command, is_whole: bool) -> String {
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = Man::new(command).manual("Isocost").render(&mut text);
    if is_whole {
        let _ = more().to_writer(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// What is true of all commands.
fn more() -> Roff {
    let mut page = Roff::new();
    page.control("SH", ["EXIT STATUS"]);
    entries(&mut page, TABLE);
    page.control("SH", ["ENVIRONMENT"]);
    entries(
        &mut page,
        &[
            ("ISOCOST_CACHE", "the same as --cache"),
            (
                "ISOCOST_LOG",
                "what else is said on standard error: off, error, warn (as without), info, debug",
            ),
            ("DOCKER_HOST", "the address of the container engine; unix:///var/run/docker.sock without"),
            ("NO_COLOR", "set to anything: no colours"),
        ],
    );
    page.control("SH", ["FILES"]);
    entries(
        &mut page,
        &[
            (
                "reports/RUN-ID/",
                "a run: journal.jsonl, run.json, samples.csv, summary.csv, plots, report.html",
            ),
            ("reports/latest", "a link to the latest of these"),
            ("~/.cache/isocost/", "kernels, base disks, accelerator decisions, states of runs"),
        ],
    );
    page
}

fn entries(page: &mut Roff, entries: &[(&str, &str)]) {
    for (name, text) in entries {
        page.control("TP", []);
        page.text([bold(*name)]);
        page.text([roman(*text)]);
    }
}
