//! Which keys are told, decided from the head alone.

use std::fmt;
use std::sync::Arc;

use crate::frame::Head;
use crate::glob;
use crate::record::{Db, Kind, UnixMillis};

/// Which keys are told. All conditions must hold; the empty filter lets everything pass.
///
/// ```
/// use keystar_rdb::{Db, Filter, Kind};
///
/// let filter = Filter::new().with_dbs([Db(0)]).with_match(b"user:*").with_kinds([Kind::Hash]);
/// ```
#[derive(Clone, Default)]
pub struct Filter {
    dbs: Option<Vec<Db>>,
    patterns: Vec<Box<[u8]>>,
    kinds: Option<Vec<Kind>>,
    expiry: Expiry,
    predicate: Option<Predicate>,
}

type Predicate = Arc<dyn Fn(&Head<'_>) -> bool + Send + Sync>;

/// Which keys pass by their expiry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expiry {
    /// All.
    #[default]
    Any,
    /// Keys without an expiry.
    Never,
    /// Keys with an expiry.
    Some,
    /// Keys that are alive at this moment: without an expiry, or with a later one.
    AliveAt(UnixMillis),
    /// Keys that are expired at this moment.
    ExpiredAt(UnixMillis),
}

impl Filter {
    /// Lets everything pass.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only keys of these databases pass.
    #[must_use]
    pub fn with_dbs(mut self, dbs: impl IntoIterator<Item = Db>) -> Self {
        self.dbs = Some(dbs.into_iter().collect());
        self
    }

    /// Only keys that match this glob pattern pass, as `KEYS` and `SCAN` read it: `*`, `?`,
    /// `[a-z]`, `[^a]`, `\` before a special character. Called again, one of the patterns must
    /// match.
    #[must_use]
    pub fn with_match(mut self, pattern: impl AsRef<[u8]>) -> Self {
        self.patterns.push(pattern.as_ref().into());
        self
    }

    /// Only keys of these types pass.
    #[must_use]
    pub fn with_kinds(mut self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        self.kinds = Some(kinds.into_iter().collect());
        self
    }

    /// Only keys with such an expiry pass.
    #[must_use]
    pub const fn with_expiry(mut self, expiry: Expiry) -> Self {
        self.expiry = expiry;
        self
    }

    /// Only keys for which the function is true pass. It must be a pure function of the head.
    #[must_use]
    pub fn with_predicate(
        mut self,
        predicate: impl Fn(&Head<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.predicate = Some(Arc::new(predicate));
        self
    }

    /// Whether everything passes.
    pub(crate) const fn is_open(&self) -> bool {
        self.dbs.is_none()
            && self.patterns.is_empty()
            && self.kinds.is_none()
            && matches!(self.expiry, Expiry::Any)
            && self.predicate.is_none()
    }

    /// The databases of [`with_dbs`](Self::with_dbs), if it was called.
    #[must_use]
    pub fn dbs(&self) -> Option<&[Db]> {
        self.dbs.as_deref()
    }

    /// The patterns of [`with_match`](Self::with_match).
    pub fn patterns(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.patterns.iter().map(|pattern| &**pattern)
    }

    /// The types of [`with_kinds`](Self::with_kinds), if it was called.
    #[must_use]
    pub fn kinds(&self) -> Option<&[Kind]> {
        self.kinds.as_deref()
    }

    /// Whether the key's name alone lets it pass: whether one of the patterns matches, where there
    /// are any.
    #[must_use]
    pub fn allows_key(&self, key: &[u8]) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| glob::matches(pattern, key))
    }

    /// Whether the key passes.
    #[must_use]
    #[inline]
    pub fn allows(&self, head: &Head<'_>) -> bool {
        self.dbs.as_ref().is_none_or(|dbs| dbs.contains(&head.db))
            && self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&head.kind()))
            && self.expiry.allows(head.expires_at)
            && self.allows_key(&head.key)
            && self.predicate.as_ref().is_none_or(|predicate| predicate(head))
    }
}

impl Expiry {
    #[inline]
    fn allows(self, expires_at: Option<UnixMillis>) -> bool {
        match self {
            Self::Any => true,
            Self::Never => expires_at.is_none(),
            Self::Some => expires_at.is_some(),
            Self::AliveAt(now) => expires_at.is_none_or(|at| at > now),
            Self::ExpiredAt(now) => expires_at.is_some_and(|at| at <= now),
        }
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter")
            .field("dbs", &self.dbs)
            .field("patterns", &self.patterns)
            .field("kinds", &self.kinds)
            .field("expiry", &self.expiry)
            .field("predicate", &self.predicate.as_ref().map(|_| ".."))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{Encoding, Family};

    #[test]
    fn conditions_add_up() {
        let encoding = Encoding::new(Family::Redis, 16).unwrap();
        let head = Head::new(Db(1), "user:1".into(), encoding).with_expires_at(UnixMillis(10));
        assert!(Filter::new().allows(&head));
        assert!(Filter::new().with_dbs([Db(1)]).with_match("x").with_match("u*").allows(&head));
        assert!(!Filter::new().with_dbs([Db(0)]).allows(&head));
        assert!(Filter::new().with_match("u*").with_dbs([Db(0)]).allows_key(b"user:1"));
        assert!(!Filter::new().with_match("x").allows_key(b"user:1"));
        assert!(!Filter::new().with_kinds([Kind::List]).allows(&head));
        assert!(Filter::new().with_kinds([Kind::List, Kind::Hash]).allows(&head));
        assert!(!Filter::new().with_expiry(Expiry::AliveAt(UnixMillis(10))).allows(&head));
        assert!(Filter::new().with_expiry(Expiry::ExpiredAt(UnixMillis(10))).allows(&head));
        assert!(!Filter::new().with_predicate(|head| head.key.len() > 6).allows(&head));
    }
}
