//! Of which entity an item is, and where each of its attributes goes: the model, compiled.
//!
//! The names that the model knows have numbers. One look at each attribute of an item finds its
//! number, mostly by guessing that it follows the attribute that it followed last time; after that,
//! everything goes by number.

use std::borrow::Cow;
use std::collections::HashMap;

use keystar_item::scan::{ItemView, RawText, ValueView};
use keystar_star::{
    Condition, Drift, Entity, KeyTemplate, Model, Name, Path, Segment, Source, Type, UnnestOver,
};

/// The number of a name; [`UNKNOWN`] for one that the model does not know.
pub(crate) type Number = u32;
pub(crate) const UNKNOWN: Number = u32::MAX;

#[derive(Debug)]
pub(crate) struct Router {
    names: Vec<Box<str>>,
    numbers: HashMap<Box<str>, Number>,
    pub(crate) entities: Vec<Plan>,
    pub(crate) partition: Number,
    pub(crate) sort: Option<Number>,
    choices: Choices,
}

/// Which entities an item may be of, in the model's order.
#[derive(Debug)]
struct Choices {
    /// The attribute that tells most entities apart.
    discriminator: Option<Number>,
    /// By its value, in order.
    by_value: Vec<(Box<str>, Vec<usize>)>,
    /// Those that it does not tell apart from others.
    others: Vec<usize>,
}

/// How items of one entity become rows.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) name: Name,
    pub(crate) drift: Drift,
    tests: Vec<Test>,
    /// What becomes of the attribute of each number.
    uses: Vec<Use>,
    steps: Vec<Step>,
    pub(crate) columns: Vec<PlannedColumn>,
    /// Where this entity's rows lie in its parent's items.
    pub(crate) unnest: Option<UnnestOver>,
    /// What of a member goes where; for a child entity.
    pub(crate) members: Members,
}

/// A physical column.
#[derive(Clone, Debug)]
pub(crate) struct PlannedColumn {
    pub(crate) name: Name,
    pub(crate) ty: Type,
    pub(crate) required: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Members {
    /// Pairs: a column of the parent, and of this entity.
    pub(crate) parent: Vec<(usize, usize)>,
    pub(crate) position: Vec<usize>,
    pub(crate) entry: Vec<usize>,
    pub(crate) element: Vec<usize>,
    /// By the first name of the path.
    pub(crate) attributes: HashMap<Box<str>, Vec<Step>>,
}

#[derive(Debug)]
enum Test {
    Equals(Number, Box<str>),
    Like(Number, Form),
    Has(Number),
    Same(Box<str>, (Number, Form), (Number, Form)),
}

/// A template, and the short way for most of them: a literal and one variable.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    template: KeyTemplate,
    /// What comes before the only variable, which ends the key.
    prefix: Option<Box<str>>,
}

impl Form {
    fn new(template: &KeyTemplate) -> Self {
        let prefix = match template.segments() {
            [Segment::Variable(_)] => Some("".into()),
            [Segment::Literal(prefix), Segment::Variable(_)] => Some(prefix.clone()),
            _ => None,
        };
        Self { template: template.clone(), prefix }
    }

    #[inline]
    fn matches(&self, key: &str) -> bool {
        match &self.prefix {
            Some(prefix) => key.len() > prefix.len() && key.starts_with(&**prefix),
            None => self.template.matches(key),
        }
    }

    /// What a variable of the template stands for in a key.
    #[inline]
    pub(crate) fn part<'k>(&self, key: &'k str, variable: &str) -> Option<&'k str> {
        match &self.prefix {
            Some(prefix) => key.strip_prefix(&**prefix).filter(|part| !part.is_empty()),
            None => self.template.capture(key)?.get(variable),
        }
    }
}

/// What becomes of an attribute.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Use {
    /// The entity does not know it.
    Drift,
    /// It tells what the item is, no more.
    Nothing,
    /// It is a column's value.
    Column(usize),
    /// Several of the entity's steps, from the first up to the second.
    Steps(usize, usize),
}

