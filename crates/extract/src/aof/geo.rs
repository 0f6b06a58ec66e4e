//! The commands that store what lies near a place.

use keystar_rdb::Blob;

use super::{
    keyspace::{Args, Done, Fault, Keyspace, arg, count, float, is},
    sorted,
    value::Sorted,
};

/// The Earth's radius in metres, as the server has it.
const RADIUS: f64 = 6_372_797.560_856;
/// How far north and south the hash reaches, in degrees.
const LATITUDE: f64 = 85.051_128_78;

/// A place: degrees east and north.
#[derive(Clone, Copy)]
struct Place {
    east: f64,
    north: f64,
}

enum Shape {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
}

/// The middle of the cell that a score names: 26 bits of either coordinate, woven together.
fn place_of(score: f64) -> Place {
    let hash = score as u64;
    let coordinate = |first: u32, least: f64, most: f64| {
        let cell =
            (0..26).fold(0_u32, |cell, bit| cell | ((hash >> (2 * bit + first) & 1) as u32) << bit);
        let scale = most - least;
        let low = least + f64::from(cell) / f64::from(1_u32 << 26) * scale;
        let high = least + (f64::from(cell) + 1.0) / f64::from(1_u32 << 26) * scale;
        (low + high) / 2.0
    };
    Place {
        east: coordinate(1, -180.0, 180.0).clamp(-180.0, 180.0),
        north: coordinate(0, -LATITUDE, LATITUDE).clamp(-LATITUDE, LATITUDE),
    }
}

fn along_meridian(one: f64, other: f64) -> f64 {
    RADIUS * (other.to_radians() - one.to_radians()).abs()
}

fn distance(one: Place, other: Place) -> f64 {
    let v = ((other.east.to_radians() - one.east.to_radians()) / 2.0).sin();
    if v == 0.0 {
        return along_meridian(one.north, other.north);
    }
    let (from, to) = (one.north.to_radians(), other.north.to_radians());
    let u = ((to - from) / 2.0).sin();
    2.0 * RADIUS * (u * u + from.cos() * to.cos() * v * v).sqrt().asin()
}

impl Shape {
    /// How far the place is from the centre, if it lies within.
    fn distance(&self, centre: Place, place: Place) -> Option<f64> {
        match self {
            Self::Circle { radius } => {
                Some(distance(centre, place)).filter(|distance| distance <= radius)
            }
            Self::Box { width, height } => {
                let aside = Place { east: centre.east, north: place.north };
                let within = along_meridian(place.north, centre.north) <= height / 2.0
                    && distance(place, aside) <= width / 2.0;
                within.then(|| distance(centre, place))
            }
        }
    }
}

/// How many metres a unit has.
fn metres(unit: &[u8]) -> Result<f64, Fault> {
    [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)]
        .into_iter()
        .find(|(name, _)| is(unit, name))
        .map(|(_, metres)| metres)
        .ok_or(Fault::Syntax)
}

/// What is looked for, and where it goes.
#[derive(Default)]
struct Query {
    centre: Option<Place>,
    shape: Option<Shape>,
    unit: f64,
    most: Option<usize>,
    descending: bool,
    distances: bool,
}

fn member(keys: &Keyspace, key: &[u8], member: &[u8]) -> Result<Option<Place>, Fault> {
    let score = keys.read_sorted(key)?.and_then(|sorted| sorted.score(member));
    Ok(score.map(place_of))
}

fn place(args: Args<'_>, at: usize) -> Result<Place, Fault> {
    Ok(Place { east: float(arg(args, at)?)?, north: float(arg(args, at + 1)?)? })
}

/// `GEOSEARCHSTORE to from FROMMEMBER member|FROMLONLAT x y BYRADIUS r unit|BYBOX w h unit
/// [ASC|DESC] [COUNT n] [STOREDIST]`
pub(super) fn search(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (to, from) = (arg(args, 1)?, arg(args, 2)?);
    let mut query = Query { unit: 1.0, ..Query::default() };
    let mut at = 3;
    while let Some(word) = args.get(at) {
        at += 1;
        if is(word, "FROMMEMBER") {
            query.centre = member(keys, from, arg(args, at)?)?;
            at += 1;
        } else if is(word, "FROMLONLAT") {
            query.centre = Some(place(args, at)?);
            at += 2;
        } else if is(word, "BYRADIUS") {
            query.unit = metres(arg(args, at + 1)?)?;
            query.shape = Some(Shape::Circle { radius: float(arg(args, at)?)? * query.unit });
            at += 2;
        } else if is(word, "BYBOX") {
            query.unit = metres(arg(args, at + 2)?)?;
            let (width, height) = (float(arg(args, at)?)?, float(arg(args, at + 1)?)?);
            let (width, height) = (width * query.unit, height * query.unit);
            query.shape = Some(Shape::Box { width, height });
            at += 3;
        } else if is(word, "STOREDIST") {
            query.distances = true;
        } else {
            at = query.option(word, args, at)?;
        }
    }
    query.store(keys, from, to)
}

/// `GEORADIUS from x y r unit … STORE|STOREDIST to`, `GEORADIUSBYMEMBER from member r unit …`
pub(super) fn radius(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let from = arg(args, 1)?;
    let by_member = is(arg(args, 0)?, "GEORADIUSBYMEMBER");
    let (centre, mut at) = if by_member {
        (member(keys, from, arg(args, 2)?)?, 3)
    } else {
        (Some(place(args, 2)?), 4)
    };
    let unit = metres(arg(args, at + 1)?)?;
    let shape = Some(Shape::Circle { radius: float(arg(args, at)?)? * unit });
    at += 2;
    let mut query = Query { centre, shape, unit, ..Query::default() };
    let mut to = None;
    while let Some(word) = args.get(at) {
        at += 1;
        if is(word, "STORE") || is(word, "STOREDIST") {
            query.distances = is(word, "STOREDIST");
            to = Some(arg(args, at)?);
            at += 1;
        } else {
            at = query.option(word, args, at)?;
        }
    }
    match to {
        Some(to) => query.store(keys, from, to),
        None => Ok(()),
    }
}

impl Query {
    /// Takes an option that both commands have; where to go on.
    fn option(&mut self, word: &[u8], args: Args<'_>, at: usize) -> Result<usize, Fault> {
        if is(word, "ASC") || is(word, "DESC") {
            self.descending = is(word, "DESC");
            return Ok(at);
        }
        if !is(word, "COUNT") {
            return Err(Fault::Syntax);
        }
        if args.get(at + 1).is_some_and(|word| is(word, "ANY")) {
            return Err(Fault::Unsupported("which places it finds first is not told"));
        }
        self.most = Some(count(args, at)?);
        Ok(at + 1)
    }

    fn store(&self, keys: &mut Keyspace, from: &[u8], to: &[u8]) -> Done {
        let mut found: Vec<(Blob<'static>, f64, f64)> = Vec::new();
        let shape = self.shape.as_ref().ok_or(Fault::Syntax)?;
        if let (Some(sorted), Some(centre)) = (keys.read_sorted(from)?, self.centre) {
            for (member, score) in sorted.iter() {
                if let Some(distance) = shape.distance(centre, place_of(score)) {
                    found.push((member.clone(), score, distance));
                }
            }
        }
        found.sort_by(|one, other| one.2.total_cmp(&other.2));
        if self.descending {
            found.reverse();
        }
        found.truncate(self.most.unwrap_or(usize::MAX));
        let mut nearby = Sorted::default();
        for (member, score, distance) in found {
            nearby.put(&member, if self.distances { distance / self.unit } else { score });
        }
        sorted::store(keys, to, nearby);
        Ok(())
    }
}
