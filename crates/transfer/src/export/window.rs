use crate::UnixMicros;

use super::ExportKind;

/// What an export covers: for [`Chain`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Window {
    /// The export's id.
    pub id: String,
    /// The table's ARN, or any other name of it.
    pub table: Option<String>,
    /// The table's own id: a table that was deleted and made again under its name is another.
    pub table_id: Option<String>,
    /// When it begins; `None`: it holds everything up to its end.
    pub from: Option<UnixMicros>,
    /// The first moment that it does not cover.
    pub to: UnixMicros,
}

impl Window {
    /// Everything up to that moment, about a minute more or less.
    #[must_use]
    pub fn full(id: impl Into<String>, export_time: UnixMicros) -> Self {
        Self { id: id.into(), table: None, table_id: None, from: None, to: export_time }
    }

    /// The changes from the first of the moments on, up to but without the second.
    #[must_use]
    pub fn incremental(id: impl Into<String>, from: UnixMicros, to: UnixMicros) -> Self {
        Self { id: id.into(), table: None, table_id: None, from: Some(from), to }
    }

    /// Names the table.
    #[must_use]
    pub fn with_table(mut self, table: impl Into<String>) -> Self {
        self.table = Some(table.into());
        self
    }

    pub(super) fn new(id: &str, kind: ExportKind) -> Option<Self> {
        match kind {
            ExportKind::Full { export_time } => Some(Self::full(id, export_time)),
            ExportKind::Incremental { from, to, .. } => Some(Self::incremental(id, from, to)),
            ExportKind::Bare => None,
        }
    }

    /// Full exports first, then by time; the id makes the order the same every time.
    pub(super) fn order(&self) -> (Option<UnixMicros>, UnixMicros, &str) {
        (self.from, self.to, &self.id)
    }
}

/// Which exports to apply, in which order, so that nothing is left out and nothing is applied to
/// what it does not follow.
///
/// Windows are half-open. The first incremental export after a full one may begin before that: what
/// both have is written twice, and newer wins. After that, each must begin where the one before it
/// ends.
///
/// ```
/// use keystar_transfer::{Chain, UnixMicros, Window};
///
/// let at = |hour: i64| UnixMicros(hour * 3_600_000_000);
/// let windows = [
///     Window::incremental("third", at(12), at(13)),
///     Window::full("first", at(11)),
///     Window::incremental("second", at(10), at(12)),
///     Window::incremental("older", at(9), at(10)),
/// ];
/// let chain = Chain::new(&windows, None)?;
/// assert_eq!(chain.steps, [1, 2, 0]);
/// assert_eq!(chain.passed_over, [3]);
/// assert_eq!(chain.to, Some(at(13)));
///
/// // Once the second is applied, the third is all there is to do.
/// assert_eq!(Chain::new(&windows, Some(&windows[2]))?.steps, [0]);
///
/// let error = Chain::new(&windows[..2], None).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "gap: first ends at 1970-01-01T11:00:00Z, third begins at 1970-01-01T12:00:00Z"
/// );
/// # Ok::<(), keystar_transfer::WindowError>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Chain {
    /// What to apply, in this order: indices of the windows that were given.
    pub steps: Vec<usize>,
    /// What is contained in what was applied, or in what is to be applied.
    pub passed_over: Vec<usize>,
    /// Gaps between the steps, if they are [allowed](Self::over_gaps): each is a
    /// [`WindowError::Gap`].
    pub gaps: Vec<WindowError>,
    /// How far the table is known afterwards; `None` only without any window.
    pub to: Option<UnixMicros>,
}

/// Why exports do not follow upon each other.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// Changes are missing: export the time in between, or everything anew.
    #[error("gap: {before} ends at {end}, {after} begins at {begin}")]
    Gap {
        /// The export before the gap.
        before: String,
        /// Where it ends.
        end: UnixMicros,
        /// The export after the gap.
        after: String,
        /// Where it begins.
        begin: UnixMicros,
    },
    /// Some time is covered twice: leave one of the two out.
    #[error("overlap: {before} ends at {end}, but {after} begins at {begin}")]
    Overlap {
        /// The export that begins first.
        before: String,
        /// Where it ends.
        end: UnixMicros,
        /// The export that begins inside of it.
        after: String,
        /// Where it begins.
        begin: UnixMicros,
    },
    /// There are changes, but nothing that they could be applied to.
    #[error("no full export: {first} holds only what changed since {begin}")]
    NoFull {
        /// The first incremental export.
        first: String,
        /// Where it begins.
        begin: UnixMicros,
    },
    /// A window that is none.
    #[error("{id} begins at {begin} and ends at {end}")]
    Backward {
        /// The export.
        id: String,
        /// Where it begins.
        begin: UnixMicros,
        /// Where it ends.
        end: UnixMicros,
    },
    /// The exports are not all of one table.
    #[error("two tables: {first} is of {first_table}, {second} of {second_table}")]
    Tables {
        /// One of the exports.
        first: String,
        /// Its table.
        first_table: String,
        /// Another.
        second: String,
        /// And its table.
        second_table: String,
    },
}

