//! The order of keys: numbers in them count as numbers (`keyList.Less` in go-yaml's `sorter.go`).

use std::cmp::Ordering;

/// Compares two keys that are strings.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(a, b)| a != b) else {
        return a.len().cmp(&b.len());
    };
    let (left, right) = (a[at], b[at]);
    match (left.is_alphabetic(), right.is_alphabetic()) {
        (true, true) => return left.cmp(&right),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // Upstream: a zero counts as a digit of the number that it continues.
    let continues = (left == '0' || right == '0')
        && a[..at].iter().rev().take_while(|it| it.is_ascii_digit()).any(|it| *it != '0');
    let (left_number, left_length) = number(&a[at..], continues);
    let (right_number, right_length) = number(&b[at..], continues);
    left_number.cmp(&right_number).then(left_length.cmp(&right_length)).then(left.cmp(&right))
}

/// The number that `text` starts with and how many digits it has. Like Go's it may overflow.
fn number(text: &[char], continues: bool) -> (i64, usize) {
    let digits = text.iter().map_while(|it| it.to_digit(10));
    digits.fold((i64::from(continues), 0), |(number, length), digit| {
        (number.wrapping_mul(10).wrapping_add(i64::from(digit)), length + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn natural_order() {
        let expected =
            ["_x", "1", "2", "10", "A", "a", "a.b", "a/b", "a1", "a01", "a2", "a10", "b"];
        let mut keys = expected;
        keys.sort_unstable();
        assert_ne!(keys, expected);
        keys.sort_by(|a, b| compare(a, b));
        assert_eq!(keys, expected);
    }
}