/// One thing to be done with an attribute's value.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The value at the end of the path is a column's.
    Value { column: usize, path: Box<[Box<str>]> },
    /// Parts of the key's text are columns'.
    Parts { form: Form, columns: Vec<(Box<str>, usize)> },
    /// Whether the value at the end of the path is NULL is a column's value.
    IsNull { column: usize, path: Box<[Box<str>]> },
    /// Members of the value at the end of the path are rows of another entity.
    Members { entity: usize, path: Box<[Box<str>]> },
}

/// An attribute of the item at hand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) number: Number,
    pub(crate) name: RawText<'a>,
    pub(crate) value: ValueView<'a>,
}

/// The physical columns of an entity, in their order, and which attribute each evolved one is of.
pub(crate) struct Columns<'m> {
    pub(crate) locked: Vec<(Name, Type)>,
    pub(crate) evolved: &'m [(Box<str>, Name)],
}

impl Router {
    /// Compiles a checked model; the closure tells the columns of each entity's files.
    pub(crate) fn new<'m>(model: &Model, columns: impl Fn(&Entity) -> Columns<'m>) -> Self {
        let mut router = Self {
            names: Vec::new(),
            numbers: HashMap::new(),
            entities: Vec::new(),
            partition: 0,
            sort: None,
            choices: Choices { discriminator: None, by_value: Vec::new(), others: Vec::new() },
        };
        router.partition = router.number(&model.table.partition);
        router.sort = model.table.sort.as_deref().map(|name| router.number(name));
        for entity in &model.entities {
            let plan = router.plan(entity, columns(entity));
            router.entities.push(plan);
        }
        for (child, entity) in model.entities.iter().enumerate() {
            router.attach(model, child, entity);
        }
        // Names that came late are known to the entities that came early, too.
        let count = router.names.len();
        for plan in &mut router.entities {
            plan.uses.resize(count, Use::Drift);
        }
        router.choices = router.choose(model);
        router
    }

    fn number(&mut self, name: &str) -> Number {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = Number::try_from(self.names.len()).unwrap_or(UNKNOWN);
        self.names.push(name.into());
        self.numbers.insert(name.into(), number);
        number
    }

    fn plan(&mut self, entity: &Entity, columns: Columns<'_>) -> Plan {
        let mut tests = Vec::new();
        for condition in &entity.matcher.conditions {
            match condition {
                Condition::Equals { attribute, value } => {
                    tests.push(Test::Equals(self.number(attribute), value.clone()));
                }
                Condition::Like { attribute, template } => {
                    tests.push(Test::Like(self.number(attribute), Form::new(template)));
                }
                Condition::Has { attribute } => tests.push(Test::Has(self.number(attribute))),
                Condition::Same { variable, left, right } => {
                    let left = (self.number(&left.0), Form::new(&left.1));
                    let right = (self.number(&right.0), Form::new(&right.1));
                    tests.push(Test::Same(variable.clone(), left, right));
                }
                // A condition of a later version holds for nothing that this one knows.
                _ => tests.push(Test::Has(UNKNOWN)),
            }
        }
        // Comparing is cheaper than taking apart.
        tests.sort_by_key(|test| match test {
            Test::Equals(..) => 0,
            Test::Has(_) => 1,
            Test::Like(..) => 2,
            Test::Same(..) => 3,
        });

        let planned = |(name, ty): &(Name, Type)| {
            let column = entity.column(name);
            PlannedColumn {
                name: name.clone(),
                ty: ty.clone(),
                required: column.is_some_and(|column| column.required),
            }
        };
        let mut plan = Plan {
            name: entity.name.clone(),
            drift: entity.drift,
            uses: Vec::new(),
            steps: Vec::new(),
            columns: columns.locked.iter().map(planned).collect(),
            unnest: entity.unnest.as_ref().map(|unnest| unnest.over),
            members: Members::default(),
            tests: Vec::new(),
        };
        let place = |name: &Name| columns.locked.iter().position(|(other, _)| other == name);
        let mut steps: Vec<(Box<str>, Step)> = Vec::new();
        for column in &entity.columns {
            let Some(at) = place(&column.name) else { continue };
            match &column.source {
                Source::Attribute(path) => {
                    let step = Step::Value { column: at, path: path.tail().into() };
                    steps.push((path.head().into(), step));
                }
                Source::Key { attribute, template, variable } => {
                    let parts = steps.iter_mut().find_map(|(name, step)| match step {
                        Step::Parts { form, columns }
                            if name == attribute && form.template == *template =>
                        {
                            Some(columns)
                        }
                        _ => None,
                    });
                    match parts {
                        Some(columns) => columns.push((variable.clone(), at)),
                        None => {
                            let columns = vec![(variable.clone(), at)];
                            let step = Step::Parts { form: Form::new(template), columns };
                            steps.push((attribute.clone(), step));
                        }
                    }
                }
                Source::IsNull(path) => {
                    let step = Step::IsNull { column: at, path: path.tail().into() };
                    steps.push((path.head().into(), step));
                }
                Source::Position => plan.members.position.push(at),
                Source::Entry => plan.members.entry.push(at),
                Source::Element => plan.members.element.push(at),
                // Parents' columns are known when all entities are.
                _ => {}
            }
        }
        for (attribute, name) in columns.evolved {
            if let Some(at) = place(name).filter(|_| entity.column(name).is_none()) {
                steps.push((attribute.clone(), Step::Value { column: at, path: [].into() }));
            }
        }
        if entity.unnest.is_some() {
            for (name, step) in steps {
                plan.members.attributes.entry(name).or_default().push(step);
            }
            return plan;
        }
        for test in &tests {
            match test {
                Test::Equals(number, _) | Test::Like(number, _) | Test::Has(number) => {
                    plan.set(*number, Use::Nothing);
                }
                Test::Same(_, (left, _), (right, _)) => {
                    plan.set(*left, Use::Nothing);
                    plan.set(*right, Use::Nothing);
                }
            }
        }
        plan.tests = tests;
        plan.set(self.partition, Use::Nothing);
        if let Some(sort) = self.sort {
            plan.set(sort, Use::Nothing);
        }
        plan.add(steps, |name| self.number(name));
        plan
    }

    /// Tells the parent of a child entity where its rows are.
    fn attach(&mut self, model: &Model, child: usize, entity: &Entity) {
        let Some(unnest) = &entity.unnest else { return };
        let is_parent = |other: &Entity| other.name == unnest.parent;
        let Some(parent) = model.entities.iter().position(is_parent) else { return };
        let pairs: Vec<(usize, usize)> = {
            let (Some(parent), Some(plan)) = (self.entities.get(parent), self.entities.get(child))
            else {
                return;
            };
            let pair = |column: &keystar_star::Column| match &column.source {
                Source::Parent(name) => {
                    let find = |plan: &Plan, name: &Name| {
                        plan.columns.iter().position(|column| column.name == *name)
                    };
                    Some((find(parent, name)?, find(plan, &column.name)?))
                }
                _ => None,
            };
            entity.columns.iter().filter_map(pair).collect()
        };
        if let Some(plan) = self.entities.get_mut(child) {
            plan.members.parent = pairs;
        }
        let head = unnest.path.head();
        let step = Step::Members { entity: child, path: tail(&unnest.path) };
        let is_child = model.entities.get(parent).is_some_and(|parent| parent.unnest.is_some());
        if is_child {
            if let Some(plan) = self.entities.get_mut(parent) {
                plan.members.attributes.entry(head.into()).or_default().push(step);
            }
            return;
        }
        let number = self.number(head);
        if let Some(plan) = self.entities.get_mut(parent) {
            plan.add(vec![(head.into(), step)], |_| number);
        }
    }

    fn choose(&self, model: &Model) -> Choices {
        let roots = || {
            let entities = self.entities.iter().enumerate().zip(&model.entities);
            entities.filter(|(_, entity)| entity.unnest.is_none()).map(|(plan, _)| plan)
        };
        let mut counts: Vec<usize> = vec![0; self.names.len()];
        for (_, plan) in roots() {
            for test in &plan.tests {
                if let Test::Equals(number, _) = test
                    && let Some(count) = counts.get_mut(*number as usize)
                {
                    *count += 1;
                }
            }
        }
        let best =
            counts.iter().enumerate().max_by_key(|(number, count)| (**count, usize::MAX - number));
        let discriminator = best
            .filter(|(_, count)| **count > 0)
            .and_then(|(number, _)| Number::try_from(number).ok());
        let mut choices = Choices { discriminator, by_value: Vec::new(), others: Vec::new() };
        let value_of = |plan: &Plan| {
            plan.tests.iter().find_map(|test| match test {
                Test::Equals(number, value) if Some(*number) == discriminator => {
                    Some(value.clone())
                }
                _ => None,
            })
        };
        for value in roots().filter_map(|(_, plan)| value_of(plan)) {
            choices.by_value.push((value, Vec::new()));
        }
        choices.by_value.sort();
        choices.by_value.dedup();
        for (index, plan) in roots() {
            let value = value_of(plan);
            for (other, choice) in &mut choices.by_value {
                if value.as_ref().is_none_or(|value| value == other) {
                    choice.push(index);
                }
            }
            if value.is_none() {
                choices.others.push(index);
            }
        }
        choices
    }
}

