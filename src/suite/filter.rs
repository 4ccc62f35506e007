//! Names with `*`: which ids a filter means.

/// `disk-*`, `*`, `cpu-integer`: each `*` stands for any characters, none too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter<'a>(pub &'a str);

impl Filter<'_> {
    /// Does it mean this id?
    #[must_use]
    pub fn matches(&self, id: &str) -> bool {
        let Some((head, tail)) = self.0.split_once('*') else { return self.0 == id };
        let Some(mut rest) = id.strip_prefix(head) else { return false };
        let mut pieces: Vec<&str> = tail.split('*').collect();
        let last = pieces.pop().unwrap_or_default();
        for piece in pieces {
            match rest.find(piece) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }

    /// Those of `ids` that it means.
    pub fn among<'b>(&self, ids: impl Iterator<Item = &'b str>) -> Vec<&'b str> {
        ids.filter(|id| self.matches(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        let yes = [("disk-*", "disk-read"), ("*", ""), ("*-direct", "disk-read-direct"), ("a", "a")];
        let also = [("d*k-*d", "disk-read"), ("a*", "a"), ("a*a", "aa"), ("*a*b*", "xaxbx")];
        for (filter, id) in yes.into_iter().chain(also) {
            assert!(Filter(filter).matches(id), "{filter} {id}");
        }
        for (filter, id) in [("disk-*", "cpu"), ("a*a", "a"), ("", "a"), ("a*b", "abc"), ("*a*b*", "ba")] {
            assert!(!Filter(filter).matches(id), "{filter} {id}");
        }
    }

    proptest! {
        #[test]
        fn an_id_with_parts_replaced_is_still_meant(head in "[a-z]{0,5}", gone in "[a-z-]{0,5}", tail in "[a-z]{0,5}") {
            let (filter, id) = (format!("{head}*{tail}"), format!("{head}{gone}{tail}"));
            prop_assert!(Filter(&filter).matches(&id));
        }
    }
}
