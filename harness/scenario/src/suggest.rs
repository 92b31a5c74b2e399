//! What somebody most likely meant to type.

/// The candidate nearest to a word, if one is near enough to be meant.
pub(crate) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let far = (word.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= 4 * word.len() + 8)
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "did you mean" the nearest candidate; otherwise what there is to choose from.
pub(crate) fn remedy<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    let mut candidates: Vec<&str> = candidates.into_iter().collect();
    let mut seen = std::collections::BTreeSet::new();
    candidates.retain(|candidate| seen.insert(*candidate));
    match nearest(word, candidates.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if candidates.is_empty() => None,
        None if candidates.len() > 16 => Some(format!("one of {}, …", listed(&candidates[..16]))),
        None if candidates.len() == 1 => Some(format!("there is only {}", listed(&candidates))),
        None => Some(format!("one of {}", listed(&candidates))),
    }
}

/// Names in backticks with commas.
pub(crate) fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Edit distance where two neighbours that changed places count as one edit (restricted Damerau-Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    // A word of a kilobyte is not a slip of the finger.
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_what_was_meant() {
        assert_eq!(nearest("paymnt", ["order", "payment", "inventory"]), Some("payment"));
        assert_eq!(nearest("ofr", ["of", "for", "rate"]), Some("of"));
        assert_eq!(nearest("respnod", ["respond", "reset"]), Some("respond"));
        assert_eq!(nearest("Rate", ["rate"]), Some("rate"));
    }

    #[test]
    fn another_word_finds_nothing() {
        assert_eq!(nearest("banana", ["order", "payment"]), None);
        assert_eq!(nearest("x", ["order"]), None);
    }

    #[test]
    fn without_a_near_one_the_choices_are_listed() {
        assert_eq!(remedy("banana", ["close", "reset"]).unwrap(), "one of `close`, `reset`");
    }
}
