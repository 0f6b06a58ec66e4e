//! Every command that is replayed: which keys it touches, and what it does.

use super::{
    generic, geo, hashes, hyperloglog,
    keyspace::{Args, Done, Fault, Keyspace, arg, count, database, is, rest},
    lists, sets, sorted, stream, strings,
};

/// What becomes of a command.
#[derive(Clone, Copy)]
pub(super) enum Action {
    /// It changes keys.
    Change {
        keys: Touched,
        run: fn(&mut Keyspace, Args<'_>) -> Done,
    },
    /// It says which database the others mean.
    Select,
    Begin,
    Commit,
    /// It changes which database is which.
    Swap,
    Flush,
    FlushAll,
    /// It changes nothing that is a key.
    Nothing,
    /// It is for scripts or functions, of which it is only said that there are some.
    Aside(&'static str),
    /// It cannot be replayed, for this reason.
    Refused(&'static str),
}

/// Which arguments are keys.
#[derive(Clone, Copy)]
pub(super) enum Touched {
    /// The first.
    One,
    /// The second: there is a word before it.
    Second,
    /// The first two.
    Two,
    All,
    /// The first, third, fifth …
    EverySecond,
    /// All but the first.
    AllButFirst,
    /// The first, and as many after the second as it says.
    Counted,
    /// The first, here and in the database that an option names.
    Copied,
    /// The first, here and in the database that the second names.
    Moved,
    /// The first, and the one after `STORE` or `STOREDIST`.
    Stored,
}

const SCRIPT: &str = "what a script does is not in the file";
const RANDOM: &str = "what it does is not told by its arguments";

/// Looks a command up by its name in upper case.
pub(super) fn action(name: &str) -> Option<Action> {
    use Touched::{
        All, AllButFirst, Copied, Counted, EverySecond, Moved, One, Second, Stored, Two,
    };
    let change = |keys, run: fn(&mut Keyspace, Args<'_>) -> Done| Action::Change { keys, run };
    Some(match name {
        "SELECT" => Action::Select,
        "MULTI" => Action::Begin,
        "EXEC" => Action::Commit,
        "SWAPDB" => Action::Swap,
        "FLUSHDB" => Action::Flush,
        "FLUSHALL" => Action::FlushAll,
        "PING" | "REPLCONF" | "PUBLISH" | "SPUBLISH" | "PFCOUNT" => Action::Nothing,
        "SCRIPT" => Action::Aside("scripts"),
        "FUNCTION" => Action::Aside("functions"),
        "EVAL" | "EVALSHA" | "FCALL" => Action::Refused(SCRIPT),
        "SPOP" | "INCRBYFLOAT" | "HINCRBYFLOAT" | "XREADGROUP" | "XAUTOCLAIM" => {
            Action::Refused(RANDOM)
        }

        "DEL" | "UNLINK" | "GETDEL" => change(All, generic::delete),
        "PEXPIREAT" | "EXPIREAT" | "PEXPIRE" | "EXPIRE" => change(One, generic::expire),
        "PERSIST" => change(One, generic::persist),
        "RENAME" | "RENAMENX" => change(Two, generic::rename),
        "COPY" => change(Copied, generic::copy),
        "MOVE" => change(Moved, generic::move_key),
        "RESTORE" | "RESTORE-ASKING" => change(One, generic::restore),
        "SORT" => change(Stored, generic::sort),

        "SET" => change(One, strings::set),
        "SETNX" => change(One, strings::set_new),
        "SETEX" | "PSETEX" => change(One, strings::set_expiring),
        "GETSET" => change(One, strings::get_set),
        "GETEX" => change(One, strings::get_expiring),
        "MSET" | "MSETNX" => change(EverySecond, strings::set_many),
        "APPEND" => change(One, strings::append),
        "SETRANGE" => change(One, strings::set_range),
        "INCR" | "DECR" | "INCRBY" | "DECRBY" => change(One, strings::increase),
        "SETBIT" => change(One, strings::set_bit),
        "BITFIELD" => change(One, strings::bit_field),
        "BITOP" => change(AllButFirst, strings::bit_operation),
        "PFADD" => change(One, hyperloglog::add),
        "PFMERGE" => change(All, hyperloglog::merge),

        "LPUSH" | "RPUSH" | "LPUSHX" | "RPUSHX" => change(One, lists::push),
        "LPOP" | "RPOP" => change(One, lists::pop),
        "RPOPLPUSH" => change(Two, lists::pop_push),
        "LMOVE" => change(Two, lists::move_item),
        "LINSERT" => change(One, lists::insert),
        "LSET" => change(One, lists::set),
        "LREM" => change(One, lists::remove),
        "LTRIM" => change(One, lists::trim),

        "SADD" => change(One, sets::add),
        "SREM" => change(One, sets::remove),
        "SMOVE" => change(Two, sets::move_member),
        "SINTERSTORE" | "SUNIONSTORE" | "SDIFFSTORE" => change(All, sets::combine),

        "HSET" | "HMSET" => change(One, hashes::set),
        "HSETNX" => change(One, hashes::set_new),
        "HDEL" => change(One, hashes::delete),
        "HINCRBY" => change(One, hashes::increase),
        "HPEXPIREAT" | "HEXPIREAT" | "HPEXPIRE" | "HEXPIRE" => change(One, hashes::expire),
        "HPERSIST" => change(One, hashes::persist),
        "HSETEX" => change(One, hashes::set_expiring),
        "HGETEX" => change(One, hashes::get_expiring),
        "HGETDEL" => change(One, hashes::get_delete),

        "ZADD" => change(One, sorted::add),
        "ZINCRBY" => change(One, sorted::increase),
        "ZREM" => change(One, sorted::remove),
        "ZPOPMIN" | "ZPOPMAX" => change(One, sorted::pop),
        "ZREMRANGEBYRANK" | "ZREMRANGEBYSCORE" | "ZREMRANGEBYLEX" => {
            change(One, sorted::remove_range)
        }
        "ZRANGESTORE" => change(Two, sorted::store_range),
        "ZUNIONSTORE" | "ZINTERSTORE" | "ZDIFFSTORE" => change(Counted, sorted::combine),

        "GEOSEARCHSTORE" => change(Two, geo::search),
        "GEORADIUS" | "GEORADIUSBYMEMBER" => change(Stored, geo::radius),

        "XADD" => change(One, stream::add),
        "XDEL" => change(One, stream::delete),
        "XTRIM" => change(One, stream::cut),
        "XSETID" => change(One, stream::set_id),
        "XGROUP" => change(Second, stream::group),
        "XACK" => change(One, stream::acknowledge),
        "XCLAIM" => change(One, stream::claim),
        _ => return None,
    })
}

impl Touched {
    /// The keys, each with its database as it is called now.
    pub(super) fn of<'a>(
        self,
        args: Args<'a>,
        selected: u32,
    ) -> Result<Vec<(u32, &'a [u8])>, Fault> {
        let here = |keys: &[&'a [u8]]| keys.iter().map(|key| (selected, *key)).collect::<Vec<_>>();
        Ok(match self {
            Self::One => vec![(selected, arg(args, 1)?)],
            Self::Second => vec![(selected, arg(args, 2)?)],
            Self::Two => vec![(selected, arg(args, 1)?), (selected, arg(args, 2)?)],
            Self::All => here(rest(args, 1)),
            Self::EverySecond => {
                rest(args, 1).iter().step_by(2).map(|key| (selected, *key)).collect()
            }
            Self::AllButFirst => here(rest(args, 2)),
            Self::Counted => {
                let sources = rest(args, 3).get(..count(args, 2)?).ok_or(Fault::Syntax)?;
                let mut keys = here(sources);
                keys.push((selected, arg(args, 1)?));
                keys
            }
            Self::Copied => {
                let option = rest(args, 3).iter().position(|word| is(word, "DB"));
                let db = option.map_or(Ok(selected), |at| database(args, 3 + at + 1))?;
                vec![(selected, arg(args, 1)?), (db, arg(args, 2)?)]
            }
            Self::Moved => {
                vec![(selected, arg(args, 1)?), (database(args, 2)?, arg(args, 1)?)]
            }
            Self::Stored => {
                let mut keys = vec![(selected, arg(args, 1)?)];
                if let Some(at) =
                    rest(args, 2).iter().position(|word| is(word, "STORE") || is(word, "STOREDIST"))
                {
                    keys.push((selected, arg(args, 2 + at + 1)?));
                }
                keys
            }
        })
    }
}
