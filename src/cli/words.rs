//! Figures as people say them.

use std::time::Duration;

/// `45 s`, `2 min 5 s`, `1 h 20 min`: as exact as an estimate deserves.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..600 => with(seconds / 60, "min", seconds % 60, "s"),
        600..3600 => format!("{} min", (seconds + 30) / 60),
        _ => {
            let minutes = (seconds + 30) / 60;
            with(minutes / 60, "h", minutes % 60, "min")
        }
    }
}

fn with(large: u64, unit: &str, small: u64, of: &str) -> String {
    if small == 0 { format!("{large} {unit}") } else { format!("{large} {unit} {small} {of}") }
}

/// `1 sample`, `2 samples`.
pub(super) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// Rows in columns, two blanks apart, nothing at the end of a line.
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_content_arrangement(comfy_table::ContentArrangement::Disabled);
    table.add_rows(rows.iter().cloned());
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = table.trim_fmt();
    text.push('\n');
    text
}

/// Each line two blanks further in.
pub(super) fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_exact_as_they_deserve() {
        let of = |seconds: f64| duration(Duration::from_secs_f64(seconds));
        let said =
            [0.2, 1.6, 59.4, 59.6, 60.0, 125.0, 599.0, 600.0, 3599.0, 3600.0, 4800.0, 90_000.0].map(of);
        let expected = [
            "0 s",
            "2 s",
            "59 s",
            "1 min",
            "1 min",
            "2 min 5 s",
            "9 min 59 s",
            "10 min",
            "60 min",
            "1 h",
            "1 h 20 min",
            "25 h",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn columns_line_up_and_have_no_blanks_at_the_end() {
        let rows = [["a", "b"], ["ééé", ""]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(columns(&rows), "a    b\nééé\n");
    }
}