fn tail(path: &Path) -> Box<[Box<str>]> {
    path.tail().into()
}

impl Plan {
    fn set(&mut self, number: Number, what: Use) {
        let at = number as usize;
        if number == UNKNOWN {
            return;
        }
        if self.uses.len() <= at {
            self.uses.resize(at + 1, Use::Drift);
        }
        if let Some(place) = self.uses.get_mut(at) {
            *place = what;
        }
    }

    /// Adds steps to what is done with attributes.
    fn add(&mut self, steps: Vec<(Box<str>, Step)>, mut number: impl FnMut(&str) -> Number) {
        let mut by_name: Vec<(Number, Vec<Step>)> = Vec::new();
        for (name, step) in steps {
            let number = number(&name);
            match by_name.iter_mut().find(|(other, _)| *other == number) {
                Some((_, steps)) => steps.push(step),
                None => by_name.push((number, vec![step])),
            }
        }
        for (number, mut new) in by_name {
            let mut all = match self.use_of(number) {
                Use::Drift | Use::Nothing => Vec::new(),
                Use::Column(column) => vec![Step::Value { column, path: [].into() }],
                Use::Steps(from, to) => self.steps.get(from..to).unwrap_or_default().to_vec(),
            };
            all.append(&mut new);
            let what = match all.as_slice() {
                [Step::Value { column, path }] if path.is_empty() => Use::Column(*column),
                _ => {
                    let from = self.steps.len();
                    self.steps.extend(all);
                    Use::Steps(from, self.steps.len())
                }
            };
            self.set(number, what);
        }
    }