impl Chain {
    /// Picks from the windows, which may be in any order: the latest full export and the
    /// incremental ones that follow it; or, if `last` was applied already, the incremental ones
    /// that follow that.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, in the order of time; two tables before anything else, gaps
    /// after it.
    pub fn new(windows: &[Window], last: Option<&Window>) -> Result<Self, WindowError> {
        let mut chain = Self::over_gaps(windows, last)?;
        match chain.gaps.is_empty() {
            true => Ok(chain),
            false => Err(chain.gaps.swap_remove(0)),
        }
    }

    /// As [`new`](Self::new), but goes on over gaps, for exports of which it is known that nothing
    /// was written in between.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), but for gaps, which it [tells](Self::gaps).
    pub fn over_gaps(windows: &[Window], last: Option<&Window>) -> Result<Self, WindowError> {
        one_table(last.into_iter().chain(windows))?;
        let mut order: Vec<(usize, &Window)> = windows.iter().enumerate().collect();
        order.sort_by(|(_, a), (_, b)| a.order().cmp(&b.order()));
        let mut chain = Self::default();
        let full = order.iter().rfind(|(_, window)| window.from.is_none()).copied();
        let mut before = match (last, full) {
            (Some(last), _) => Some(last),
            (None, Some((index, full))) => {
                chain.steps.push(index);
                Some(full)
            }
            (None, None) => None,
        };
        let first = chain.steps.first().copied();
        for (index, window) in order {
            if first == Some(index) {
                continue;
            }
            let Some(begin) = window.from else {
                chain.passed_over.push(index);
                continue;
            };
            if begin >= window.to {
                return Err(WindowError::Backward { id: window.id.clone(), begin, end: window.to });
            }
            let Some(previous) = before else {
                return Err(WindowError::NoFull { first: window.id.clone(), begin });
            };
            // What ended before the chain begins is old; what ends inside of it is an overlap.
            let begins = last.is_some_and(|last| std::ptr::eq(last, previous));
            if window.to <= previous.to && (begins || previous.from.is_none()) {
                chain.passed_over.push(index);
                continue;
            }
            chain.gaps.extend(follows(previous, window, begin)?);
            chain.steps.push(index);
            before = Some(window);
        }
        chain.to = before.map(|window| window.to);
        Ok(chain)
    }
}

/// The gap between the two, if there is one.
fn follows(
    previous: &Window,
    next: &Window,
    begin: UnixMicros,
) -> Result<Option<WindowError>, WindowError> {
    let (before, end) = (previous.id.clone(), previous.to);
    let after = next.id.clone();
    if begin > end {
        return Ok(Some(WindowError::Gap { before, end, after, begin }));
    }
    if begin < end && previous.from.is_some() {
        return Err(WindowError::Overlap { before, end, after, begin });
    }
    Ok(None)
}

