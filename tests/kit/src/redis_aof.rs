//! Servers that write append-only files, and random commands for them.

use std::io;
use std::path::Path;

use crate::random::Random;
use crate::redis::Redis;

impl Redis {
    /// Starts a server that keeps its data in a folder, as an append-only file below
    /// `appendonlydir`, and loads what is there. The folder outlives it. More options follow the
    /// program's name, e.g. `--aof-use-rdb-preamble no`.
    ///
    /// # Errors
    /// When it does not start, or refuses the files.
    pub fn append_only(program: &Path, folder: &Path, options: &[&str]) -> io::Result<Self> {
        let folder = folder.to_string_lossy().into_owned();
        Self::start_with(program, None, |_| {
            // The last one of several counts.
            let own = ["--appendonly", "yes", "--dir", &folder];
            Ok(own.iter().chain(options).map(|word| (*word).to_owned()).collect())
        })
    }
}

/// A command of those that change data, with random keys and arguments. Many do not fit the key's
/// type or change nothing: the server says so.
pub fn random_command(random: &mut Random, step: u64) -> Vec<Vec<u8>> {
    let text = random_text(random, step);
    // Words are parted by blanks; `~` stands for a blank in an argument, `\x00`… for bytes.
    text.split(' ').map(|word| word.replace('~', " ").into_bytes()).collect()
}