    #[inline(always)]
    pub(crate) fn use_of(&self, number: Number) -> Use {
        self.uses.get(number as usize).copied().unwrap_or(Use::Drift)
    }

    pub(crate) fn steps(&self, from: usize, to: usize) -> &[Step] {
        self.steps.get(from..to).unwrap_or_default()
    }
}

impl Router {
    /// The name of that number.
    pub(crate) fn name(&self, number: Number) -> &str {
        self.names.get(number as usize).map_or("", |name| name)
    }
}

/// A key attribute as text, of which templates are: bytes stay base64, numbers their text.
#[inline]
pub(crate) fn key_text(value: ValueView<'_>) -> Option<Cow<'_, str>> {
    match value {
        ValueView::S(text) | ValueView::B(text) => Some(text.as_str()),
        ValueView::N(text) => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

/// What a task remembers of the items before, to find its way sooner.
#[derive(Debug)]
pub(crate) struct Memory {
    /// By the number of an attribute, and at the end for the beginning: the number of the one that
    /// followed it.
    next: Vec<Number>,
    /// By the number: which of the item's attributes it is, from 1; 0 if it is not there.
    places: Vec<u32>,
}

impl Memory {
    pub(crate) fn new(router: &Router) -> Self {
        let names = router.names.len();
        Self { next: vec![UNKNOWN; names + 1], places: vec![0; names] }
    }

    /// The item's attribute of that number.
    #[inline]
    pub(crate) fn find<'a>(&self, found: &[Found<'a>], number: Number) -> Option<ValueView<'a>> {
        let place = *self.places.get(number as usize)?;
        found.get((place as usize).checked_sub(1)?).map(|found| found.value)
    }
}