/// Whether all windows that name their table name the same one.
pub(super) fn one_table<'w>(
    windows: impl IntoIterator<Item = &'w Window>,
) -> Result<(), WindowError> {
    let (mut by_name, mut by_id): (Option<(&Window, &String)>, _) = (None, None);
    for window in windows {
        for (seen, table) in [(&mut by_name, &window.table), (&mut by_id, &window.table_id)] {
            let Some(table) = table else { continue };
            match *seen {
                None => *seen = Some((window, table)),
                Some((_, same)) if same == table => {}
                Some((first, first_table)) => {
                    return Err(WindowError::Tables {
                        first: first.id.clone(),
                        first_table: first_table.clone(),
                        second: window.id.clone(),
                        second_table: table.clone(),
                    });
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> UnixMicros {
        UnixMicros(minute * 60_000_000)
    }

    fn full(id: &str, minute: i64) -> Window {
        Window::full(id, at(minute))
    }

    fn incremental(id: &str, from: i64, to: i64) -> Window {
        Window::incremental(id, at(from), at(to))
    }

    fn chain(windows: &[Window], last: Option<&Window>) -> Result<Vec<String>, String> {
        let chain = Chain::new(windows, last).map_err(|error| error.to_string())?;
        assert_eq!(chain.steps.len() + chain.passed_over.len(), windows.len());
        Ok(chain.steps.iter().map(|index| windows[*index].id.clone()).collect())
    }

    fn of<const N: usize>(ids: [&str; N]) -> Result<Vec<String>, String> {
        Ok(ids.map(ToOwned::to_owned).to_vec())
    }

    fn error(text: &str) -> Result<Vec<String>, String> {
        Err(text.to_owned())
    }

    #[test]
    fn the_latest_full_export_begins_a_chain() {
        assert_eq!(chain(&[], None), of([]));
        assert_eq!(chain(&[full("a", 5)], None), of(["a"]));
        let windows = [
            incremental("d", 30, 45),
            full("b", 20),
            incremental("c", 15, 30),
            full("a", 5),
            incremental("old", 5, 15),
            incremental("just", 15, 20),
        ];
        assert_eq!(chain(&windows, None), of(["b", "c", "d"]));
        // It may begin just when the full export was made, too.
        assert_eq!(chain(&[full("a", 5), incremental("b", 5, 20)], None), of(["a", "b"]));
    }

    #[test]
    fn what_is_applied_is_not_applied_again() {
        let windows = [
            full("a", 5),
            incremental("b", 0, 15),
            incremental("c", 15, 30),
            incremental("d", 30, 45),
        ];
        assert_eq!(chain(&windows, Some(&windows[0])), of(["b", "c", "d"]));
        assert_eq!(chain(&windows, Some(&windows[1])), of(["c", "d"]));
        assert_eq!(chain(&windows, Some(&incremental("other", 20, 30))), of(["d"]));
        assert_eq!(chain(&windows, Some(&windows[3])), of([]));
        assert_eq!(Chain::new(&windows, Some(&windows[3])).unwrap().to, Some(at(45)));
    }

    #[test]
    fn gaps_are_gone_over_only_when_they_are_allowed_and_all_are_told() {
        let windows = [full("a", 5), incremental("b", 6, 15), incremental("c", 20, 30)];
        let chain = Chain::over_gaps(&windows, None).unwrap();
        assert_eq!(chain.steps, [0, 1, 2]);
        let gaps: Vec<String> = chain.gaps.iter().map(ToString::to_string).collect();
        assert_eq!(
            gaps,
            [
                "gap: a ends at 1970-01-01T00:05:00Z, b begins at 1970-01-01T00:06:00Z",
                "gap: b ends at 1970-01-01T00:15:00Z, c begins at 1970-01-01T00:20:00Z",
            ]
        );
        let overlap = [full("a", 5), incremental("b", 6, 15), incremental("c", 14, 30)];
        assert!(Chain::over_gaps(&overlap, None).is_err());
    }

    #[test]
    fn what_does_not_follow_is_named() {
        assert_eq!(
            chain(&[full("a", 5), incremental("b", 6, 15)], None),
            error("gap: a ends at 1970-01-01T00:05:00Z, b begins at 1970-01-01T00:06:00Z")
        );
        let windows = [incremental("c", 31, 45), incremental("b", 15, 30)];
        assert_eq!(
            chain(&windows, Some(&full("a", 20))),
            error("gap: b ends at 1970-01-01T00:30:00Z, c begins at 1970-01-01T00:31:00Z")
        );
        assert_eq!(
            chain(&windows, Some(&incremental("a", 0, 14))),
            error("gap: a ends at 1970-01-01T00:14:00Z, b begins at 1970-01-01T00:15:00Z")
        );
        assert_eq!(
            chain(&windows, Some(&incremental("a", 0, 16))),
            error("overlap: a ends at 1970-01-01T00:16:00Z, but b begins at 1970-01-01T00:15:00Z")
        );
        let windows = [full("a", 5), incremental("b", 0, 15), incremental("c", 1, 15)];
        assert_eq!(
            chain(&windows, None),
            error("overlap: b ends at 1970-01-01T00:15:00Z, but c begins at 1970-01-01T00:01:00Z")
        );
        // One inside of another is no chain either, whichever of them is meant.
        let windows = [full("a", 5), incremental("b", 0, 30), incremental("c", 10, 20)];
        assert_eq!(
            chain(&windows, None),
            error("overlap: b ends at 1970-01-01T00:30:00Z, but c begins at 1970-01-01T00:10:00Z")
        );
        assert_eq!(
            chain(&[incremental("b", 0, 15)], None),
            error("no full export: b holds only what changed since 1970-01-01T00:00:00Z")
        );
        assert_eq!(
            chain(&[full("a", 5), incremental("b", 15, 15)], None),
            error("b begins at 1970-01-01T00:15:00Z and ends at 1970-01-01T00:15:00Z")
        );
    }

    #[test]
    fn two_tables_are_no_chain() {
        let shop = full("a", 5).with_table("shop");
        let other = incremental("b", 5, 15).with_table("other");
        assert_eq!(
            chain(&[shop.clone(), incremental("x", 0, 15), other.clone()], None),
            error("two tables: a is of shop, b of other")
        );
        assert_eq!(chain(&[other], Some(&shop)), error("two tables: a is of shop, b of other"));
        // Made anew under its old name, a table is another.
        let mut first = shop.clone();
        let mut second = incremental("b", 5, 15).with_table("shop");
        assert_eq!(chain(&[first.clone(), second.clone()], None), of(["a", "b"]));
        (first.table_id, second.table_id) = (Some("id-1".into()), Some("id-2".into()));
        assert_eq!(chain(&[first, second], None), error("two tables: a is of id-1, b of id-2"));
    }
}
