//! From an entry of a batch to the items that it becomes: the step that every job shares.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use keystar_extract::{Batch, Entry, Failure};
use keystar_item::limits::{Violation, ViolationKind};
use keystar_mapping::{Mapped, Mapping, PartState, Reject, Route, RuleIndex};
use keystar_rdb::{Frame, Head, Part, Record};

use crate::rejects::Rejected;

/// What became of a record, or of a piece of one.
#[derive(Debug)]
pub(crate) enum Fate<'a> {
    /// The mapping does not want it.
    Filtered(&'static str),
    /// It had expired and its rule drops such records.
    Expired,
    /// It became items; `last` when the record has no further piece.
    Mapped(Pieces<'a>),
    /// It cannot be carried. `undo` when pieces of it were accepted before.
    Rejected { rejected: Rejected, undo: bool, corrupt: bool },
}

/// The items of a record, or of a piece of one.
#[derive(Debug)]
pub(crate) struct Pieces<'a> {
    pub(crate) head: &'a Head<'a>,
    pub(crate) rule: RuleIndex,
    pub(crate) mapped: &'a Mapped<'a>,
    pub(crate) record: Source<'a>,
    pub(crate) last: bool,
}

/// What the items were made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    Record(&'a Record<'a>),
    Part(&'a Part),
}

/// Maps the entries of batches; shared by the workers.
#[derive(Debug)]
pub(crate) struct Mapper<'m> {
    mapping: &'m Mapping,
    turnstile: Turnstile,
}

/// Lets the pieces of big records through in their order, one at a time.
#[derive(Debug, Default)]
struct Turnstile {
    piecewise: Mutex<Piecewise>,
    passed: Condvar,
}

/// The big record that is being mapped.
#[derive(Debug, Default)]
struct Piecewise {
    next: u64,
    state: Option<(RuleIndex, PartState)>,
    /// Set when the rest of the record is to be passed over.
    settled: bool,
}

/// What the caller's side says to a record that was mapped: every item may break a limit.
pub(crate) type Verdict = Result<(), Violation>;

/// The caller's side: sees every entry of a batch, in order.
pub(crate) trait Clerk {
    /// Takes note of a fate. Where it refuses a record that was mapped, it is called again with
    /// the rejection.
    fn take(&mut self, fate: Fate<'_>) -> Verdict;

    /// Takes a record that the rule would map, before it is decoded; `false` to have it mapped.
    fn take_raw(&mut self, _rule: RuleIndex, _frame: &Frame<'_>) -> bool {
        false
    }
}

impl<F: FnMut(Fate<'_>) -> Verdict> Clerk for F {
    fn take(&mut self, fate: Fate<'_>) -> Verdict {
        self(fate)
    }
}

/// Why a record that has a rule became no items.
enum Refusal {
    NoRule,
    Mapping(Reject),
    Limit(Violation),
}

impl From<Reject> for Refusal {
    fn from(reject: Reject) -> Self {
        Self::Mapping(reject)
    }
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        Self::Limit(violation)
    }
}

impl<'m> Mapper<'m> {
    pub(crate) fn new(mapping: &'m Mapping) -> Self {
        Self { mapping, turnstile: Turnstile::default() }
    }

    /// Takes every entry of the batch to its fate, in order.
    pub(crate) fn map_batch(&self, batch: &Batch, mut on: impl Clerk) {
        // Empty between records, so it can be lent to any of them as it is.
        let mut spare = Mapped::<'static>::new();
        for entry in batch.entries() {
            match entry {
                Entry::Frame(frame) => {
                    let Some(rule) = self.route(&frame.head, &mut on) else { continue };
                    if on.take_raw(rule, &frame) {
                        continue;
                    }
                    let Some(context) = batch.context() else { continue };
                    match frame.decode(context) {
                        Ok(record) => {
                            let mut mapped: Mapped<'_> = spare;
                            self.record(&frame.head, rule, &record, &mut mapped, &mut on);
                            spare = mapped.recycle();
                        }
                        Err(error) => {
                            let failure = Failure::new(&error, frame.head.offset);
                            settle(&mut on, corrupt(&failure, false));
                        }
                    }
                }
                Entry::Record { record, head } => {
                    let Some(rule) = self.route(&head, &mut on) else { continue };
                    let mut mapped: Mapped<'_> = spare;
                    self.record(&head, rule, record, &mut mapped, &mut on);
                    spare = mapped.recycle();
                }
                Entry::Part { part, ordinal } => self.part(part, ordinal, &mut on),
                Entry::Failed { failure, ordinal: None } => {
                    settle(&mut on, corrupt(failure, false));
                }
                Entry::Failed { failure, ordinal: Some(ordinal) } => {
                    let mut piecewise = self.turnstile.pass(ordinal);
                    if !std::mem::take(&mut piecewise.settled) {
                        settle(&mut on, corrupt(failure, true));
                    }
                    piecewise.state = None;
                    self.turnstile.leave(piecewise);
                }
                _ => {}
            }
        }
    }

