//! The page of commands lists what the program takes, and every command of the pages is one that it takes.

use clap::{Arg, Command};

use crate::markdown::{Block, Kind, code_spans, guide_page, pages};

const PAGE: &str = "reference/cli.md";
const CALL: &str = "cargo run --release";

#[test]
fn every_command_has_a_section_with_each_of_its_options_and_defaults() {
    let program = program();
    let page = guide_page(PAGE);

    let mut missing = Vec::new();
    for command in program.get_subcommands().filter(|it| it.get_name() != "help") {
        let name = command.get_name();
        let Some(section) = page.section(&format!("`{name}`")) else {
            if !command.is_hide_set() {
                missing.push(format!("## `{name}`"));
            }
            continue;
        };
        missing.extend(undescribed(command, &section).map(|what| format!("{name}: {what}")));
    }
    let general = page.section("Command line").expect("the page has a title");
    missing.extend(undescribed(&program, &general).map(|what| format!("every command: {what}")));

    assert!(missing.is_empty(), "{PAGE} lacks:\n{}", missing.join("\n"));
}

#[test]
fn no_command_or_option_is_described_that_the_program_does_not_have() {
    let program = program();
    let mut unknown = Vec::new();
    let mut command = &program;
    for block in guide_page(PAGE).blocks() {
        match block.kind {
            Kind::Heading(heading) if heading.starts_with('`') => {
                let name = heading.trim_matches('`');
                match program.find_subcommand(name) {
                    Some(found) => command = found,
                    None => unknown.push(format!("command {heading}")),
                }
            }
            Kind::Row(cells) => {
                let options = code_spans(&cells[0])
                    .into_iter()
                    .filter(|it| it.starts_with("--"));
                for option in options.filter(|option| !has_option(command, option)) {
                    unknown.push(format!("{}: {option}", command.get_name()));
                }
            }
            _ => {}
        }
    }

    assert!(
        unknown.is_empty(),
        "{PAGE} describes what is not there:\n{}",
        unknown.join("\n")
    );
}

#[test]
fn every_command_of_the_pages_is_one_that_the_program_takes() {
    let mut refused = Vec::new();
    let mut tried = 0;
    for page in pages() {
        for command in commands_of(&page.blocks()) {
            tried += 1;
            let words = std::iter::once("active-learning".to_owned()).chain(words(&command));
            if let Err(error) = program().try_get_matches_from(words) {
                refused.push(format!("{}: {CALL} {command}\n{error}", page.path.display()));
            }
        }
    }

    assert!(refused.is_empty(), "refused:\n{}", refused.join("\n"));
    assert!(tried > 30, "only {tried} commands were found");
}

fn program() -> Command {
    let mut program = active_learning_cli::cli::command();
    program.build();
    program
}

/// Returns the arguments that a section does not describe, in words.
fn undescribed<'a>(command: &'a Command, section: &'a [Block]) -> impl Iterator<Item = String> + 'a {
    let is_global = command.get_name() == "active-learning";
    let own = command.get_arguments().filter(move |argument| {
        let id = argument.get_id();
        (is_global || !argument.is_global_set()) && id != "version" && (is_global || id != "help")
    });
    own.filter(|argument| !argument.is_hide_set() && !describes(section, argument))
        .map(|argument| match argument.get_long() {
            Some(long) => format!("`--{long}`, default {:?}", argument.get_default_values()),
            None => format!("`{}`", value_name(argument)),
        })
}

fn describes(section: &[Block], argument: &Arg) -> bool {
    let Some(long) = argument.get_long() else {
        let name = value_name(argument);
        return section
            .iter()
            .any(|block| matches!(&block.kind, Kind::Prose(text) if text.contains(&name)));
    };
    let defaults = argument.get_default_values().join(std::ffi::OsStr::new(","));
    let defaults = defaults.to_string_lossy();
    let takes_values = argument.get_action().takes_values();
    section.iter().any(|block| match &block.kind {
        Kind::Row(cells) => {
            let is_it = code_spans(&cells[0])
                .into_iter()
                .any(|span| option_name(span) == long);
            is_it && (!takes_values || cells.iter().any(|cell| cell.contains(&*defaults)))
        }
        _ => false,
    })
}

fn value_name(argument: &Arg) -> String {
    let names = argument
        .get_value_names()
        .unwrap_or_default()
        .iter()
        .map(|name| name.to_string());
    names.collect::<Vec<_>>().join(" ")
}

fn has_option(command: &Command, span: &str) -> bool {
    let mut longs = command.get_arguments().filter_map(Arg::get_long);
    longs.any(|long| long == option_name(span))
}

/// Returns the name in `--name VALUE`.
fn option_name(span: &str) -> &str {
    let name = span.split(' ').next().unwrap_or_default();
    name.trim_start_matches("--")
}

/// Returns what follows the call of the program in shell blocks and code spans.
fn commands_of(blocks: &[Block]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for block in blocks {
        match &block.kind {
            Kind::Code { language, text } if language == "sh" => {
                let joined = text.replace("\\\n", " ");
                lines.extend(joined.lines().map(str::to_owned));
            }
            Kind::Prose(text) => lines.extend(code_spans(text).into_iter().map(str::to_owned)),
            Kind::Row(cells) => {
                for cell in cells {
                    lines.extend(code_spans(cell).into_iter().map(str::to_owned));
                }
            }
            Kind::Code { .. } | Kind::Heading(_) => {}
        }
    }
    let calls = lines.iter().filter_map(|line| line.trim().strip_prefix(CALL));
    // What stands for any command is none.
    let real = calls.filter(|call| !call.contains("COMMAND"));
    real.map(|call| call.trim().trim_start_matches("-- ").to_owned())
        .collect()
}

/// Splits a command as a shell does, as far as the pages go: quotes, comments, pipes and redirections.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for letter in command.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (Some(_), _) => word.push(letter),
            (None, '"' | '\'') => quote = Some(letter),
            (None, '#' | '|' | '>') if word.is_empty() => break,
            (None, ' ') => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            (None, _) => word.push(letter),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
