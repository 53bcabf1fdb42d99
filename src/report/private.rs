//! What people would not publish, struck out of what they do.
//!
//! A word stays only if it is known to be public: the names of the field, what our own data hold,
//! and amounts. Everything else is replaced by a stand-in, the same everywhere in one report, so that
//! one sees which two are one. A list of secrets would always lack one; what an allow list lacks
//! costs a word that somebody has to ask for. A stand-in is a number and no hash, from which whoever
//! guesses a name could tell that it is the one.
//!
//! Messages stay, since of what cannot be built or read they are all there is. In them the words of
//! the rules' pages are public too, but not between backticks, not in a path, and not where a
//! file, a directory or an object of the repository is called so.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use indexmap::IndexMap;
use regex::{Captures, Regex};
use serde_json::Value as Json;

use crate::{
    data::{flags, public},
    rules, settings,
};

/// Words that may stand anywhere.
static PUBLIC: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let words = public::words().chain(flags::names()).map(str::to_owned);
    let names = settings::names().into_iter().chain(rules::RULES.iter().map(|it| it.id.to_owned()));
    words.chain(names).filter(|it| !it.is_empty()).collect()
});

/// Further words of our own sentences, in small letters.
static SENTENCES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let pages = rules::RULES.iter().flat_map(|rule| {
        // Examples hold names that people have, too.
        rule.source.split("```").step_by(2)
    });
    let words = pages.flat_map(|it| it.split(|it: char| !it.is_ascii_alphabetic() && it != '-'));
    let words = words.map(|it| it.trim_matches('-')).chain(public::of_sentences());
    words.filter(|it| !it.is_empty()).map(str::to_lowercase).collect()
});

/// Addresses, and what else stands between blanks and signs.
static TOKEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x) (?<login> [^\s/@:`]+ : [^\s/@`]+ @ )
             | (?<address> [0-9A-Fa-f:]*::[0-9A-Fa-f:]*
                         | (?:[0-9A-Fa-f]{1,4}:){3,}[0-9A-Fa-f:]*
                         | [0-9]+(?:\.[0-9]+){3,} )
             | (?: [A-Za-z0-9_.+-] | [^\x00-\x7F] | %[0-9A-Fa-f]{2} )+",
    )
    .ok()
});

/// Quantities, durations, versions and numbers.
static AMOUNT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^(?: (?:[0-9]+(?:\.[0-9]+)?(?:[numkMGTPE]|[KMGTPE]i|[nuµm]s|[smhd]|MB|GB|mb|gb)?)+
                 | [0-9]+(?:\.[0-9]+)?[eE][0-9]{1,2}
                 | v[0-9]+(?:alpha|beta)[0-9]+
                 | v?[0-9]{1,4}(?:\.(?:[0-9]{1,4}|x)){0,2}
                   (?:[-+](?:alpha|beta|rc|k3s|rke2r|rke|eksbuild|gke|r|debian-[0-9]{2}-r)\.?[0-9]{0,8}){0,2}
             )$",
    )
    .ok()
});

/// More digits than that are of an account.
const DIGITS: usize = 10;

/// What stand-ins are called by, before their number.
const KINDS: &[&str] =
    &["addr", "dir", "env", "file", "host", "name", "namespace", "number", "value", "word"];

/// What holds sentences of ours.
const SAID: &[&str] = &["message", "why", "help", "text", "notes", "local"];

/// What holds nothing but words of ours.
const OURS: &[&str] =
    &["rule", "severity", "state", "via", "carrier", "applicability", "format", "target"];

/// Stand-ins by what they stand for.
#[derive(Debug, Default)]
pub(super) struct StandIns<'a> {
    /// What the user says is public.
    kept: BTreeSet<&'a str>,
    /// What things of the repository are called.
    names: BTreeSet<String>,
    /// The private words that were met.
    of: IndexMap<String, String>,
    counts: BTreeMap<&'static str, usize>,
}

impl<'a> StandIns<'a> {
    /// For a repository in which things have these `names`.
    pub(super) fn new(kept: &'a [String], names: impl Iterator<Item = &'a str>) -> Self {
        let token = TOKEN.as_ref();
        let names =
            names.flat_map(|it| token.into_iter().flat_map(move |token| token.find_iter(it)));
        let names = names.map(|it| parted(it.as_str()).0);
        let names = names.filter(|it| !PUBLIC.contains(*it)).map(str::to_lowercase).collect();
        let kept = kept.iter().map(|it| &**it).collect();
        Self { kept, names, ..Self::default() }
    }

