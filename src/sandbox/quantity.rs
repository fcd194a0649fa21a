//! Amounts as Kubernetes writes them: `1Gi`, `500m`, `2e3`.

/// An amount in thousandths, which is as fine as Kubernetes counts; none where the text is no amount, or one too large.
pub(super) fn thousandths(text: &str) -> Option<i128> {
    let end = text.find(|letter: char| !(letter.is_ascii_digit() || "+-.".contains(letter))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (two, ten): (u32, i32) = match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        exponent => (0, exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + part.len() == 0 || !whole.chars().chain(part.chars()).all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let mut amount: i128 = format!("{whole}{part}").parse().ok()?;
    amount = amount.checked_mul(1 << two)?;
    let power = ten + 3 - i32::try_from(part.len()).ok()?;
    let factor = 10_i128.checked_pow(power.unsigned_abs())?;
    // What is finer than a thousandth is rounded up.
    amount = if power < 0 { (amount + factor - 1) / factor } else { amount.checked_mul(factor)? };
    Some(sign * amount)
}

/// An amount, written as a number of whole ones, or of thousandths where it is not whole.
pub(super) fn text(thousandths: i128) -> String {
    if thousandths % 1000 != 0 {
        return format!("{thousandths}m");
    }
    let whole = thousandths / 1000;
    for (suffix, size) in [("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)] {
        if whole != 0 && whole % (1 << size) == 0 {
            return format!("{}{suffix}", whole / (1 << size));
        }
    }
    whole.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_kubernetes_reads_them() {
        for (text, amount) in [
            ("1", 1000),
            ("1.5", 1500),
            ("100m", 100),
            ("1Ki", 1_024_000),
            ("1e3", 1_000_000),
            ("-2", -2000),
            (".5", 500),
        ] {
            assert_eq!(thousandths(text), Some(amount), "{text}");
        }
        for wrong in ["", "x", "1x", "1.2.3", "--1", "1e", "1e99", "Gi", "999999999999999999999999999999999999999999"] {
            assert_eq!(thousandths(wrong), None, "{wrong}");
        }
        assert_eq!(text(thousandths("1024Mi").unwrap()), "1Gi");
        assert_eq!(text(1500), "1500m");
    }
}