    fn route(&self, head: &Head<'_>, on: &mut impl Clerk) -> Option<RuleIndex> {
        match self.mapping.route(head) {
            Route::Rule(rule) => return Some(rule),
            Route::Filtered(reason) => settle(on, Fate::Filtered(reason.name())),
            Route::Expired(_) => settle(on, Fate::Expired),
            Route::Rejected => settle(on, Refusal::NoRule.into_fate(head, false)),
        }
        None
    }

    fn record<'a>(
        &'a self,
        head: &Head<'_>,
        rule: RuleIndex,
        record: &'a Record<'a>,
        mapped: &mut Mapped<'a>,
        on: &mut impl Clerk,
    ) {
        let refused = self.try_record(head, rule, record, mapped, on);
        if let Err(refusal) = refused {
            settle(on, refusal.into_fate(head, false));
        }
    }

    fn try_record<'a>(
        &'a self,
        head: &Head<'_>,
        rule: RuleIndex,
        record: &'a Record<'a>,
        mapped: &mut Mapped<'a>,
        on: &mut impl Clerk,
    ) -> Result<(), Refusal> {
        self.mapping.map(rule, record, mapped)?;
        let record = Source::Record(record);
        Ok(on.take(Fate::Mapped(Pieces { head, rule, mapped, record, last: true }))?)
    }

    fn part(&self, part: &Part, ordinal: u64, on: &mut impl Clerk) {
        let mut piecewise = self.turnstile.pass(ordinal);
        let first = piecewise.state.is_none() && !piecewise.settled;
        if first {
            match self.route(&part.head, on) {
                Some(rule) => piecewise.state = Some((rule, PartState::new(rule))),
                None => piecewise.settled = true,
            }
        }
        if let Some((rule, mut state)) = piecewise.state.take() {
            match self.try_part(rule, &mut state, part, on) {
                Ok(()) => piecewise.state = Some((rule, state)),
                Err(refusal) => {
                    settle(on, refusal.into_fate(&part.head, !first));
                    piecewise.settled = true;
                }
            }
        }
        if part.last {
            piecewise.state = None;
            piecewise.settled = false;
        }
        self.turnstile.leave(piecewise);
    }

    fn try_part(
        &self,
        rule: RuleIndex,
        state: &mut PartState,
        part: &Part,
        on: &mut impl Clerk,
    ) -> Result<(), Refusal> {
        let mut mapped = Mapped::new();
        self.mapping.map_part(state, part, &mut mapped)?;
        let (head, record) = (&part.head, Source::Part(part));
        Ok(on.take(Fate::Mapped(Pieces {
            head,
            rule,
            mapped: &mapped,
            record,
            last: part.last,
        }))?)
    }
}

impl Turnstile {
    /// Waits until every piece before this one has passed.
    fn pass(&self, ordinal: u64) -> MutexGuard<'_, Piecewise> {
        let guard = self.piecewise.lock().unwrap_or_else(PoisonError::into_inner);
        self.passed
            .wait_while(guard, |piecewise| piecewise.next != ordinal)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, mut piecewise: MutexGuard<'_, Piecewise>) {
        piecewise.next += 1;
        drop(piecewise);
        self.passed.notify_all();
    }
}

/// Tells a fate that the caller's side cannot refuse.
fn settle(on: &mut impl Clerk, fate: Fate<'_>) {
    let verdict = on.take(fate);
    debug_assert!(verdict.is_ok(), "only items can be refused");
}

fn corrupt(failure: &Failure, undo: bool) -> Fate<'static> {
    let Failure { db, key, offset, detail, .. } = failure;
    let rejected = Rejected::new(db.0, key, *offset, "corrupt", detail.clone());
    Fate::Rejected { rejected, undo, corrupt: true }
}

impl Refusal {
    #[cold]
    fn into_fate(self, head: &Head<'_>, undo: bool) -> Fate<'static> {
        let (reason, detail) = match &self {
            Self::NoRule => ("no_rule", "no rule matches the key".to_owned()),
            Self::Mapping(reject) => (reject.reason.name(), reject.to_string()),
            Self::Limit(violation) => (limit_name(violation.kind()), violation.to_string()),
        };
        let rejected = Rejected::new(head.db.0, &head.key, head.offset, reason, detail);
        Fate::Rejected { rejected, undo, corrupt: false }
    }
}

/// The stable name of a broken limit, as in reports.
fn limit_name(kind: ViolationKind) -> &'static str {
    match kind {
        ViolationKind::ItemTooLarge { .. } => "oversize",
        ViolationKind::EmptyName => "empty_name",
        ViolationKind::NameTooLong => "name_too_long",
        ViolationKind::DuplicateName => "duplicate_name",
        ViolationKind::EmptySet => "empty_set",
        ViolationKind::DuplicateMember => "duplicate_member",
        ViolationKind::TooDeep => "too_deep",
        ViolationKind::KeyMissing => "key_missing",
        ViolationKind::KeyType { .. } => "key_type",
        ViolationKind::KeyEmpty => "key_empty",
        ViolationKind::KeyTooLong { .. } => "key_too_long",
        _ => "limit",
    }
}
