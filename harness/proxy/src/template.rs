//! Path templates: `/api/v1/orders/{order_id}`.

/// The path of a request target, without its query.
pub(crate) fn path_of(target: &str) -> &str {
    let target = target.split(['?', '#']).next().unwrap_or_default();
    // The absolute form, which clients use towards forward proxies: `http://host/path`.
    match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => target,
    }
}

/// Whether a path fits a template; `{param}` stands for one segment, or for a non-empty part of one.
pub(crate) fn matches(template: &str, path: &str) -> bool {
    let mut wanted = template.split('/');
    let mut found = path.split('/');
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some(wanted), Some(found)) if segment_matches(wanted, found) => {}
            _ => return false,
        }
    }
}

fn segment_matches(wanted: &str, found: &str) -> bool {
    let Some((before, rest)) = wanted.split_once('{') else { return wanted == found };
    let Some((_, after)) = rest.split_once('}') else { return wanted == found };
    let Some(found) = found.strip_prefix(before) else { return false };
    // A parameter takes at least one byte; try every length, so that `{a}-{b}` works.
    (1..=found.len()).filter(|end| found.is_char_boundary(*end)).any(|end| segment_matches(after, &found[end..]))
}

/// What stands in a path in place of a template's parameter, where that is all that its segment leaves open.
pub(crate) fn parameter<'p>(template: &str, path: &'p str, name: &str) -> Option<&'p str> {
    let parameter = format!("{{{name}}}");
    template.split('/').zip(path.split('/')).find_map(|(wanted, found)| {
        let (before, after) = wanted.split_once(&parameter)?;
        found.strip_prefix(before)?.strip_suffix(after)
    })
}

/// Whether a path is below a prefix, on a segment's border.
pub(crate) fn is_below(prefix: &str, path: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_stands_for_one_segment_or_a_part_of_one() {
        for (template, path, fits) in [
            ("/orders", "/orders", true),
            ("/orders", "/orders/", false),
            ("/orders/{id}", "/orders/7", true),
            ("/orders/{id}", "/orders/", false),
            ("/orders/{id}", "/orders/7/saga", false),
            ("/orders/{id}/saga", "/orders/7/saga", true),
            ("/files/{name}.json", "/files/a.json", true),
            ("/files/{name}.json", "/files/.json", false),
            ("/range/{from}-{to}", "/range/1-2", true),
            ("/range/{from}-{to}", "/range/12", false),
        ] {
            assert_eq!(matches(template, path), fits, "{template} {path}");
        }
    }

    #[test]
    fn a_parameter_is_found_by_its_name() {
        assert_eq!(parameter("/orders/{id}/lines/{line}", "/orders/7/lines/8", "line"), Some("8"));
        assert_eq!(parameter("/files/{name}.json", "/files/a.json", "name"), Some("a"));
        assert_eq!(parameter("/range/{from}-{to}", "/range/1-2", "to"), None);
        assert_eq!(parameter("/orders", "/orders", "id"), None);
    }

    #[test]
    fn the_query_and_the_host_are_no_part_of_the_path() {
        assert_eq!(path_of("/a/b?c=/d"), "/a/b");
        assert_eq!(path_of("http://payment:80/a?b"), "/a");
        assert_eq!(path_of("http://payment"), "/");
    }

    #[test]
    fn a_prefix_ends_where_a_segment_ends() {
        assert!(is_below("/pay", "/pay") && is_below("/pay/", "/pay/x") && is_below("", "/anything"));
        assert!(!is_below("/pay", "/payments"));
    }
}