impl Router {
    /// Finds the numbers of the item's attributes.
    #[inline]
    pub(crate) fn look<'a>(
        &self,
        item: ItemView<'a>,
        memory: &mut Memory,
        found: &mut Vec<Found<'a>>,
    ) {
        memory.places.fill(0);
        let mut before = self.names.len();
        for (name, value) in item {
            let guess = memory.next.get(before).copied().unwrap_or(UNKNOWN);
            let number = match self.names.get(guess as usize) {
                Some(guessed) if name.as_plain() == Some(guessed) => guess,
                _ => self.look_up(name, before, memory),
            };
            found.push(Found { number, name, value });
            if number != UNKNOWN {
                before = number as usize;
                if let Some(place) = memory.places.get_mut(before) {
                    *place = found.len() as u32;
                }
            }
        }
    }

    #[inline(never)]
    fn look_up(&self, name: RawText<'_>, before: usize, memory: &mut Memory) -> Number {
        let number = match name.as_plain() {
            Some(name) => self.numbers.get(name),
            None => self.numbers.get(&*name.as_str()),
        };
        let number = number.copied().unwrap_or(UNKNOWN);
        if number != UNKNOWN
            && let Some(next) = memory.next.get_mut(before)
        {
            *next = number;
        }
        number
    }

    /// The first entity that the item is of.
    #[inline]
    pub(crate) fn route(&self, found: &[Found<'_>], memory: &Memory) -> Option<usize> {
        let choices = &self.choices;
        let text = |number| match memory.find(found, number) {
            Some(ValueView::S(text)) => Some(text),
            _ => None,
        };
        let choose = |value: &str| {
            let place = choices.by_value.binary_search_by(|(other, _)| (**other).cmp(value));
            place.ok().and_then(|place| choices.by_value.get(place)).map(|(_, choice)| choice)
        };
        let candidates = match choices.discriminator.and_then(text) {
            Some(value) => match value.as_plain() {
                Some(value) => choose(value),
                None => choose(&value.as_str()),
            },
            None => None,
        };
        let candidates = candidates.unwrap_or(&choices.others);
        candidates.iter().copied().find(|index| {
            self.entities.get(*index).is_some_and(|plan| {
                plan.tests.iter().all(|test| match test {
                    Test::Equals(number, value) => {
                        text(*number).is_some_and(|text| text == **value)
                    }
                    Test::Has(number) => memory.find(found, *number).is_some(),
                    Test::Like(number, form) => match memory.find(found, *number) {
                        Some(value) => key_text(value).is_some_and(|key| form.matches(&key)),
                        None => false,
                    },
                    Test::Same(variable, left, right) => {
                        let key = |number| memory.find(found, number).and_then(key_text);
                        let (Some(one), Some(other)) = (key(left.0), key(right.0)) else {
                            return false;
                        };
                        let one = left.1.part(&one, variable);
                        one.is_some() && one == right.1.part(&other, variable)
                    }
                })
            })
        })
    }
}
