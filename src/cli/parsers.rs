//! Values of options that shells complete.

use std::{ffi::OsStr, path::PathBuf};

use clap::{
    Subcommand as _, ValueEnum,
    builder::{EnumValueParser, PossibleValue, StringValueParser, TypedValueParser},
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{Command, Format, OutputTarget, formats};
use crate::{config, finding::Severity, selection::RuleSelector};

/// The value of `--format`: `sarif`, or `sarif:results.sarif`. Shells complete the formats that it has.
#[derive(Clone)]
pub(super) struct OutputParser(pub(super) &'static [Format]);

impl TypedValueParser for OutputParser {
    type Value = OutputTarget;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<OutputTarget, clap::Error> {
        let Some(text) = value.to_str() else {
            return Err(clap::Error::new(ErrorKind::InvalidUtf8).with_cmd(command));
        };
        let (format, file) = match text.split_once(':') {
            Some((format, file)) => (format, Some(file).filter(|it| !matches!(*it, "" | "-"))),
            None => (text, None),
        };
        let parsed = EnumValueParser::new().parse_ref(command, argument, format.as_ref());
        let format = parsed.map_err(|mut error| {
            // What only other commands have is no help.
            if let own @ [_, _, ..] = formats(command.get_name()) {
                let names = own.iter().filter_map(ValueEnum::to_possible_value);
                let names = names.map(|it| it.get_name().to_owned()).collect();
                error.insert(ContextKind::ValidValue, ContextValue::Strings(names));
            }
            error
        })?;
        Ok(OutputTarget { format, file: file.map(PathBuf::from) })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().filter_map(ValueEnum::to_possible_value)))
    }
}

/// The value of what names rules; shells complete it.
#[derive(Clone)]
pub(super) struct RuleParser;

impl TypedValueParser for RuleParser {
    type Value = RuleSelector;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<RuleSelector, clap::Error> {
        RuleSelector::parse.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = RuleSelector::names().into_iter();
        Some(Box::new(names.map(|(name, title)| PossibleValue::new(name).help(title))))
    }
}

/// The value of what names a severity; shells complete it.
#[derive(Clone)]
pub(super) struct SeverityParser;

impl SeverityParser {
    const NAMES: [&str; 3] = ["error", "warning", "note"];

    fn parse(text: &str) -> Result<Severity, String> {
        let names = Self::NAMES;
        let near = || config::meant(text).filter(|it| names.contains(it));
        Severity::parse(text).ok_or_else(|| match near() {
            Some(near) => format!("it is none of {}; write `{near}`", names.join(", ")),
            None => format!("it is none of {}", names.join(", ")),
        })
    }
}

impl TypedValueParser for SeverityParser {
    type Value = Severity;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Severity, clap::Error> {
        Self::parse.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Self::NAMES.into_iter().map(PossibleValue::new)))
    }
}

/// The value of what names a command; shells complete it.
#[derive(Clone)]
pub(super) struct CommandParser;

impl TypedValueParser for CommandParser {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let all = Command::augment_subcommands(clap::Command::default());
        let names: Vec<String> = all.get_subcommands().map(|it| it.get_name().to_owned()).collect();
        Some(Box::new(names.into_iter().map(PossibleValue::new)))
    }
}
