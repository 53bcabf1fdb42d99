//! Which files git tracks: the names in its index (`gitformat-index(5)`).

use std::collections::BTreeSet;

/// What an entry holds before its name: times, device, mode, owner, size, SHA-1 and flags.
const FIXED: usize = 62;

/// The paths of the entries, unless something is not as it has to be.
pub(super) fn names(index: &[u8]) -> Option<BTreeSet<String>> {
    let number = |at: usize| {
        let bytes = index.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    let version = number(4).filter(|it| index.starts_with(b"DIRC") && (2..=4).contains(it))?;
    let (mut at, mut name) = (12, Vec::new());
    let mut names = BTreeSet::new();
    for _ in 0..number(8)? {
        let start = at;
        let is_extended = index.get(at + FIXED - 2)? & 0x40 != 0;
        at += FIXED + if is_extended { 2 } else { 0 };
        let before = name.clone();
        if version == 4 {
            let kept = name.len().checked_sub(offset(index, &mut at)?)?;
            name.truncate(kept);
        } else {
            name.clear();
        }
        let rest = index.get(at..)?;
        let length = rest.iter().position(|it| *it == 0)?;
        name.extend(&rest[..length]);
        at += length + 1;
        if version < 4 {
            // As many zeros as make the entry a multiple of eight.
            at = start + (at - start).next_multiple_of(8);
        }
        // Entries are sorted; those of one name are the sides of a conflict.
        if name.is_empty() || name < before {
            return None;
        }
        names.insert(String::from_utf8_lossy(&name).into_owned());
    }
    Some(names)
}

/// How many bytes of the name before an entry are not of its own: the encoding of offsets in packs.
fn offset(index: &[u8], at: &mut usize) -> Option<usize> {
    let mut value: usize = 0;
    loop {
        let byte = *index.get(*at)?;
        *at += 1;
        value = value.checked_mul(128)?.checked_add(usize::from(byte & 0x7f))?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        value = value.checked_add(1)?;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An index of that version with entries of those names.
    pub(in crate::discover) fn index(version: u8, files: &[&str]) -> Vec<u8> {
        let count = u8::try_from(files.len()).unwrap();
        let mut bytes = [b"DIRC".as_slice(), &[0, 0, 0, version], &[0, 0, 0, count]].concat();
        let mut before = "";
        for name in files {
            let start = bytes.len();
            bytes.extend([0; FIXED]);
            if version == 4 {
                let same = name.bytes().zip(before.bytes()).take_while(|(a, b)| a == b).count();
                bytes.push(u8::try_from(before.len() - same).unwrap());
                bytes.extend(&name.as_bytes()[same..]);
                bytes.push(0);
                before = name;
            } else {
                bytes.extend(name.as_bytes());
                bytes.push(0);
                bytes.resize(start + (bytes.len() - start).next_multiple_of(8), 0);
            }
        }
        bytes
    }

    #[test]
    fn the_names_of_all_versions_are_read() {
        let files = ["a", "a.yaml", "dir/deep/x.yaml", "dir/y.yaml", "\u{e4}.yaml"];
        for version in 2..=4 {
            let names = names(&index(version, &files)).unwrap();
            assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), files, "{version}");
        }
    }

    #[test]
    fn what_is_no_index_has_no_names() {
        let whole = index(2, &["a.yaml", "b.yaml"]);
        for broken in [
            Vec::new(),
            b"DIRC".to_vec(),
            index(5, &["a"]),
            index(2, &["b", "a"]),
            index(2, &[""]),
            whole[..whole.len() - 9].to_vec(),
            [b"DIRC".as_slice(), &[0, 0, 0, 2], &[255; 4]].concat(),
            [b"DIRC".as_slice(), &[0, 0, 0, 4], &[255; 200]].concat(),
        ] {
            assert_eq!(names(&broken), None, "{broken:?}");
        }
    }
}
