//! How C and Go read the numbers of a line.

/// `strtoul(text, …, 0)` of the whole field, as shadow's lib/subordinateio.c calls it: leading white space,
/// a sign, `0x` for hexadecimal and `0` for octal are accepted, with `binary` (glibc from 2.38) also `0b`; a
/// minus wraps. `None` where characters are left over, nothing was read, or the value passes 2^64 − 1.
pub(super) fn c_base_zero(field: &[u8], binary: bool) -> Option<u64> {
    let (negative, rest) = sign(field);
    let (digits, radix) = match rest {
        [b'0', b'x' | b'X', digits @ ..] if !digits.is_empty() => (digits, 16),
        [b'0', b'b' | b'B', digits @ ..] if binary && !digits.is_empty() => (digits, 2),
        [b'0', ..] => (rest, 8),
        _ => (rest, 10),
    };
    let value = unsigned(digits, radix)?;
    Some(if negative { value.wrapping_neg() } else { value })
}

/// `strtoul(text, …, 10)` of the whole field, negative numbers refused: leading white space and a sign are
/// accepted. How shadow reads an owner from 4.20 on.
pub(super) fn c_base_ten(field: &[u8]) -> Option<u64> {
    let (negative, digits) = sign(field);
    unsigned(digits, 10).filter(|value| *value == 0 || !negative)
}

/// Whether there is a minus before the number.
pub(super) fn is_negative(field: &[u8]) -> bool {
    sign(field).0
}

/// Takes C's white space and a sign away; true for a minus.
fn sign(field: &[u8]) -> (bool, &[u8]) {
    let blanks = field.iter().take_while(|b| b.is_ascii_whitespace() || **b == 0x0b).count();
    match field.get(blanks..).unwrap_or_default() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    }
}

fn unsigned(digits: &[u8], radix: u32) -> Option<u64> {
    // A sign here would be the second.
    if !digits.first().is_some_and(|b| char::from(*b).is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

/// Go's `strconv.Atoi` on a 64-bit host: an optional sign and decimal digits, leading zeros included.
pub(super) fn go_atoi(field: &[u8]) -> Option<i64> {
    let digits = field.strip_prefix(b"-").or_else(|| field.strip_prefix(b"+")).unwrap_or(field);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(field).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_numbers() {
        for (text, value) in [
            ("100000", Some(100_000)),
            ("0x186a0", Some(100_000)),
            ("0X186A0", Some(100_000)),
            ("0303240", Some(100_000)),
            ("0", Some(0)),
            ("+200", Some(200)),
            (" \t7", Some(7)),
            ("-5", Some(u64::MAX - 4)),
            ("08", None),
            ("7 ", None),
            ("0x", None),
            ("++1", None),
            ("0x+1", None),
            ("", None),
            ("18446744073709551616", None),
        ] {
            assert_eq!(c_base_zero(text.as_bytes(), true), value, "{text:?}");
        }
        for (text, value) in [("0b11", Some(3)), ("0B0", Some(0)), ("0b", None), ("0b2", None)] {
            assert_eq!(c_base_zero(text.as_bytes(), true), value, "{text:?}");
            assert_eq!(c_base_zero(text.as_bytes(), false), None, "{text:?}");
        }
    }

    #[test]
    fn go_numbers() {
        for (text, value) in
            [("0303240", Some(303_240)), ("+5", Some(5)), ("-5", Some(-5)), ("0x1", None), ("", None)]
        {
            assert_eq!(go_atoi(text.as_bytes()), value, "{text:?}");
        }
    }
}
