//! How C and Go read the numbers of a line.

/// `strtoul(text, …, 0)` of the whole field, as shadow's lib/subordinateio.c calls it: leading white space,
/// a sign, `0x` for hexadecimal and `0` for octal are accepted; a minus wraps. `None` where characters are
/// left over, nothing was read, or the value passes 2^64 − 1.
pub(super) fn c_base_zero(field: &[u8]) -> Option<u64> {
    let blanks = field.iter().take_while(|b| b.is_ascii_whitespace() || **b == 0x0b).count();
    let rest = field.get(blanks..)?;
    let (negative, rest) = match rest.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, rest),
    };
    let hex = (rest.starts_with(b"0x") || rest.starts_with(b"0X")) && rest.len() > 2;
    let (digits, radix) = if hex {
        (rest.get(2..)?, 16)
    } else if rest.starts_with(b"0") {
        (rest, 8)
    } else {
        (rest, 10)
    };
    if !digits.first().is_some_and(|b| char::from(*b).is_digit(radix)) {
        return None;
    }
    let value = u64::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()?;
    Some(if negative { value.wrapping_neg() } else { value })
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
            assert_eq!(c_base_zero(text.as_bytes()), value, "{text:?}");
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