    /// How many words are struck out, by what they are.
    pub(super) fn counts(&self) -> &BTreeMap<&'static str, usize> {
        &self.counts
    }

    /// `value`, which stands at `key`, without private words.
    pub(super) fn strike(&mut self, key: &str, value: &mut Json) {
        match value {
            Json::Object(members) => {
                members.iter_mut().for_each(|(key, it)| self.strike(key, it));
            }
            Json::Array(items) => items.iter_mut().for_each(|it| self.strike(key, it)),
            Json::String(text) if !OURS.contains(&key) => *text = self.text(key, text),
            Json::Number(it) if it.to_string().len() > DIGITS => {
                *value = self.stand_in(&it.to_string(), "number").into();
            }
            Json::String(_) | Json::Number(_) | Json::Bool(_) | Json::Null => {}
        }
    }

    fn text(&mut self, key: &str, text: &str) -> String {
        let kind = match key {
            "namespace" => "namespace",
            "name" | "subject" => "name",
            "environments" => "env",
            _ if SAID.contains(&key) => "word",
            _ => "value",
        };
        let Some(token) = &*TOKEN else { return self.stand_in(text, kind) };
        // Whether the token is between backticks, and up to where these were counted.
        let (mut is_quoted, mut counted) = (false, 0);
        let replaced = token.replace_all(text, |token: &Captures<'_>| {
            let Some(whole) = token.get(0) else { return String::new() };
            if token.name("login").is_some() {
                return self.stand_in(whole.as_str().trim_end_matches('@'), "value") + "@";
            }
            if token.name("address").is_some() {
                return self.stand_in(whole.as_str(), "addr");
            }
            let (before, after) = (&text[..whole.start()], &text[whole.end()..]);
            is_quoted ^= text[counted..whole.start()].matches('`').count() % 2 == 1;
            counted = whole.start();
            let is_said = SAID.contains(&key)
                && !is_quoted
                // A flag is somebody's, with or without backticks.
                && !whole.as_str().starts_with('-')
                && !before.ends_with(['/', '=', '@', '$', '{', ':'])
                && !after.starts_with(['/', '=', '@', '}']);
            let (word, end) = parted(whole.as_str());
            let is_file = end.len() > 1 && end.starts_with('.');
            // A file is one of the repository, whatever it is called.
            let is_said = is_said && !is_file && !(self.is_called(word) && is_name(before, after));
            if self.stays(word) || is_said && SENTENCES.contains(&word.to_lowercase()) {
                return whole.as_str().to_owned();
            }
            let is_host = before.ends_with("//") || before.ends_with('@');
            let kind = match () {
                () if after.starts_with('/') && !is_host => "dir",
                () if is_file => "file",
                () if word.contains('.') => "host",
                () => kind,
            };
            let (start, _) = whole.as_str().split_once(word).unwrap_or_default();
            format!("{start}{}{end}", self.stand_in(word, kind))
        });
        replaced.into_owned()
    }

    /// Whether `word` may stay here: it is known, an amount, or put together of such.
    fn stays(&self, word: &str) -> bool {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let is_known = |it: &str| self.kept.contains(it) || PUBLIC.contains(it);
        // What public words are put together to; `ip-10-0-0-1` is an address.
        let is_compound = || {
            let (numbers, parts): (Vec<&str>, Vec<&str>) =
                word.split(['-', '_', '.']).partition(|it| it.parse::<u16>().is_ok());
            !parts.is_empty()
                && numbers.len() < 2
                && parts.iter().all(|it| is_known(it) || is_known(&it.to_lowercase()))
                // As a stand-in is made.
                && (numbers.is_empty() || !KINDS.contains(&parts[0]))
        };
        let is_amount = |it: &str| AMOUNT.as_ref().is_some_and(|amount| amount.is_match(it));
        // Of a chart or an image.
        let is_versioned = || {
            word.rsplit_once('-').is_some_and(|(stem, version)| {
                version.contains('.') && is_known(stem) && is_amount(version)
            })
        };
        word.len() < 2 && word.is_ascii()
            || is_known(word)
            || is_versioned()
            || (1..=DIGITS).contains(&digits) && is_amount(word)
            || is_compound()
    }

    /// Whether something is called so.
    fn is_called(&self, word: &str) -> bool {
        self.names.contains(&word.to_lowercase()) || self.of.contains_key(word)
    }

    fn stand_in(&mut self, word: &str, kind: &'static str) -> String {
        let Self { of, counts, .. } = self;
        let new = || {
            let count = counts.entry(kind).or_default();
            *count += 1;
            format!("{kind}-{count}")
        };
        of.entry(word.to_owned()).or_insert_with(new).clone()
    }
}