fn random_text(random: &mut Random, step: u64) -> String {
    let any = |random: &mut Random, kind: &str| {
        // Now and then a key of another type.
        let kind = if random.below(25) == 0 {
            *random.pick(&["s", "l", "t", "h", "z", "x", "p"])
        } else {
            kind
        };
        format!("{kind}{}", random.below(5))
    };
    let kinds = ["s", "l", "t", "h", "z", "x", "p"];
    let (s, l, t, h, z, x, p) = (
        any(random, "s"),
        any(random, "l"),
        any(random, "t"),
        any(random, "h"),
        any(random, "z"),
        any(random, "x"),
        any(random, "p"),
    );
    let (l2, t2, z2, p2, s2) =
        (any(random, "l"), any(random, "t"), any(random, "z"), any(random, "p"), any(random, "s"));
    let some = *random.pick(&kinds);
    let k = any(random, some);
    let k2 = any(random, some);
    let n = random.below(20) as i64 - 6;
    let m = random.below(30) as i64 - 10;
    let u = random.below(12);
    let w = format!("w{}", random.below(14));
    let v = format!("v{}~{}", random.below(9), "y".repeat(random.below(40) as usize));
    let later = 4_000_000_000_000 + random.below(1_000_000);
    let score = random.pick(&["1", "2", "2.5", "-3", "1e3", "0.1", "inf", "-inf", "7", "1e-9"]);
    let id = format!("{}-{}", 100 + random.below(step.max(1) + 5), random.below(3));
    let new_id = format!("{}-1", 200 + step);
    let group = format!("g{}", random.below(3));
    let consumer = format!("c{}", random.below(3));
    let db = random.below(3);
    let bits = random.pick(&["u8", "i5", "u3", "i64", "u63", "i1"]);
    let longitude = random.below(360_000) as f64 / 1000.0 - 180.0;
    let latitude = random.below(160_000) as f64 / 1000.0 - 80.0;
    let lines: &[String] = &[
        format!("SET {s} {v}"),
        format!("SET {s} {n}"),
        format!("SET {s} {v} PXAT {later}"),
        format!("SET {s} {v} EX 100000000"),
        format!("SET {s} {n} KEEPTTL"),
        format!("SET {s} {v} NX"),
        format!("SETEX {s} 100000000 {v}"),
        format!("SETNX {s} {v}"),
        format!("GETSET {s} {v}"),
        format!("GETDEL {s}"),
        format!("GETEX {s} PERSIST"),
        format!("GETEX {s} PXAT {later}"),
        format!("MSET {s} {v} {s2} {n}"),
        format!("MSETNX {s} {v} {s2} {n}"),
        format!("APPEND {s} {w}"),
        format!("SETRANGE {s} {u} {w}"),
        format!("INCR {s}"),
        format!("DECRBY {s} {m}"),
        format!("INCRBYFLOAT {s} 1.25"),
        format!("SETBIT {s} {u}7 {}", random.below(2)),
        format!(
            "BITFIELD {s} OVERFLOW SAT INCRBY {bits} {u} {m} OVERFLOW FAIL INCRBY u4 #2 9 SET i9 3 {m}"
        ),
        format!("BITFIELD {s} SET {bits} #{u} {m} INCRBY {bits} #1 {n}"),
        format!("BITOP {} {s} {s2} {s}", random.pick(&["AND", "OR", "XOR"])),
        format!("BITOP NOT {s} {s2}"),
        format!("PFADD {p} {w} {v} {step}"),
        format!("PFADD {p} {step} {step}a {step}b {step}c {step}d {step}e {step}f {step}g"),
        format!("PFMERGE {p} {p2}"),
        format!("PFCOUNT {p}"),
        format!("LPUSH {l} {w} {v} {n}"),
        format!("RPUSH {l} {w} {m}"),
        format!("LPUSHX {l} {w}"),
        format!("RPUSHX {l} {w}"),
        format!("LPOP {l}"),
        format!("RPOP {l} {u}"),
        format!("LINSERT {l} {} {w} {v}", random.pick(&["BEFORE", "AFTER"])),
        format!("LSET {l} {n} {w}"),
        format!("LREM {l} {} {w}", random.below(5) as i64 - 2),
        format!("LTRIM {l} {n} {m}"),
        format!("RPOPLPUSH {l} {l2}"),
        format!(
            "LMOVE {l} {l2} {} {}",
            random.pick(&["LEFT", "RIGHT"]),
            random.pick(&["LEFT", "RIGHT"])
        ),
        format!("LMPOP 2 {l} {l2} LEFT COUNT 2"),
        format!("BLPOP {l} {l2} 0.001"),
        format!("SADD {t} {w} {n} {m}"),
        format!("SADD {t} {n} {m} {u}"),
        format!("SREM {t} {w} {n}"),
        format!("SPOP {t} 2"),
        format!("SMOVE {t} {t2} {w}"),
        format!("SINTERSTORE {t} {t2} {t}"),
        format!("SUNIONSTORE {t} {t2} {t}"),
        format!("SDIFFSTORE {t} {t2} {t}"),
        format!("HSET {h} {w} {v} f{u} {n}"),
        format!("HMSET {h} {w} {n}"),
        format!("HSETNX {h} {w} {v}"),
        format!("HDEL {h} {w} f{u}"),
        format!("HINCRBY {h} f{u} {m}"),
        format!("HINCRBYFLOAT {h} f{u} 0.5"),
        format!("HPEXPIREAT {h} {later} FIELDS 2 {w} f{u}"),
        format!("HEXPIRE {h} 100000000 FIELDS 1 {w}"),
        format!("HPERSIST {h} FIELDS 1 {w}"),
        format!("HGETEX {h} PXAT {later} FIELDS 1 f{u}"),
        format!("HSETEX {h} PXAT {later} FIELDS 1 f{u} {v}"),
        format!("ZADD {z} {score} {w} {m} f{u}"),
        format!("ZADD {z} {} {score} {w}", random.pick(&["NX", "XX", "GT", "LT CH", "XX INCR"])),
        format!("ZINCRBY {z} 0.1 {w}"),
        format!("ZREM {z} {w} f{u}"),
        format!("ZPOPMIN {z}"),
        format!("ZPOPMAX {z} 2"),
        format!("BZPOPMIN {z} {z2} 0.001"),
        format!("ZREMRANGEBYRANK {z} {n} {m}"),
        format!("ZREMRANGEBYSCORE {z} ({n} {m}"),
        format!("ZREMRANGEBYLEX {z} [f (w1"),
        format!(
            "ZUNIONSTORE {z} 3 {z2} {z} {t} WEIGHTS 2 0.1 3 AGGREGATE {}",
            random.pick(&["SUM", "MIN", "MAX"])
        ),
        format!("ZINTERSTORE {z} 2 {z2} {z}"),
        format!("ZDIFFSTORE {z} 2 {z2} {z}"),
        format!("ZRANGESTORE {z} {z2} {n} {m}"),
        format!("ZRANGESTORE {z} {z2} {m} ({n} BYSCORE REV LIMIT 1 3"),
        format!("ZRANGESTORE {z} {z2} [a (z BYLEX"),
        format!("GEOADD g{} {} {} {w}", random.below(3), longitude, latitude),
        format!("GEOADD g{} {} {} {w}a", random.below(3), longitude, latitude),
        format!("GEORADIUS g0 {longitude} {latitude} {} km STORE g2", 100 + random.below(9000)),
        format!("GEORADIUSBYMEMBER g1 {w} {} mi COUNT 3 DESC STOREDIST g3", random.below(5000)),
        format!(
            "GEOSEARCHSTORE g4 g1 FROMLONLAT {longitude} {latitude} BYBOX {} 3000 km ASC COUNT 4",
            random.below(8000)
        ),
        format!("GEOSEARCHSTORE g3 g0 FROMMEMBER {w} BYRADIUS 900000 m STOREDIST"),
        format!("XADD {x} {new_id} {w} {v}"),
        format!("XADD {x} {new_id} {w} {v} f{u} {n}"),
        format!("XADD {x} MAXLEN ~ 3 {new_id} {w} {v}"),
        format!("XADD {x} MINID {id} {new_id} {w} {v}"),
        format!("XDEL {x} {id}"),
        format!("XTRIM {x} MAXLEN {u}"),
        format!("XTRIM {x} MINID ~ {id}"),
        format!("XSETID {x} {new_id} ENTRIESADDED {} MAXDELETEDID {id}", 300 + step),
        format!("XGROUP CREATE {x} {group} $ MKSTREAM"),
        format!("XGROUP CREATE {x} {group} 0 ENTRIESREAD {u}"),
        format!("XGROUP SETID {x} {group} {id}"),
        format!("XGROUP DESTROY {x} {group}"),
        format!("XGROUP CREATECONSUMER {x} {group} {consumer}"),
        format!("XGROUP DELCONSUMER {x} {group} {consumer}"),
        format!("XREADGROUP GROUP {group} {consumer} COUNT 2 STREAMS {x} >"),
        format!("XREADGROUP GROUP {group} {consumer} COUNT 1 NOACK STREAMS {x} >"),
        format!("XACK {x} {group} {id}"),
        format!("XAUTOCLAIM {x} {group} {consumer} 0 0 COUNT 2"),
        format!("XCLAIM {x} {group} {consumer} 0 {id} {new_id}"),
        format!("DEL {k} {k2}"),
        format!("UNLINK {k}"),
        format!("PEXPIREAT {k} {later}"),
        format!("EXPIRE {k} 100000000"),
        format!("PERSIST {k}"),
        format!("RENAME {k} {k2}"),
        format!("RENAMENX {k} {k2}"),
        format!("COPY {k} {k2} REPLACE"),
        format!("COPY {k} {k2} DB {db}"),
        format!("MOVE {k} {db}"),
        format!("SORT {t} ALPHA DESC LIMIT 1 4 STORE {l}"),
        format!("SORT {l} STORE {l2}"),
        format!("SORT {z} BY nosort STORE {l2}"),
        format!("SELECT {db}"),
        format!("SELECT {db}"),
        format!(
            "EVAL return~{{redis.call('incr',KEYS[1]),redis.call('lpush',KEYS[2],ARGV[1])}} 2 {s} {l} {w}"
        ),
        format!("PUBLISH channel {w}"),
    ];
    match random.below(400) {
        0 => format!("SWAPDB {db} {}", random.below(3)),
        1 => "FLUSHDB".to_owned(),
        2 if random.below(4) == 0 => "FLUSHALL".to_owned(),
        _ => random.pick(lines).clone(),
    }
}
