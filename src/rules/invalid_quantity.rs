use std::fmt::Display;

use crate::{
    finding::{Change, Findings, Severity},
    model::{Cluster, Cpu, Fact, Memory, MetricsServerFacts, Resources},
    sizing::{self, MemoryNeeds},
    tree::Origin,
};

pub(super) fn check(cluster: &Cluster, findings: &mut Findings) {
    for server in &cluster.metrics_servers {
        let needed = sizing::needed(cluster).filter(|_| server.resizer.is_none());
        let MetricsServerFacts { cpu_request, cpu_limit, memory_request, memory_limit, .. } =
            &server.facts;
        let own = amounts(cpu_request, cpu_limit, memory_request, memory_limit);
        report(&server.anchor, &server.subject(), own, needed.as_ref(), findings);
        for container in &server.beside {
            let Resources { cpu_request, cpu_limit, memory_request, memory_limit } =
                &container.resources;
            let its = amounts(cpu_request, cpu_limit, memory_request, memory_limit);
            let subject = format!("{} {}", server.subject(), container.name);
            report(&container.anchor, &subject, its, None, findings);
        }
    }
}

/// The amounts of a container, each with what it is.
fn amounts<'a>(
    cpu_request: &'a Fact<Cpu>,
    cpu_limit: &'a Fact<Cpu>,
    memory_request: &'a Fact<Memory>,
    memory_limit: &'a Fact<Memory>,
) -> [(&'static str, Written<'a>); 4] {
    [
        ("CPU request", amount(cpu_request)),
        ("CPU limit", amount(cpu_limit)),
        ("memory request", amount(memory_request)),
        ("memory limit", amount(memory_limit)),
    ]
}

/// An amount as it is written, where it is, and whether Kubernetes takes it.
type Written<'a> = Option<(String, &'a Origin, bool)>;

/// Whether Kubernetes takes an amount of memory that nobody means.
fn mistaken(text: &str) -> Option<(&'static str, &'static str)> {
    match () {
        // `m` is a thousandth, of a byte too.
        () if text.ends_with('m') => Some(("milli", "in thousandths of a byte")),
        () if Memory::parse(text)?.lacks_unit() => Some(("bytes", "in bytes: its unit is missing")),
        () => None,
    }
}

fn amount<T: Display>(fact: &Fact<T>) -> Written<'_> {
    match fact {
        Fact::Known(amount, origin) => Some((amount.to_string(), origin, true)),
        Fact::Invalid { text, origin, .. } => Some((text.clone(), origin, false)),
        Fact::Absent(_) | Fact::Unknown(..) => None,
    }
}

fn report(
    anchor: &Origin,
    subject: &str,
    amounts: [(&str, Written<'_>); 4],
    needed: Option<&MemoryNeeds>,
    findings: &mut Findings,
) {
    for (what, written) in amounts {
        let Some((text, origin, taken)) = written else { continue };
        let is_memory = what.starts_with("memory");
        let (variant, message) = match (taken, is_memory.then(|| mistaken(&text)).flatten()) {
            (false, _) => ("refused", format!("Kubernetes refuses `{text}` as a {what}")),
            (true, Some((variant, is))) => (variant, format!("a {what} of {text} is {is}")),
            (true, None) => continue,
        };
        let meant = meant(&text, is_memory);
        let finding = findings
            .at(&origin.or(anchor), &format!("{subject} {what}"), message)
            .variant(variant)
            .help(match &meant {
                Some(meant) => format!("write {meant}"),
                None if is_memory => "write an amount such as 200Mi".to_owned(),
                None => "write an amount such as 100m or 0.1".to_owned(),
            });
        // The unit that memory is given in by nearly everybody.
        let likely = meant.as_deref().and_then(|it| it.split(' ').next());
        // What is too little for the cluster nobody meant, or is to be another amount all the same.
        let suffices = |it: &&str| match (what, needed, Memory::parse(it)) {
            ("memory request", Some(needed), Some(amount)) => amount >= needed.request,
            ("memory limit", Some(needed), Some(amount)) => amount >= needed.limit,
            _ => true,
        };
        if let Some(likely) = likely.filter(suffices) {
            finding.unsafe_fix(&[what, "containers_beside"], [Change::value(origin, likely)]);
        }
        if taken {
            finding.at_most(Severity::Warning);
        }
    }
}

/// The amount that somebody meant: with the suffix that Kubernetes has for the unit.
fn meant(text: &str, is_memory: bool) -> Option<String> {
    let text: String = text.chars().filter(|it| !it.is_whitespace()).collect();
    let end = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if number.is_empty() || number.contains("..") {
        return None;
    }
    let unit = unit.to_ascii_lowercase();
    if !is_memory {
        let is_milli = ["m", "mi", "mcpu", "millicores"].contains(&&*unit);
        let is_whole = ["", "cpu", "cpus", "core", "cores"].contains(&&*unit);
        return match (is_milli, is_whole) {
            (true, _) => Some(format!("{number}m")),
            (_, true) => Some(number.to_owned()),
            _ => None,
        };
    }
    if unit.is_empty() {
        return Some(format!("{number}Mi (or {number}M)"));
    }
    let letter = unit.chars().next().filter(|it| "kmgt".contains(*it))?;
    let is_unit = ["", "b", "i", "ib", "bytes"].contains(&unit.get(1..)?);
    let letter = letter.to_ascii_uppercase();
    let decimal = if letter == 'K' { 'k' } else { letter };
    is_unit.then(|| format!("{number}{letter}i (or {number}{decimal})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant() {
        let memory = |text| meant(text, true).unwrap_or_default();
        assert_eq!(memory("256MB"), "256Mi (or 256M)");
        assert_eq!(memory("64 Mi"), "64Mi (or 64M)");
        assert_eq!(memory("1.5gb"), "1.5Gi (or 1.5G)");
        assert_eq!(memory("512KiB"), "512Ki (or 512k)");
        assert_eq!(memory("200m"), "200Mi (or 200M)");
        assert_eq!(memory("200"), "200Mi (or 200M)");
        assert_eq!(memory(""), "");
        assert_eq!(memory("lots"), "");
        assert_eq!(memory("64Mo"), "");
        let cpu = |text| meant(text, false).unwrap_or_default();
        assert_eq!(cpu("100mi"), "100m");
        assert_eq!(cpu("2 cores"), "2");
        assert_eq!(cpu("100Mi%"), "");
    }
}