/// Whether a name stands between the two parts of a sentence: after what is called so, or alone in
/// parentheses. Elsewhere a word is one of ours, and whoever knows the sentence could tell what a
/// stand-in stands for.
fn is_name(before: &str, after: &str) -> bool {
    const NAMED: &[&str] = &[
        "chart",
        "class",
        "container",
        "environment",
        "group",
        "namespace",
        "no",
        "pool",
        "remove",
        "use",
        "value",
        "variable",
    ];
    let last = before.trim_end().rsplit(' ').next().unwrap_or_default();
    let is_kind = last.starts_with(|it: char| it.is_ascii_uppercase()) && PUBLIC.contains(last);
    is_kind || NAMED.contains(&last) || before.ends_with('(') && after.starts_with(')')
}

/// Whether `word` says nothing of whoever uses it.
pub(super) fn is_public(word: &str) -> bool {
    PUBLIC.contains(word)
}

/// A token without the signs around it, and what comes after: the ends of a file's name, a full stop.
fn parted(token: &str) -> (&str, &str) {
    let bare = token.trim_start_matches(['-', '.', '+', '_']);
    let mut word = bare.trim_end_matches(['-', '.', '+', '_']);
    while let Some((stem, end)) = word.rsplit_once('.')
        && public::EXTENSIONS.contains(&end)
        && !stem.is_empty()
    {
        word = stem;
    }
    (word, &bare[word.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(key: &str, text: &str) -> String {
        let names = ["nothing/orders.yaml"].into_iter();
        StandIns::new(&["kept-word".to_owned()], names).text(key, text)
    }

    #[test]
    fn what_is_not_known_to_be_public_is_private() {
        for (text, told) in [
            ("10.20.30.40/24", "addr-1/24"),
            ("v10.20.30.40 ip-10-20-30-40", "host-1 value-1"),
            ("fe80::1:ab 00:16:3e:5b:4c:1a", "addr-1 addr-2"),
            ("arn:aws:iam::123456789012:role/x", "value-1:value-2:value-3addr-1role/x"),
            ("1234-5678-9012 12345678901", "value-1 value-2"),
            ("joe@acme.example", "value-1@host-1"),
            ("https://admin:12345678@prod.acme.example/x", "https://value-1@host-1/x"),
            ("%61%63%6d%65 80%", "value-1 80%"),
            ("acme-prod acme-prod prod", "value-1 value-1 prod"),
            ("ACME_TOKEN METRICS_SERVER_MEMORY_LIMIT", "value-1 METRICS_SERVER_MEMORY_LIMIT"),
            ("clusters/acme/acme.sops.yaml", "clusters/dir-1/dir-1.sops.yaml"),
            ("--acme=--kubelet-insecure-tls", "--value-1=--kubelet-insecure-tls"),
            (
                "v0.8.0-acme v1.33.4+k3s1 v0.8.0-debian-12-r3",
                "host-1 v1.33.4+k3s1 v0.8.0-debian-12-r3",
            ),
            ("600Mi 1h30m 250m 0.5 1e9 80% 3.12.x", "600Mi 1h30m 250m 0.5 1e9 80% 3.12.x"),
            ("dir-1 kept-word", "value-1 kept-word"),
            ("metrics-server-3.12.2 acme-3.12.2", "metrics-server-3.12.2 host-1"),
            (
                "registry.k8s.io/acme/metrics-server:v0.8.0",
                "registry.k8s.io/dir-1/metrics-server:v0.8.0",
            ),
        ] {
            assert_eq!(struck("value", text), told, "{text}");
        }
    }

    #[test]
    fn a_sentence_is_ours_and_what_it_is_about_is_not() {
        for (text, told) in [
            ("there is no file `orders` here", "there is no file `word-1` here"),
            ("Kustomization nothing has nothing", "Kustomization word-1 has nothing"),
            ("(acme/x.yaml:3) is set", "(dir-1/x.yaml:3) is set"),
            ("it has no flag --nothing", "it has no flag --word-1"),
            ("`nothing` has nothing, `nothing` too", "`word-1` has nothing, `word-1` too"),
        ] {
            assert_eq!(struck("message", text), told, "{text}");
        }
    }
}
